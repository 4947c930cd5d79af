/** Signing in over REST: tokens, their rotation and end, and tokens that somebody made himself. */
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import t from 'tap'
import { hashPassword } from '../../src/auth/password.ts'
import { saveUser } from '../../src/db/statements/users.ts'
import { until } from '../helpers/wait.ts'
import { signIn } from './people.ts'
import { serve } from './world.ts'

const world = await serve(t)
const { call, db, sql } = world
const PASSWORD = 'nine green bottles'
await saveUser(db, { email: 'ann@example.com', passwordHash: await hashPassword(PASSWORD), role: 'operator' })
const as = (key: string) => ({ key })
const me = async (key: string): Promise<number> => (await call('GET', '/v1/me', undefined, as(key))).status

t.test('an e-mail address and its password give tokens that are good for what the role may do', async (t) => {
  const answer = await call(
    'POST',
    '/v1/tokens',
    { email: 'Ann@Example.com', password: PASSWORD },
    { key: null },
  )
  t.equal(answer.status, 200, answer.text)
  t.match(answer.json, { token_type: 'Bearer', expires_in: 900, refresh_token: /^rbr_/, scope: /runs:write/ })
  t.equal(answer.headers['cache-control'], 'no-store')
  const token = answer.json.access_token as string
  const who = await call('GET', '/v1/me', undefined, as(token))
  t.match(who.json, { kind: 'user', name: 'ann@example.com', role: 'operator' })
  t.equal((await call('POST', '/v1/runs', { task: 'demo.echo' }, as(token))).status, 202)
  t.equal((await call('GET', '/v1/users', undefined, as(token))).status, 403)
  const [claims] = token.split('.').slice(1)
  t.match(JSON.parse(Buffer.from(claims!, 'base64url').toString()), {
    iss: 'rowbeat',
    aud: 'rowbeat:api',
    sub: who.json.id,
    jti: /./,
  })
})

t.test('who is unknown, wrong or disabled is answered the same', async (t) => {
  await saveUser(db, { email: 'off@example.com', passwordHash: await hashPassword(PASSWORD), role: 'viewer' })
  await sql`update rowbeat.users set disabled_at = now() where email = 'off@example.com'`
  const answers = []
  const work: number[] = []
  for (const [email, password] of [
    ['nobody@example.com', PASSWORD],
    ['ann@example.com', 'nine brown bottles'],
    ['off@example.com', PASSWORD],
  ]) {
    const began = process.cpuUsage()
    answers.push(await call('POST', '/v1/tokens', { email, password }, { key: null }))
    work.push(process.cpuUsage(began).user)
  }
  const told = answers.map(({ status, json }) => ({ ...json, status, request_id: '' }) as object)
  t.strictSame(told, [told[0], told[0], told[0]])
  t.match(told[0], { status: 401, code: 'RB_LOGIN_INVALID' })
  // A password that is not compared costs a fiftieth. How like they are, `npm run torture -- login-times` measures.
  t.ok(Math.min(...work) > Math.max(...work) / 4, `processor time: ${work.join(', ')} us`)
  const shapeless = await call('POST', '/v1/tokens', { email: 'ann@example.com', pass: 1 }, { key: null })
  t.match(shapeless.json, { status: 422, errors: [{ pointer: '/pass' }, { pointer: '/password' }] })
  t.equal((await call('POST', '/v1/tokens', undefined, { key: null })).status, 422)
})

t.test('a refresh token is spent at its use; one that comes again ends the sign-in', async (t) => {
  const { refreshToken, accessToken } = await signIn(db, 'viewer')
  const refresh = async (token: string) =>
    await call('POST', '/v1/tokens:refresh', { refresh_token: token }, { key: null })
  const second = await refresh(refreshToken)
  t.equal(second.status, 200, second.text)
  t.not(second.json.refresh_token, refreshToken)
  const third = await refresh(second.json.refresh_token as string)
  t.equal(third.status, 200)
  t.equal(await me(third.json.access_token as string), 200)
  t.match((await refresh(refreshToken)).json, { status: 401, code: 'RB_TOKEN_INVALID' })
  t.equal((await refresh(third.json.refresh_token as string)).status, 401, 'also for who has the latest')
  await until('the access token is over too', async () => (await me(accessToken)) === 401, { timeout: 1500 })
  t.equal(await me(third.json.access_token as string), 401)
  t.equal((await refresh(accessToken)).status, 401, 'an access token refreshes nothing')
  t.equal((await refresh('x')).status, 401)
  const [row] = await sql`select end_reason from rowbeat.sessions where ended_at is not null`
  t.equal(row!.end_reason, 'reused')
  const [audit] = await sql`select action, target_kind from rowbeat.audit_log where action = 'session.reused'`
  t.strictSame({ ...audit }, { action: 'session.reused', target_kind: 'user' })
})

t.test(
  'of those that refresh with one token at the same moment one at most gets through, and the sign-in is over',
  async (t) => {
    const { refreshToken, session } = await signIn(db, 'viewer')
    const answers = await Promise.all(
      [1, 2, 3].map(() => call('POST', '/v1/tokens:refresh', { refresh_token: refreshToken }, { key: null })),
    )
    t.ok(answers.filter(({ status }) => status === 200).length <= 1)
    const [row] = await sql`select end_reason from rowbeat.sessions where id = ${session.id}`
    t.equal(row!.end_reason, 'reused')
  },
)

t.test('a refresh token is over after 14 days of rest, or 60 days in all', async (t) => {
  for (const [column, days] of [
    ['used_at', 15],
    ['created_at', 61],
  ] as const) {
    const { refreshToken, session } = await signIn(db, 'viewer')
    const back = days * 86_400
    await sql`update rowbeat.sessions set ${sql(column)} = now() - ${back} * interval '1 second' where id = ${session.id}`
    const answer = await call('POST', '/v1/tokens:refresh', { refresh_token: refreshToken }, { key: null })
    t.equal(answer.status, 401, column)
  }
})

t.test('signing out, a new role or password, and being disabled count within a second', async (t) => {
  const out = await signIn(db, 'viewer', 'out@example.com')
  const demoted = await signIn(db, 'operator', 'demoted@example.com')
  const renewed = await signIn(db, 'viewer', 'renewed@example.com')
  const disabled = await signIn(db, 'viewer', 'disabled@example.com')
  const gone = await signIn(db, 'viewer', 'gone@example.com')
  const all = [out, demoted, renewed, disabled, gone]
  for (const { accessToken } of all) t.equal(await me(accessToken), 200)
  const ended = await call('POST', '/v1/tokens:revoke', { refresh_token: out.refreshToken }, { key: null })
  t.equal(ended.status, 204)
  t.equal((await call('PATCH', `/v1/users/${demoted.id}`, { role: 'viewer' })).status, 200)
  t.equal((await call('PATCH', `/v1/users/${renewed.id}`, { password: 'ten green bottles' })).status, 200)
  t.equal((await call('PATCH', `/v1/users/${disabled.id}`, { disabled: true })).status, 200)
  t.equal((await call('DELETE', `/v1/users/${gone.id}`)).status, 204)
  const began = performance.now()
  for (const { accessToken, email } of all)
    await until(`${email} is out`, async () => (await me(accessToken)) === 401, { timeout: 1000 })
  t.ok(performance.now() - began < 1100)
  for (const { refreshToken } of all)
    t.equal(
      (await call('POST', '/v1/tokens:refresh', { refresh_token: refreshToken }, { key: null })).status,
      401,
    )
  const unknown = await call('POST', '/v1/tokens:revoke', { refresh_token: 'x' }, { key: null })
  t.equal(unknown.status, 204, 'of a token that is unknown nothing is said')
})

t.test('tokens that somebody made himself are refused', async (t) => {
  const { accessToken } = await signIn(db, 'viewer', 'forger@example.com')
  t.equal(await me(accessToken), 200)
  const [head, body, signature] = accessToken.split('.') as [string, string, string]
  const read = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  const write = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  const [{ value }] = await sql<
    [{ value: Buffer }]
  >`select value from rowbeat.secrets where name = 'access_token'`
  /** Signed with our own key: only what it says is wrong. */
  const ours = (header: object, claims: object): string => {
    const text = `${write({ ...read(head), ...header })}.${write({ ...read(body), ...claims })}`
    return `${text}.${createHmac('sha256', value).update(text).digest('base64url')}`
  }
  const by = (key: Buffer | string, header: object, claims: object = {}): string => {
    const text = `${write({ ...read(head), ...header })}.${write({ ...read(body), ...claims })}`
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  }
  t.equal(await me(ours({}, {})), 200, 'the forger knows how')
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string
  const rsaText = `${write({ ...read(head), alg: 'RS256', jwk: pair.publicKey.export({ format: 'jwk' }) })}.${body}`
  const seconds = Math.floor(Date.now() / 1000)
  const admin = { ...read(body), role: 'admin' }
  const forged: Record<string, string> = {
    'alg none, no signature': `${write({ ...read(head), alg: 'none' })}.${body}.`,
    'alg None with the old signature': `${write({ ...read(head), alg: 'None' })}.${body}.${signature}`,
    'signed with a public key as secret': by(publicKey, {}),
    'RS256 with a key it brings along': `${rsaText}.${sign('sha256', Buffer.from(rsaText), pair.privateKey).toString('base64url')}`,
    'HS512 with our key': (() => {
      const text = `${write({ ...read(head), alg: 'HS512' })}.${body}`
      return `${text}.${createHmac('sha512', value).update(text).digest('base64url')}`
    })(),
    'another issuer': ours({}, { iss: 'https://elsewhere.example' }),
    'another audience': ours({}, { aud: 'rowbeat:panel' }),
    expired: ours({}, { exp: seconds - 60 }),
    'not yet valid': ours({}, { nbf: seconds + 600 }),
    'without an end': ours({}, { exp: undefined }),
    'a role of its own choice': `${head}.${write(admin)}.${signature}`,
    'a version of its own choice': ours({}, { ver: 99 }),
    'a sign-in that never was': ours({}, { sid: randomUUID() }),
    'a sign-in that is no id': ours({}, { sid: "' or true --" }),
    'another kind of token': ours({ typ: 'JWT' }, {}),
    'a kid that is a path': by('', { kid: '../../dev/null' }),
    'a kid that is SQL': by('x', { kid: "x' union select 'x" }),
    'a jku elsewhere': by('x', { jku: 'http://127.0.0.1:9/keys', kid: 'elsewhere' }),
    'crit that nobody knows': ours({ crit: ['rowbeat'], rowbeat: true }, {}),
    'an empty signature': `${head}.${body}.`,
    'no signature': `${head}.${body}`,
    'a truncated signature': accessToken.slice(0, -1),
    'another signature': `${head}.${body}.${'A'.repeat(43)}`,
    'two bodies': `${head}.${body}.${body}.${signature}`,
  }
  for (const [what, token] of Object.entries(forged)) {
    const answer = await call('GET', '/v1/me', undefined, as(token))
    t.equal(answer.status, 401, what)
    t.match(String(answer.headers['www-authenticate']), /invalid_token/, what)
  }
  t.equal(await me(accessToken), 200, 'ours is good all the while')
})

t.test('a new signing key counts at once, and the old tokens are over', async (t) => {
  const before = await signIn(db, 'viewer', 'before@example.com')
  t.equal(await me(before.accessToken), 200)
  await sql`delete from rowbeat.secrets`
  const after = await signIn(db, 'viewer', 'after@example.com')
  await until('the new key is known', async () => (await me(after.accessToken)) === 200, { timeout: 3000 })
  t.equal(await me(before.accessToken), 401)
})

t.test('ROWBEAT_SECRET signs instead of the database, and a weak one is refused', async (t) => {
  const secret = 'a secret of more than thirty-two characters'
  const other = await serve(t, { secret })
  const { refreshToken } = await signIn(other.db, 'viewer')
  await other.sql`delete from rowbeat.secrets`
  const answer = await other.call(
    'POST',
    '/v1/tokens:refresh',
    { refresh_token: refreshToken },
    { key: null },
  )
  t.equal((await other.call('GET', '/v1/me', undefined, as(answer.json.access_token as string))).status, 200)
  t.equal((await other.sql`select from rowbeat.secrets`).length, 0)
  const { createAccessTokens } = await import('../../src/auth/tokens.ts')
  for (const weak of ['short', 'abababababababababababababababababababab'])
    t.throws(() => createAccessTokens(db, weak), { code: 'RB_CONFIG_INVALID' })
})
