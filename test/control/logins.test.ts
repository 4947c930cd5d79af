/** What holds off who guesses passwords: counted in the database, so that any number of processes count together. */
import t from 'tap'
import { placeOf } from '../../src/auth/place.ts'
import { findWeakness } from '../../src/auth/password-rules.ts'
import { createTurnstile } from '../../src/auth/turnstile.ts'
import { connect } from '../../src/db/connect.ts'
import { toQueryable } from '../../src/db/handle.ts'
import { passLogin, takeLoginTicket } from '../../src/db/statements/sessions.ts'
import { saveUser } from '../../src/db/statements/users.ts'
import { setup } from '../helpers/bundle.ts'

const ANN = 'ann@example.com'
const { url, sql, db } = await setup(t)
await saveUser(db, { email: ANN, passwordHash: 'hash of ann', role: 'viewer' })
const [{ id: annId }] = await sql<[{ id: string }]>`select id from rowbeat.users`
const clear = async (): Promise<void> => void (await sql`delete from rowbeat.login_failures`)
/** As if so many seconds had gone by. */
const age = async (seconds: number): Promise<void> =>
  void (await sql`update rowbeat.login_failures set last_at = last_at - ${seconds} * interval '1 second', blocked_until = blocked_until - ${seconds} * interval '1 second',
    recent = array(select r - ${seconds} * interval '1 second' from unnest(recent) r), trusted_at = trusted_at - ${seconds} * interval '1 second'`)

t.test('of a thousand that come at once, through two processes, ten at most are compared', async (t) => {
  const [one, two] = [connect({ url, role: 'one', max: 8 }), connect({ url, role: 'two', max: 8 })]
  t.teardown(() => Promise.all([one.end(), two.end()]))
  const count = async (email: (n: number) => string, address: (n: number) => string): Promise<number> => {
    await clear()
    const tickets = await Promise.all(
      Array.from({ length: 1000 }, (_, n) =>
        takeLoginTicket(toQueryable(n % 2 ? one : two), email(n), address(n)),
      ),
    )
    return tickets.filter(({ wait }) => wait === 0).length
  }
  const [here, there] = [() => '192.0.2.1', (n: number) => `192.0.${n >> 8}.${n & 255}`]
  t.equal(await count(() => ANN, here), 5, 'one account from one address')
  t.equal(await count(() => ANN, there), 5, 'one account from a thousand addresses')
  t.equal(await count((n) => `person${n}@example.com`, here), 10, 'a thousand accounts from one address')
})

t.test('an account opens again after 1, 2, 4, 8, 16 and 30 seconds, and then every 30', async (t) => {
  await clear()
  const waits: number[] = []
  for (let tries = 0; tries < 13; tries++) {
    const { wait } = await takeLoginTicket(db, ANN, `192.0.2.${tries}`)
    t.equal(wait, 0, `try ${tries + 1}`)
    const { wait: next } = await takeLoginTicket(db, ANN, '198.51.100.1')
    // A refused one counts for nothing.
    if (next > 0) waits.push(Math.ceil(next))
    else
      await sql`update rowbeat.login_failures set failures = failures - 1, blocked_until = '-infinity' where subject like 'account:%'`
    if (next > 0) await age(next)
  }
  t.strictSame(waits, [1, 2, 4, 8, 16, 30, 30, 30, 30])
  await age(16 * 60)
  for (let tries = 0; tries < 4; tries++) t.equal((await takeLoginTicket(db, ANN, '203.0.113.1')).wait, 0)
})

t.test('whether an account is there changes nothing of how often it may be tried', async (t) => {
  await clear()
  const waits: number[][] = []
  for (const [email, address] of [
    [ANN, '192.0.2.1'],
    ['nobody@example.com', '192.0.2.2'],
  ] as const) {
    const own: number[] = []
    for (let tries = 0; tries < 7; tries++)
      own.push(Math.ceil((await takeLoginTicket(db, email, address)).wait))
    waits.push(own)
  }
  t.strictSame(waits[0], waits[1])
  t.strictSame(waits[0], [0, 0, 0, 0, 0, 1, 1])
})

t.test(
  'the right password clears the count of the account, and who guesses elsewhere does not keep its owner out',
  async (t) => {
    await clear()
    const [home, elsewhere] = ['192.0.2.1', '198.51.100.7']
    for (let tries = 0; tries < 4; tries++) await takeLoginTicket(db, ANN, home)
    const { userId } = await takeLoginTicket(db, ANN, home)
    t.equal(userId, annId)
    await passLogin(db, { userId: annId, email: ANN, address: home, hash: '00' })
    t.equal((await sql`select from rowbeat.login_failures where subject like 'account:%'`).length, 0)
    const [row] =
      await sql`select cardinality(recent) as n from rowbeat.login_failures where subject like 'address:%'`
    t.equal(row!.n, 4, 'the address has its wrong ones still')
    for (let tries = 0; tries < 8; tries++) await takeLoginTicket(db, ANN, elsewhere)
    t.ok((await takeLoginTicket(db, ANN, elsewhere)).wait > 0)
    t.equal((await takeLoginTicket(db, ANN, home)).wait, 0)
    await passLogin(db, { userId: annId, email: ANN, address: home, hash: '02' })
    t.ok(
      (await takeLoginTicket(db, ANN, elsewhere)).wait > 0,
      'and its coming in gives nothing to who guesses',
    )
    for (let tries = 0; tries < 6; tries++) await takeLoginTicket(db, ANN, home)
    t.ok((await takeLoginTicket(db, ANN, home)).wait > 0, 'its own wrong ones count')
  },
)

t.test('an account of one own does not buy tries at those of others', async (t) => {
  await clear()
  const address = '192.0.2.9'
  let granted = 0
  for (let n = 0; n < 30; n++) {
    if ((await takeLoginTicket(db, ANN, address)).wait === 0)
      await passLogin(db, { userId: annId, email: ANN, address, hash: `a${n}`.padStart(4, '0') })
    if ((await takeLoginTicket(db, `victim${n}@example.com`, address)).wait === 0) granted++
  }
  t.equal(granted, 10)
})

t.test('the first lock-out is in the audit log, and of an account that is not there none is', async (t) => {
  await clear()
  const before = (await sql`select from rowbeat.audit_log where action = 'login.blocked'`).length
  for (let n = 0; n < 30; n++) await takeLoginTicket(db, ANN, `192.0.2.${n}`)
  for (let n = 0; n < 30; n++) await takeLoginTicket(db, 'nobody@example.com', `198.51.100.${n}`)
  const rows =
    await sql`select target_kind, target, after from rowbeat.audit_log where action = 'login.blocked' order by id offset ${before}`
  t.match(rows, [{ target_kind: 'user', target: annId, after: { failures: 5 } }])
  t.equal(rows.length, 1)
})

t.test('a disabled account is no account', async (t) => {
  await clear()
  await sql`update rowbeat.users set disabled_at = now()`
  t.match(await takeLoginTicket(db, ANN, '192.0.2.1'), { wait: 0, userId: null, passwordHash: null })
  t.equal(await passLogin(db, { userId: annId, email: ANN, address: '192.0.2.1', hash: '01' }), null)
})

t.test('an address is what one person has: an IPv4 address, or a /64 network', async (t) => {
  t.equal(placeOf('192.0.2.1'), '192.0.2.1')
  t.equal(placeOf('::ffff:192.0.2.1'), '192.0.2.1')
  t.equal(placeOf('2001:db8:1:2:3:4:5:6'), placeOf('2001:db8:1:2::9'))
  t.not(placeOf('2001:db8:1:2::9'), placeOf('2001:db8:1:3::9'))
  t.equal(placeOf('fe80::1%eth0'), placeOf('fe80::2'))
  t.equal(placeOf('what'), 'unknown')
})

t.test('a full line sends away at once', async (t) => {
  const compare = createTurnstile(1, 1)
  const { promise, resolve } = Promise.withResolvers<void>()
  const first = compare(() => promise)
  const second = compare(async () => 2)
  await t.rejects(
    compare(async () => 3),
    { code: 'RB_LOGIN_BLOCKED', retryAfterMs: 2000 },
  )
  resolve()
  await first
  t.equal(await second, 2)
  await t.rejects(compare(() => Promise.reject(new Error('x'))))
  t.equal(await compare(async () => 4), 4, 'who failed has left too')
})

t.test('weak passwords are refused, and others are not', async (t) => {
  const email = 'oksana.koval@example.com'
  for (const weak of [
    'short',
    'elevenchars',
    'aaaaaaaaaaaaaaaa',
    'abababababab',
    'Password-1234',
    'PASSWORD 12345',
    'qwerty123456',
    'correct horse battery staple',
    email,
    'Oksana.Koval',
    'x'.repeat(300),
  ])
    t.ok(findWeakness(weak, email), weak)
  for (const good of ['nine green bottles', 'Ще не вмерла Україна', 'qV7-pT3.xK9z'])
    t.equal(findWeakness(good, email), null, good)
})
