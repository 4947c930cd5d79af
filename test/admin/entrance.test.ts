/** Who is let in to the panel, by every way that was ever tried on AdminJS and its like: addresses, methods, headers, forged cookies. */
import { pino } from 'pino'
import t from 'tap'
import type { InnerRoute } from '../../admin/shell/inner.ts'
import { withSlimAdminJs } from '../../admin/shell/slim.ts'
import { ROLE_SCOPES, ROLES } from '../../src/auth/scopes.ts'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { openShell, PASSWORD, type Shell } from './shell.ts'

const LIST = '/admin/api/resources/runs/actions/list'
const SECRET = 'planted-secret'

t.setTimeout(90_000)
let shell: Shell
t.before(async () => {
  shell = await openShell(t, { trustProxy: ['127.0.0.1'] })
  await shell.rowbeat.enqueue('demo.echo', { secret: SECRET }, { tags: [SECRET] })
})

const BYPASSES: [method: string, path: string, headers?: Record<string, string>][] = [
  ['GET', LIST],
  ['GET', `${LIST}?x=/frontend/assets/app.bundle.js`],
  ['GET', `${LIST}?x=/admin/frontend/assets/logo.svg`],
  ['GET', `${LIST}?x=/admin/login`],
  ['GET', `${LIST}/app.bundle.js`],
  ['GET', `${LIST}#/admin/login`],
  ['GET', '/%61dmin/api/resources/runs/actions/list'],
  ['GET', '/admin/%61pi/resources/runs/actions/list'],
  ['GET', '/admin/api/resources/%72uns/actions/list'],
  ['GET', '//admin/api/resources/runs/actions/list'],
  ['GET', '/admin//api/resources/runs/actions/list'],
  ['GET', '/admin/..;/admin/api/resources/runs/actions/list'],
  ['GET', '/admin/login/..;/api/resources/runs/actions/list'],
  ['GET', '/admin/login/../api/resources/runs/actions/list'],
  ['GET', '/admin/login/%2e%2e/api/resources/runs/actions/list'],
  ['GET', '/admin/login;/api/resources/runs/actions/list'],
  ['GET', '/admin/files/x/../../v1/runs'],
  ['GET', '/admin/files/x/%2e%2e/%2e%2e/v1/runs'],
  ['GET', '/ADMIN/api/resources/runs/actions/list'],
  ['GET', '/admin/API/resources/runs/actions/list'],
  ['GET', '/admin./api/resources/runs/actions/list'],
  ['GET', '/admin/api/resources/runs/actions/list/'],
  ['GET', '/admin/api/resources/runs/actions/list%00'],
  ['GET', '/admin/api/resources/runs/actions/list%20'],
  ['GET', '/admin\\api\\resources\\runs\\actions\\list'],
  ['GET', 'http://127.0.0.1/admin/v1/runs'],
  ['GET', '/admin/v1/runs'],
  ['GET', '/admin/v1/runs?x=/frontend/assets/app.bundle.js'],
  ['GET', '/%61dmin/v1/runs'],
  ['GET', '/admin/v1/%72uns'],
  ['GET', '/admin//v1/runs'],
  ['GET', '/admin/v1/runs;x=.css'],
  ['GET', '/admin/v1/runs/.css'],
  ['HEAD', '/admin/v1/runs'],
  ['OPTIONS', '/admin/v1/runs'],
  ['TRACE', '/admin/v1/runs'],
  ['POST', '/admin/v1/runs', { 'x-http-method-override': 'GET' }],
  ['POST', '/admin/login?_method=GET', { 'x-http-method-override': 'GET' }],
  ['GET', '/admin/login', { 'x-original-url': '/admin/v1/runs', 'x-rewrite-url': '/admin/v1/runs' }],
  ['GET', '/admin/v1/runs', { 'x-original-url': '/admin/login', 'x-rewrite-url': '/admin/login' }],
  ['GET', '/admin/v1/runs', { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' }],
  ['GET', '/admin/v1/runs', { authorization: 'Bearer rb_nothing', 'x-forwarded-user': 'admin' }],
  ['GET', '/admin', { 'sec-fetch-site': 'same-origin', referer: '/admin' }],
  ['GET', '/admin/resources/runs'],
  ['GET', '/admin/pages/problems?x=/frontend/assets/app.bundle.js'],
  ['POST', '/admin/api/resources/schedules/actions/new?x=/frontend/assets/app.bundle.js'],
  ['POST', '/admin/api/resources/schedules/records/1/delete?x=/frontend/assets/logo.svg'],
  ['POST', '/%61dmin/api/resources/schedules/records/1/edit'],
  ['POST', '/admin/logout'],
]

t.test('nobody gets in by how an address is written', async (t) => {
  for (const [method, path, headers] of BYPASSES) {
    const answer = await shell.send({ method, path, headers })
    const isSignIn = path.startsWith('/admin/login') && [200, 401, 415, 422].includes(answer.status)
    t.ok([303, 400, 401, 404].includes(answer.status) || isSignIn, `${method} ${path}: ${answer.status}`)
    t.notMatch(answer.body, SECRET)
    if (answer.status === 303) t.match(answer.headers.location, /^\/admin\/login\?next=/)
  }
})

t.test('a key of the API opens no page, and a cookie of the panel no API', async (t) => {
  const cookie = await shell.signIn('admin')
  const value = cookie.split('=')[1]!
  t.equal((await shell.send({ path: '/v1/runs', cookie })).status, 401)
  t.equal((await shell.send({ path: '/v1/runs', headers: { authorization: `Bearer ${value}` } })).status, 401)
  const refresh = { refresh_token: value }
  t.equal((await shell.send({ method: 'POST', path: '/v1/tokens:refresh', body: refresh })).status, 401)
  const tokens = await shell.send({
    method: 'POST',
    path: '/v1/tokens',
    body: { email: 'admin@example.com', password: PASSWORD },
  })
  const { access_token, refresh_token } = JSON.parse(tokens.body) as Record<string, string>
  for (const token of [access_token, refresh_token]) {
    t.equal((await shell.send({ path: '/admin/v1/me', cookie: `rowbeat_session=${token}` })).status, 401)
    const headers = { authorization: `Bearer ${token}` }
    t.equal((await shell.send({ path: '/admin/v1/me', headers })).status, 401)
  }
})

t.test('cookies that are none of ours open nothing', async (t) => {
  const cookie = await shell.signIn('admin')
  const [name, value] = cookie.split('=') as [string, string]
  const changed = value.slice(0, -1) + (value.endsWith('A') ? 'B' : 'A')
  const forged = [
    '',
    'null',
    'rbc_',
    `rbc_${'A'.repeat(43)}`,
    changed,
    `${value}A`,
    value.toUpperCase(),
    `"${value}"`,
    encodeURIComponent(JSON.stringify({ adminUser: { email: 'admin@example.com' } })),
    "rbc_' or 1=1 --",
    '\u0000'.repeat(5),
    'x'.repeat(8000),
  ].map((one) => `${name}=${one}`)
  forged.push(
    `${name}X=${value}`,
    `__Host-${name}=${value}`,
    `${name.toUpperCase()}=${value}`,
    `adminjs=${value}`,
    // Of two of a name, one was planted.
    `${cookie}; ${name}=rbc_${'A'.repeat(43)}`,
    `${name}=rbc_${'A'.repeat(43)}; ${cookie}`,
  )
  for (const one of forged)
    t.ok(
      [400, 401, 431].includes((await shell.send({ path: '/admin/v1/me', cookie: one })).status),
      JSON.stringify(one).slice(0, 60),
    )
  t.equal((await shell.send({ path: '/admin/v1/me', cookie })).status, 200)
})

/** Every address there is, as the panel itself has them. */
async function listRoutes(): Promise<readonly InnerRoute[]> {
  const { sql } = await setup(t)
  const rowbeat = createRowbeat({ db: sql, tasks: [] })
  const inner = await withSlimAdminJs(async () => {
    const { createInner } = await import('../../admin/shell/inner.ts')
    return await createInner({ rowbeat, root: '/admin', logger: pino({ level: 'silent' }) })
  })
  await inner.close()
  await rowbeat.close()
  return inner.routes
}

const ID = '01890a5d-ac96-774b-bcce-b302099a8057'
const addressOf = (url: string): string =>
  url
    .replaceAll(/:id(\([^)]*\))?/g, ID)
    .replaceAll('::', '\u0000')
    .replaceAll(/:\w+(\([^)]*\))?/g, 'nothing')
    .replaceAll('\u0000', ':')

t.test('every address is closed to strangers, and open to a role as far as its scopes go', async (t) => {
  const routes = await listRoutes()
  t.ok(routes.length > 100, `${routes.length} addresses`)
  const cookies = Object.fromEntries(
    await Promise.all(ROLES.map(async (role) => [role, await shell.signIn(role)] as const)),
  )
  const isOpen = ({ entrance }: InnerRoute): boolean => entrance === 'file' || entrance === 'login'
  t.strictSame(
    routes
      .filter((one) => isOpen(one) && one.method !== 'HEAD')
      .map(({ method, url }) => `${method} ${url.replace(/files\/\w+/, 'files/…')}`),
    [
      'GET /admin/files/…/global.js',
      'GET /admin/files/…/design-system.js',
      'GET /admin/files/…/app.js',
      'GET /admin/files/…/panel.js',
      'GET /admin/files/…/panel.css',
      'GET /admin/files/…/login.css',
      'GET /admin/files/…/icon.svg',
      ...['de', 'es', 'it', 'ja', 'pl', 'pt-BR', 'ua', 'zh-CN'].map(
        (tag) => `GET /admin/files/…/${tag}.json`,
      ),
      'GET /admin/login',
      'POST /admin/login',
    ],
    'what is open, and nothing else',
  )
  const closed = routes.filter((one) => !isOpen(one))
  const wrong = `rowbeat_session=rbc_${'A'.repeat(43)}`
  for (const { method, url, scope, entrance } of closed) {
    const path = addressOf(url)
    const what = `${method} ${url}`
    for (const cookie of [undefined, wrong]) {
      const { status, body } = await shell.send({ method, path, cookie, headers: { origin: shell.base } })
      t.ok(status === 401 || (entrance === 'page' && status === 303), `${what} as nobody: ${status}`)
      t.notMatch(body, SECRET)
    }
    if (scope === null || url.endsWith('/logout')) continue
    for (const role of ['viewer', 'operator'] as const) {
      if (ROLE_SCOPES[role].includes(scope)) continue
      const { status } = await shell.send({
        method,
        path,
        cookie: cookies[role],
        headers: { origin: shell.base },
      })
      t.equal(status, 403, `${what} as ${role}, who lacks ${scope}`)
    }
  }
})

t.test('a role that may, gets through', async (t) => {
  const cookie = await shell.signIn('viewer')
  for (const path of ['/admin', '/admin/', '/admin/pages/problems', '/admin/v1/me', '/admin/v1/runs'])
    t.equal((await shell.send({ path, cookie })).status, 200, path)
  const { body } = await shell.send({ path: '/admin/v1/me', cookie })
  t.match(JSON.parse(body), { kind: 'user', name: 'viewer@example.com', role: 'viewer' })
  t.equal((await shell.send({ path: '/admin/v1/keys', cookie })).status, 403)
  const list = await shell.send({ path: LIST, cookie })
  t.strictSame([list.status, JSON.parse(list.body).records[0]?.params.task], [200, 'demo.echo'])
  for (const path of [
    '/admin/api/resources/keys/actions/list',
    '/admin/api/resources/users/actions/search?query=a',
    '/admin/api/resources/audit/actions/list',
    '/admin/api/resources/schedules/actions/new',
  ])
    t.equal((await shell.send({ path, cookie })).status, 403, path)
  for (const path of [
    '/admin/api/resources/nothing/actions/list',
    '/admin/api/resources/runs/actions/constructor',
  ])
    t.equal((await shell.send({ path, cookie })).status, 404, path)
  for (const path of [
    '/admin/pages/nothing',
    '/admin/resources/nothing',
    '/admin/nothing',
    '/admin/healthz',
    '/admin/docs',
  ])
    t.equal((await shell.send({ path, cookie })).status, 404, path)
})

const FOREIGN: [why: string, headers: Record<string, string>][] = [
  [
    'another site',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', origin: 'https://evil.example' },
  ],
  ['a form of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }],
  ['another host of this site', { 'sec-fetch-site': 'same-site' }],
  ['the address bar', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }],
  ['an old browser, another site', { origin: 'https://evil.example' }],
  ['a page without origin', { origin: 'null' }],
  ['another port', { origin: 'http://127.0.0.1:1' }],
  ['a host that begins like ours', { origin: 'http://127.0.0.1.evil.example' }],
  ['only a referer, another site', { referer: 'https://evil.example/?http://127.0.0.1/admin' }],
  ['a liar about the site', { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }],
  ['nothing that says whence', {}],
]

t.test('what another site makes a browser send changes nothing', async (t) => {
  const cookie = await shell.signIn('admin')
  const before =
    await shell.sql`select count(*)::int as n from rowbeat.audit_log where via = 'panel' and action <> 'session.begin'`
  const bodies: [type: string, body: string][] = [
    ['application/json', '{"reason":"x"}'],
    ['text/plain', '{"reason":"x"}'],
    ['application/x-www-form-urlencoded', 'reason=x'],
  ]
  for (const [why, headers] of FOREIGN)
    for (const [type, body] of bodies)
      for (const path of [
        '/admin/v1/queues/default:pause',
        '/admin/api/resources/schedules/actions/new',
        '/admin/logout',
      ]) {
        const answer = await shell.send({
          method: 'POST',
          path,
          cookie,
          body,
          headers: { 'content-type': type, ...headers },
        })
        t.equal(answer.status, 403, `${why}, ${type}: ${path}`)
        t.strictSame(answer.cookies, [])
      }
  for (const [why, headers] of FOREIGN.slice(0, -2)) {
    if (headers.referer) continue
    for (const path of ['/admin/v1/runs', '/admin/api/dashboard'])
      t.equal((await shell.send({ path, cookie, headers })).status, 403, `${why} reads ${path}`)
    const body = { email: 'admin@example.com', password: PASSWORD }
    const answer = await shell.send({ method: 'POST', path: '/admin/login', body, headers })
    t.equal(answer.status, 403, `${why} signs somebody in`)
    t.strictSame(answer.cookies, [])
  }
  const after =
    await shell.sql`select count(*)::int as n from rowbeat.audit_log where via = 'panel' and action <> 'session.begin'`
  t.strictSame(after[0], before[0], 'nothing was done')
})

t.test(
  'what a page of ours sends is taken, in browsers that say whence and in those that do not',
  async (t) => {
    const cookie = await shell.signIn('operator')
    const own: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', origin: shell.base },
      { origin: shell.base },
      { referer: `${shell.base}/admin/resources/queues` },
    ]
    for (const headers of own) {
      const ask = {
        method: 'POST',
        path: '/admin/v1/queues/default:pause',
        cookie,
        body: { reason: 'held' },
        headers,
      }
      t.equal((await shell.send(ask)).status, 200, JSON.stringify(headers))
    }
    const [row] =
      await shell.sql`select actor, via, address, reason, request_id from rowbeat.audit_log where action = 'queue.pause' order by id desc limit 1`
    t.match(row, {
      actor: 'operator@example.com',
      via: 'panel',
      address: '127.0.0.1',
      reason: 'held',
      request_id: /./,
    })
    const download = {
      'sec-fetch-site': 'same-origin',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    }
    t.equal(
      (await shell.send({ path: '/admin/v1/runs', cookie, headers: download })).status,
      200,
      'a download',
    )
    t.equal((await shell.send({ path: '/admin/api/dashboard', cookie, headers: download })).status, 403)
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    t.equal(
      (await shell.send({ path: '/admin', cookie, headers: link })).status,
      200,
      'a link from elsewhere to a page',
    )
  },
)

t.test('behind a proxy, whence and how somebody comes is what the proxy says', async (t) => {
  const headers = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'jobs.example',
    'x-forwarded-for': '192.0.2.9',
  }
  const body = { email: 'admin@example.com', password: PASSWORD }
  const { status, cookies } = await shell.send({ method: 'POST', path: '/admin/login', headers, body })
  t.equal(status, 200)
  t.match(cookies[0], /^__Host-rowbeat_session=rbc_[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/)
  const cookie = cookies[0]!.split(';', 1)[0]!
  t.equal((await shell.send({ path: '/admin/v1/me', headers, cookie })).status, 200)
  t.equal((await shell.send({ path: '/admin/v1/me', cookie })).status, 401, 'not without TLS')
  const pause = { method: 'POST', path: '/admin/v1/queues/default:resume', cookie }
  const own = { ...headers, origin: 'https://jobs.example' }
  t.equal((await shell.send({ ...pause, headers: own })).status, 200)
  t.equal((await shell.send({ ...pause, headers: { ...headers, origin: shell.base } })).status, 403)
  const [row] =
    await shell.sql`select address from rowbeat.audit_log where action = 'queue.resume' order by id desc limit 1`
  t.equal(row!.address, '192.0.2.9')
})

t.test('it ends with the sign-in', async (t) => {
  const { sql, send, base } = shell
  const status = async (cookie: string): Promise<number> =>
    (await send({ path: '/admin/v1/me', cookie })).status
  const own = (email: string) => sql`(select id from rowbeat.users where email = ${email})`
  const endings: Record<string, (email: string, cookie: string) => Promise<unknown>> = {
    idle: (email) =>
      sql`update rowbeat.sessions set used_at = now() - interval '31 minutes' where user_id = ${own(email)}`,
    old: (email) =>
      sql`update rowbeat.sessions set created_at = now() - interval '13 hours' where user_id = ${own(email)}`,
    demoted: (email) => sql`update rowbeat.users set role = 'viewer' where email = ${email}`,
    'other-password': (email) =>
      sql`update rowbeat.users set password_hash = password_hash || '=' where email = ${email}`,
    'signed-out': (_email, cookie) =>
      send({ method: 'POST', path: '/admin/logout', cookie, headers: { origin: base } }),
    disabled: (email) => sql`update rowbeat.users set disabled_at = now() where email = ${email}`,
    gone: (email) => sql`delete from rowbeat.users where email = ${email}`,
    bystander: async () => {},
  }
  await sql`insert into rowbeat.users (email, password_hash, role) select n || '@example.com', u.password_hash, u.role
    from unnest(${Object.keys(endings)}::text[]) n, rowbeat.users u where u.email = 'operator@example.com'`
  const people: { why: string; end: (typeof endings)[string]; email: string; cookie: string }[] = []
  for (const [why, end] of Object.entries(endings)) {
    const email = `${why}@example.com`
    people.push({ why, end, email, cookie: await shell.signIn(email) })
  }
  for (const { why, cookie } of people) t.equal(await status(cookie), 200, why)
  for (const { end, email, cookie } of people) await end(email, cookie)
  for (const { why, cookie } of people.slice(0, -1))
    await until(why, async () => (await status(cookie)) === 401, { timeout: 3000 })
  await sql`update rowbeat.users set role = 'operator', disabled_at = null where email in ('demoted@example.com', 'disabled@example.com')`
  for (const { why, cookie } of people)
    t.equal(await status(cookie), why === 'bystander' ? 200 : 401, `${why}, for good`)
})

t.test('whoever signs in gets a new cookie, and the one he came with is over', async (t) => {
  const planted = `rbc_${'P'.repeat(43)}`
  const cookie = await shell.signIn('operator', { cookie: `rowbeat_session=${planted}` })
  t.not(cookie.split('=')[1], planted)
  t.equal((await shell.send({ path: '/admin/v1/me', cookie: `rowbeat_session=${planted}` })).status, 401)
  const second = await shell.signIn('operator', { cookie })
  t.not(second, cookie)
  await until(
    'the first is over',
    async () => (await shell.send({ path: '/admin/v1/me', cookie })).status === 401,
  )
  const dump = JSON.stringify(
    await shell.sql`select s.*, encode(cookie_hash, 'base64') from rowbeat.sessions s`,
  )
  t.notMatch(dump, second.split('=')[1]!, 'the database does not know it')
})

t.test('use keeps a sign-in alive, and is written once a minute at most', async (t) => {
  const { sql } = shell
  const cookie = await shell.signIn('viewer')
  const who = sql`user_id = (select id from rowbeat.users where email = 'viewer@example.com') and ended_at is null`
  await sql`update rowbeat.sessions set used_at = now() - interval '29 minutes' where ${who}`
  const age = async (): Promise<number> =>
    (
      await sql`select extract(epoch from now() - max(used_at))::float8 as age from rowbeat.sessions where ${who}`
    )[0]!.age
  for (let n = 0; n < 3; n++)
    await shell.send({ path: '/admin/v1/me', cookie, headers: { 'rowbeat-unattended': '1' } })
  t.ok((await age()) > 60, 'nobody sat there')
  await until('it was noted', async () => {
    await shell.send({ path: '/admin/v1/me', cookie })
    return (await age()) < 60
  })
  const [{ xmin }] =
    (await sql`select max(used_at)::text as xmin from rowbeat.sessions where ${who}`) as unknown as [
      { xmin: string },
    ]
  await shell.send({ path: '/admin/v1/me', cookie })
  t.equal((await sql`select max(used_at)::text as xmin from rowbeat.sessions where ${who}`)[0]!.xmin, xmin)
})

t.test('a stream ends with the sign-in it was opened by', async (t) => {
  const cookie = await shell.signIn('viewer')
  const response = await fetch(`${shell.base}/admin/v1/live`, {
    headers: { cookie },
    signal: AbortSignal.timeout(10_000),
  })
  t.match([response.status, response.headers.get('content-type')], [200, /^text\/event-stream/])
  await shell.send({ method: 'POST', path: '/admin/logout', cookie, headers: { origin: shell.base } })
  t.type(await response.text(), 'string', 'it came to its end')
})
