/** /v1/keys and /v1/users: nobody gives what he has not, a secret is told once, and a revoke counts within a second. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { isPassword } from '../../src/auth/password.ts'
import { until } from '../helpers/wait.ts'
import { signIn } from './people.ts'
import { serve } from './world.ts'

const world = await serve(t)
const { call, issue, db, sql } = world
const pointers = (json: { errors?: { pointer: string }[] }): string[] =>
  json.errors!.map(({ pointer }) => pointer)

t.test(
  'a key is told once, works, is listed without it, and is refused a second after it is revoked',
  async (t) => {
    const body = { name: 'billing', scopes: ['runs:read', 'runs:write'], expires_in: '90 days' }
    const made = await call('POST', '/v1/keys', body)
    t.equal(made.status, 201, made.text)
    t.equal(made.headers.location, `/v1/keys/${made.json.id}`)
    const { key, ...known } = made.json
    t.match(known, {
      name: 'billing',
      scopes: body.scopes,
      created_by: 'a test',
      last_used_at: null,
      revoked_at: null,
    })
    t.ok(key.startsWith(known.prefix))
    t.ok(Math.abs(Date.parse(known.expires_at) - Date.now() - 90 * 86_400_000) < 60_000)
    t.equal((await call('GET', '/v1/runs', undefined, { key })).status, 200)
    t.match((await call('GET', '/v1/me', undefined, { key })).json, {
      kind: 'key',
      id: known.id,
      role: null,
      scopes: body.scopes,
    })
    const read = await call('GET', `/v1/keys/${known.id}`)
    t.strictSame(Object.keys(read.json).toSorted(), Object.keys(known).toSorted())
    t.notMatch((await call('GET', '/v1/keys')).text, key)
    await until('its use is noted', async () => (await call('GET', `/v1/keys/${known.id}`)).json.last_used_at)
    t.equal((await call('DELETE', `/v1/keys/${known.id}`)).status, 204)
    await until(
      'it is refused',
      async () => (await call('GET', '/v1/runs', undefined, { key })).status === 401,
      { timeout: 1000 },
    )
    t.equal((await call('DELETE', `/v1/keys/${known.id}`)).status, 204, 'revoked it stays')
    const ids = async (query: string): Promise<string[]> =>
      (await call('GET', `/v1/keys${query}`)).json.items.map(({ id }: { id: string }) => id)
    t.ok((await ids('?live=false')).includes(known.id))
    t.notOk((await ids('?live=true')).includes(known.id))
  },
)

t.test('nobody makes a key that may do more than he', async (t) => {
  const { key } = await issue(['keys:write', 'runs:read'])
  const make = async (scopes: string[]) => await call('POST', '/v1/keys', { name: 'x', scopes }, { key })
  t.equal((await make(['runs:read'])).status, 201)
  const refused = await make(['runs:read', 'runs:write'])
  t.match(refused.json, { status: 403, code: 'RB_SCOPE_MISSING', detail: /cannot give runs:write/ })
  t.equal((await make(['*'])).status, 403)
  t.equal((await sql`select from rowbeat.api_keys where name = 'x'`).length, 1)
})

t.test('a key that is not understood is refused with every wrong place', async (t) => {
  const wrong: [unknown, string[]][] = [
    [{}, ['/name', '/scopes']],
    [{ name: '', scopes: [], owner: 'x' }, ['/name', '/scopes', '/owner']],
    [{ name: 'x', scopes: ['runs:fly'] }, ['/scopes']],
    [{ name: 'x', scopes: ['runs:read', 'runs:read'] }, ['/scopes']],
    [{ name: 'x', scopes: ['*'], expires_at: '2020-01-01T00:00:00Z' }, ['/expires_at']],
    [{ name: 'x', scopes: ['*'], expires_at: '2099-01-01T00:00:00Z', expires_in: 5 }, ['/expires_in']],
    [{ name: 'x', scopes: ['*'], expires_in: 0 }, ['/expires_in']],
    [{ name: 'a\u0000b', scopes: ['*'] }, ['/name']],
    [[], ['']],
  ]
  for (const [body, where] of wrong) {
    const answer = await call('POST', '/v1/keys', body)
    t.equal(answer.status, 422, JSON.stringify(body))
    t.strictSame(pointers(answer.json), where, JSON.stringify(body))
  }
  t.equal((await call('GET', `/v1/keys/${randomUUID()}`)).json.code, 'RB_KEY_NOT_FOUND')
  t.equal((await call('DELETE', '/v1/keys/x')).status, 404)
})

t.test('lists have pages', async (t) => {
  for (const path of ['/v1/keys', '/v1/users']) {
    const all = (await call('GET', `${path}?limit=500`)).json.items.map(({ id }: { id: string }) => id)
    const seen: string[] = []
    let next = ''
    do {
      const page = await call('GET', `${path}?limit=1${next && `&cursor=${next}`}`)
      seen.push(...page.json.items.map(({ id }: { id: string }) => id))
      next = page.json.next as string
    } while (next)
    t.strictSame(seen, all)
  }
})

t.test('an account is made with a password, or with one that is told once', async (t) => {
  const made = await call('POST', '/v1/users', { email: 'Oksana@Example.com', role: 'operator' })
  t.equal(made.status, 201, made.text)
  t.match(made.json, {
    email: 'oksana@example.com',
    role: 'operator',
    disabled_at: null,
    created_by: 'a test',
  })
  const [row] = await sql`select password_hash from rowbeat.users where id = ${made.json.id as string}`
  t.ok(await isPassword(made.json.password as string, row!.password_hash as string))
  t.notMatch((await call('GET', `/v1/users/${made.json.id}`)).text, /password|hash/)
  const twin = await call('POST', '/v1/users', {
    email: 'OKSANA@example.com',
    role: 'viewer',
    password: 'nine green bottles',
  })
  t.match(twin.json, { status: 409, code: 'RB_USER_DUPLICATE' })
  for (const [body, where] of [
    [{ email: 'x', role: 'god' }, ['/email', '/role']],
    [{ email: 'x@y', role: 'viewer', password: 'password1234' }, ['/password']],
    [{ email: 'somebody@example.com', role: 'viewer', password: 'somebody@example.com' }, ['/password']],
    [{ role: 'viewer' }, ['/email']],
  ] as const) {
    const answer = await call('POST', '/v1/users', body)
    t.equal(answer.status, 422, JSON.stringify(body))
    t.strictSame(pointers(answer.json), where)
  }
  const edit = await call('PATCH', `/v1/users/${made.json.id}`, { role: 'viewer', disabled: true })
  t.match(edit.json, { role: 'viewer', disabled_at: /Z$/ })
  t.match((await call('PATCH', `/v1/users/${made.json.id}`, { disabled: false })).json, { disabled_at: null })
  t.equal((await call('PATCH', `/v1/users/${made.json.id}`, { password: 'qwerty123456' })).status, 422)
  t.equal((await call('PATCH', `/v1/users/${randomUUID()}`, {})).json.code, 'RB_USER_NOT_FOUND')
})

t.test('the last admin is kept, and who may less does not change who may more', async (t) => {
  const { id } = await signIn(db, 'admin', 'last@example.com')
  for (const [method, body] of [
    ['PATCH', { role: 'operator' }],
    ['PATCH', { disabled: true }],
    ['DELETE', undefined],
  ] as const) {
    const answer = await call(method, `/v1/users/${id}`, body)
    t.match(answer.json, { status: 409, code: 'RB_LAST_ADMIN' })
  }
  t.equal((await call('PATCH', `/v1/users/${id}`, { password: 'ten green bottles' })).status, 200)
  const { key } = await issue(['users:read', 'users:write', 'runs:read'])
  const viewer = await signIn(db, 'viewer', 'low@example.com')
  t.equal((await call('PATCH', `/v1/users/${id}`, { password: 'ten green bottles' }, { key })).status, 403)
  t.equal((await call('DELETE', `/v1/users/${id}`, undefined, { key })).status, 403)
  t.equal((await call('PATCH', `/v1/users/${viewer.id}`, { role: 'admin' }, { key })).status, 403)
  t.equal((await call('POST', '/v1/users', { email: 'me@example.com', role: 'admin' }, { key })).status, 403)
})
