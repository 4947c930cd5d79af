/** What the panel hands out before a script runs: the sign-in, the document of its pages, the files, and the headers of each. */
import t from 'tap'
import { html, json } from '../../admin/shell/html.ts'
import { openShell, PASSWORD, type Answer, type Shell } from './shell.ts'

const EVIL = `</script><script>alert(1)</script><!--"'&@example.com`
const LOGIN = { method: 'POST', path: '/admin/login' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

let shell: Shell
t.before(async () => {
  shell = await openShell(t)
  await shell.sql`insert into rowbeat.users (email, password_hash, role) select lower(${EVIL}), password_hash, 'admin' from rowbeat.users limit 1`
})

/** A form as a browser sends it. */
function fill(fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
  const body = new URLSearchParams(fields).toString()
  return shell.send({ ...LOGIN, body, headers: { ...FORM, ...headers } })
}

function scriptsOf(body: string): { tag: string; text: string }[] {
  return [...body.matchAll(/<script([^>]*)>(.*?)<\/script>/gs)].map(([, tag, text]) => ({
    tag: tag!,
    text: text!.trim(),
  }))
}

t.test('values in a page are escaped, and a script cannot be ended by its data', async (t) => {
  const { html: text } = html`<p title="${EVIL}">${EVIL}</p>
    ${html`<b>${'&'}</b>`}${[html`<i></i>`]}`
  t.notMatch(text, /<script|"'|<!--/)
  t.match(text, /<b>&amp;<\/b><i><\/i>$/)
  const data = json({ [EVIL]: [EVIL, '\u2028\u2029'] }).html
  t.notMatch(data, /[<>&\u2028\u2029]/)
  t.strictSame(JSON.parse(data), { [EVIL]: [EVIL, '\u2028\u2029'] })
})

t.test('the document loads nothing from elsewhere, and only what carries its nonce', async (t) => {
  const cookie = await shell.signIn(EVIL)
  const [one, two] = [
    await shell.send({ path: '/admin', cookie }),
    await shell.send({ path: '/admin', cookie }),
  ]
  const nonceOf = ({ headers }: Answer): string =>
    /'nonce-([\w+/=]+)'/.exec(headers['content-security-policy']!)![1]!
  t.not(nonceOf(one), nonceOf(two), 'a nonce is used once')
  const { body, headers } = one
  t.notMatch(body, /https?:\/\/|\/\/\w+\.\w+\/|googleapis/)
  t.notMatch(body, '</script><script>alert(1)')
  const scripts = scriptsOf(body)
  t.ok(scripts.length >= 6)
  for (const { tag } of scripts) t.ok(tag.includes(`nonce="${nonceOf(one)}"`), tag)
  t.notMatch(body, /\son\w+=|\sstyle=|<style|javascript:/)
  t.strictSame(body.match(/<script/g)!.length, scripts.length, 'no script but those')
  const state = /window\.REDUX_STATE = (.*)/.exec(scripts[0]!.text)![1]!
  t.match(JSON.parse(state), {
    paths: { rootPath: '/admin' },
    session: { email: EVIL.toLowerCase(), role: 'admin' },
  })
  t.notMatch(body, /rbc_|password_hash/)
  t.ok(Buffer.byteLength(body) < 200_000, `${Buffer.byteLength(body)} bytes`)
  t.match(headers['cache-control'], 'no-store')
})

t.test('every answer has the headers that hold a browser back', async (t) => {
  const cookie = await shell.signIn('admin')
  const page = await shell.send({ path: '/admin', cookie })
  const policy = page.headers['content-security-policy']!.replaceAll(/nonce-[\w+/=]+/g, 'nonce-N')
  t.equal(
    policy,
    "default-src 'none'; script-src 'self' 'nonce-N'; style-src 'self' 'nonce-N' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; " +
      "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
  )
  const paths = [
    '/admin',
    '/admin/login',
    '/admin/logout',
    '/admin/v1/me',
    '/admin/nothing',
    '/admin/api/dashboard',
  ]
  const answers = await Promise.all([
    ...paths.map((path) => shell.send({ path, cookie })),
    ...paths.map((path) => shell.send({ path })),
    fill({ email: 'nobody@example.com', password: 'wrong' }),
  ])
  for (const { status, headers } of answers) {
    t.match(
      headers,
      {
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': /^(same-origin|no-referrer)$/,
        'cache-control': 'no-store',
        'x-request-id': /./,
      },
      String(status),
    )
    t.match(headers['content-security-policy'], /^default-src 'none'.*frame-ancestors 'none'/)
    t.notOk('server' in headers || 'x-powered-by' in headers)
  }
})

t.test('files are compressed, kept for good, and asked for anew when they change', async (t) => {
  const { body } = await shell.send({ path: '/admin', cookie: await shell.signIn('viewer') })
  const files = [...new Set(body.match(/\/admin\/files\/[^"]+/g))]
  t.equal(files.length, 6 + 8)
  let [sent, whole] = [0, 0]
  for (const path of files) {
    const response = await fetch(shell.base + path, { headers: { 'accept-encoding': 'gzip' } })
    const bytes = (await response.arrayBuffer()).byteLength
    const { headers } = response
    t.match(
      Object.fromEntries(headers),
      {
        'cache-control': 'public, max-age=31536000, immutable',
        vary: 'accept-encoding',
        etag: /^"\w{16}"$/,
        'content-encoding': 'gzip',
      },
      path,
    )
    t.match(
      headers.get('content-type'),
      /^((text\/(javascript|css)|application\/json); charset=utf-8|image\/svg\+xml)$/,
    )
    const isFirst = !path.endsWith('.json') || path.endsWith('/de.json')
    if (isFirst) sent += Number(headers.get('content-length'))
    if (isFirst) whole += bytes
    const again = await fetch(shell.base + path, { headers: { 'if-none-match': headers.get('etag')! } })
    t.strictSame([again.status, await again.text()], [304, ''])
    const plain = await fetch(shell.base + path, { headers: { 'accept-encoding': 'identity' } })
    t.equal((await plain.arrayBuffer()).byteLength, bytes)
  }
  t.comment(`a first visit: ${sent} bytes compressed, ${whole} without`)
  t.ok(sent < 1_500_000, `${sent}`)
  t.ok(sent + Buffer.byteLength(body) < 3_500_000)
  for (const path of [
    '/admin/files/x/app.js',
    '/admin/files/..%2f..%2fpackage.json',
    '/admin/frontend/assets/app.bundle.js',
  ])
    t.equal((await shell.send({ path })).status, 401, path)
})

t.test('the sign-in needs no script, tells what was wrong, and leads where one wanted to go', async (t) => {
  const { body, status } = await shell.send({ path: '/admin/login?next=%2Fadmin%2Fresources%2Fruns%3Fq%3Dx' })
  t.equal(status, 200)
  t.strictSame(scriptsOf(body), [])
  t.match(body, 'name="next" value="/admin/resources/runs?q=x"')
  for (const id of ['email', 'password']) t.match(body, new RegExp(`<label for="${id}">[^<]+</label>`))
  const wrong = await fill({
    email: `"><script>alert(1)</script>`,
    password: 'planted-word',
    next: '/admin/pages/problems',
  })
  t.equal(wrong.status, 401)
  t.match(wrong.body, /role="alert"/)
  t.match(wrong.body, 'value="/admin/pages/problems"')
  t.notMatch(wrong.body, /planted-word|<script/)
  t.strictSame(wrong.cookies, [])
  const right = await fill({ email: 'viewer@example.com', password: PASSWORD, next: '/admin/pages/problems' })
  t.match(right, { status: 303, headers: { location: '/admin/pages/problems' } })
  t.match(right.cookies[0], /^rowbeat_session=rbc_[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
  const cookie = right.cookies[0]!.split(';', 1)[0]!
  t.match(await shell.send({ path: '/admin/login', cookie }), {
    status: 303,
    headers: { location: '/admin' },
  })
})

t.test('it leads nowhere else', async (t) => {
  const targets = [
    'https://evil.example/admin',
    '//evil.example/admin',
    '/\\evil.example/admin',
    '/admin/../../evil',
    '/admin//../..//evil.example',
    '/administrator',
    '/admin\r\nset-cookie: x=1',
    'javascript:alert(1)',
    '/admin/logout',
    '/v1/runs',
    '',
  ]
  for (const next of targets) {
    const { body } = await shell.send({ path: `/admin/login?next=${encodeURIComponent(next)}` })
    t.match(body, 'name="next" value="/admin"', JSON.stringify(next))
  }
  const next = 'https://evil.example/admin'
  const { headers } = await fill({ email: 'viewer@example.com', password: PASSWORD, next })
  t.equal(headers.location, '/admin')
})

t.test('it speaks the language that a browser asks for, and English to others', async (t) => {
  const askedAs = async (wish: string): Promise<string[]> => {
    const { body } = await shell.send({ path: '/admin/login', headers: { 'accept-language': wish } })
    return [/<html lang="([\w-]+)"/, /<button type="submit">([^<]+)</].map((sign) => sign.exec(body)![1]!)
  }
  const wishes = ['de-CH,en;q=0.5', 'uk', 'pt', 'zh', 'xx', '*', '"><script>', 'de']
  t.strictSame(await Promise.all(wishes.map(askedAs)), [
    ['de', 'Anmelden'],
    ['uk', 'Увійти'],
    ['pt-BR', 'Entrar'],
    ['zh-CN', '登录'],
    ['en', 'Sign in'],
    ['en', 'Sign in'],
    ['en', 'Sign in'],
    ['de', 'Anmelden'],
  ])
})

t.test('who guesses is held off, here as at the API', async (t) => {
  const email = 'guessed@example.com'
  t.equal((await fill({ email, password: 'wrong' })).status, 401)
  const { count } =
    await shell.sql`update rowbeat.login_failures set blocked_until = now() + interval '1 minute' where subject like 'account:%'`
  t.ok(count > 0, 'it was counted, and the pause is made long enough to be seen')
  const api = await shell.send({ method: 'POST', path: '/v1/tokens', body: { email, password: 'wrong' } })
  t.equal(api.status, 429)
  const blocked = await fill({ email, password: 'wrong' })
  t.equal(blocked.status, 429)
  t.match(blocked.headers['retry-after'], /^\d+$/)
  t.match(blocked.body, /role="alert"/)
})

t.test('to sign out is a button, not a link', async (t) => {
  const cookie = await shell.signIn('viewer')
  const page = await shell.send({ path: '/admin/logout', cookie })
  t.match(page.body, /<form method="post" action="\/admin\/logout">/)
  t.equal((await shell.send({ path: '/admin/v1/me', cookie })).status, 200, 'the link alone did nothing')
  const headers = { ...FORM, origin: shell.base }
  const out = await shell.send({ method: 'POST', path: '/admin/logout', cookie, headers, body: '' })
  t.match(out, { status: 303, headers: { location: '/admin/login' } })
  t.match(out.cookies[0], /^rowbeat_session=; Path=\/; HttpOnly; SameSite=Lax; Max-Age=0$/)
})
