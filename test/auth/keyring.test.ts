import t from 'tap'
import { hashKey, issueKey, looksLikeKey, makeKey, revokeKey } from '../../src/auth/key.ts'
import { createKeyring } from '../../src/auth/keyring.ts'
import { mayDo, PROCESS, requireScope } from '../../src/auth/scopes.ts'
import type { Queryable } from '../../src/db/handle.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

/** The same handle, and how many statements of each name went through it. */
function counted(db: Queryable) {
  const counts: Record<string, number> = {}
  const query: Queryable['query'] = async (text, parameters) => {
    const name = /\/\* (\w+) \*\//.exec(text)![1]!
    counts[name] = (counts[name] ?? 0) + 1
    return await db.query(text, parameters)
  }
  return { counts, query }
}

t.test('a key is rb_ and 256 random bits, and only its sha-256 is stored', async (t) => {
  const { db, sql } = await setup(t)
  const made = new Set(Array.from({ length: 1000 }, makeKey))
  t.equal(made.size, 1000)
  t.ok([...made].every((key) => /^rb_[A-Za-z0-9_-]{43}$/.test(key) && looksLikeKey(key)))
  const { id, key, prefix } = await issueKey(db, { name: 'one', scopes: ['runs:read'] })
  t.ok(key.startsWith(prefix))
  const [row] = await sql`select *, encode(hash, 'hex') as hex from rowbeat.api_keys where id = ${id}`
  t.match(row, { name: 'one', prefix, hex: hashKey(key), scopes: ['runs:read'], last_used_at: null })
  const [dump] = await sql`select string_agg(k::text, ' ') as text from rowbeat.api_keys k`
  t.notMatch(dump!.text, key)
})

t.test('a key that exists is stored once, and a wrong one or an unknown scope is refused', async (t) => {
  const { db } = await setup(t)
  const key = makeKey()
  const first = await issueKey(db, { name: 'one', scopes: ['runs:read'], key })
  const second = await issueKey(db, { name: 'two', scopes: ['*'], key })
  t.equal(first.id, second.id)
  t.match(await createKeyring(db).identify(key), { name: 'two', scopes: ['*'], kind: 'key', id: first.id })
  const refused = { code: 'RB_CONFIG_INVALID' }
  await t.rejects(issueKey(db, { name: 'x', scopes: ['*'], key: 'secret' }), refused)
  await t.rejects(issueKey(db, { name: 'x', scopes: ['runs:fly'] }), refused)
  await t.rejects(issueKey(db, { name: 'x', scopes: [] }), refused)
})

t.test('wrong, expired and revoked keys are told apart to who holds them', async (t) => {
  const { db } = await setup(t)
  const ring = createKeyring(db)
  const expired = await issueKey(db, { name: 'x', scopes: ['*'], expiresAt: '2020-01-01T00:00:00Z' })
  const revoked = await issueKey(db, { name: 'x', scopes: ['*'] })
  await revokeKey(db, revoked.id)
  const later = await issueKey(db, { name: 'x', scopes: ['*'], expiresAt: '2099-01-01T00:00:00Z' })
  const code = 'RB_KEY_INVALID'
  await t.rejects(ring.identify(makeKey()), { code, message: /is unknown/ })
  await t.rejects(ring.identify(expired.key), { code, message: /has expired/ })
  await t.rejects(ring.identify(revoked.key), { code, message: /was revoked/ })
  await t.rejects(ring.identify(`${later.key}x`), { code, message: /is not an API key/ })
  t.equal((await ring.identify(later.key)).id, later.id)
})

t.test('a revoke counts within a second, though keys are looked up at most once in that time', async (t) => {
  const { db } = await setup(t)
  const { counts, ...handle } = counted(db)
  const ring = createKeyring(handle)
  const { id, key } = await issueKey(db, { name: 'x', scopes: ['*'] })
  await Promise.all(Array.from({ length: 100 }, () => ring.identify(key)))
  for (let n = 0; n < 100; n++) await ring.identify(key)
  t.equal(counts.find_keys, 1, '200 checks, one question')
  await revokeKey(db, id)
  const began = performance.now()
  await until('it is refused', () =>
    ring.identify(key).then(
      () => false,
      () => true,
    ),
  )
  t.ok(performance.now() - began < 1200, `${Math.round(performance.now() - began)} ms`)
})

t.test('keys that come together are looked up together, each with its own answer', async (t) => {
  const { db } = await setup(t)
  const { counts, ...handle } = counted(db)
  const ring = createKeyring(handle)
  const keys = await Promise.all(
    Array.from({ length: 20 }, (_, n) => issueKey(db, { name: `k${n}`, scopes: ['*'] })),
  )
  const callers = await Promise.all([
    ...keys.map(({ key }) => ring.identify(key)),
    ring.identify(makeKey()).catch(() => null),
  ])
  t.strictSame(
    callers.map((caller) => caller?.id ?? null),
    [...keys.map(({ id }) => id), null],
  )
  t.equal(counts.find_keys, 1)
})

t.test('its last use is noted, at most once a minute', async (t) => {
  const { db, sql } = await setup(t)
  const { counts, ...handle } = counted(db)
  const { id, key } = await issueKey(db, { name: 'x', scopes: ['*'] })
  await createKeyring(handle).identify(key)
  const used = async (): Promise<Date | null> =>
    (await sql`select last_used_at from rowbeat.api_keys where id = ${id}`)[0]!.last_used_at as Date | null
  const first = await until('its use is noted', used)
  await createKeyring(handle).identify(key)
  await createKeyring(handle).identify(key)
  t.equal(counts.mark_keys_used, 1)
  await sql`update rowbeat.api_keys set last_used_at = now() - interval '61 seconds' where id = ${id}`
  await createKeyring(handle).identify(key)
  await until('a later use is noted', async () => ((await used()) ?? first) > first)
})

t.test('when the database is away, nobody is told that the key is wrong', async (t) => {
  const ring = createKeyring({
    query: () => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })),
  })
  await t.rejects(ring.identify(makeKey()), { code: 'RB_DB_UNREACHABLE' })
})

t.test('a scope is held by name or by *', async (t) => {
  const reader = { kind: 'key', id: '1', name: 'reader', scopes: ['runs:read'] } as const
  t.equal(mayDo(reader, 'runs:read'), true)
  t.equal(mayDo(reader, 'runs:write'), false)
  t.equal(mayDo(PROCESS, 'runs:write'), true)
  t.doesNotThrow(() => requireScope(reader, 'runs:read'))
  t.throws(() => requireScope(reader, 'runs:write'), { code: 'RB_SCOPE_MISSING', message: /runs:write/ })
})
