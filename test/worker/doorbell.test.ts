/** When an enqueue must ring: no wake-up may be lost, and a busy queue must not ring at all. */
import t from 'tap'
import type postgres from 'postgres'
import type { Queryable } from '../../src/db/handle.ts'
import { noteHorizon, readHorizon } from '../../src/db/statements/workers.ts'
import { createDoorbell } from '../../src/worker/doorbell.ts'
import { createEvents } from '../../src/worker/events.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

t.setTimeout(60_000)

/** A worker that never polls: it looks when the bell rings or the doorbell tells it to, and at no other time. */
async function startLooker(sql: postgres.Sql, db: Queryable) {
  const seen = new Map<string, number>()
  const state = { looks: 0, rings: 0, looking: false, again: false }
  const look = async (): Promise<void> => {
    state.looks++
    if (state.looking) return void (state.again = true)
    state.looking = true
    do {
      state.again = false
      const rows = await sql`delete from rowbeat_queue._private_jobs returning key`
      for (const { key } of rows) seen.set(key, performance.now())
    } while (state.again)
    state.looking = false
  }
  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, version, seen_at)
    values ('looker', 'looker', 'worker', 'here', 1, '0', 'infinity') on conflict do nothing`
  await sql.listen('rowbeat_queue', () => {
    state.rings++
    void look()
  })
  const doorbell = createDoorbell(db, 'default', () => void look(), createEvents())
  return { seen, state, doorbell }
}

/** Tells the doorbell of 1,000 runs a second for as long as `busy` says. */
async function keepBusy(doorbell: { claimed(n: number): void }, ms: number): Promise<void> {
  const end = performance.now() + ms
  await until(
    'the busy time is over',
    () => {
      doorbell.claimed(20)
      return performance.now() > end
    },
    { every: 20 },
  )
}

const isHot = async (sql: postgres.Sql): Promise<boolean> =>
  (
    await sql`select coalesce(hot_until > clock_timestamp(), false) as hot from rowbeat.queues where name = 'default'`
  )[0]!.hot

t.test('with no worker alive there is nobody to wake, and nobody rings', async (t) => {
  const { sql, db } = await setup(t)
  const { state, doorbell } = await startLooker(sql, db)
  await sql`update rowbeat.workers set seen_at = clock_timestamp() - interval '1 minute'`
  await sql`select rowbeat.enqueue('a.task')`
  await sql`update rowbeat.workers set seen_at = clock_timestamp()`
  await sql`select rowbeat.enqueue('a.task')`
  await until('the second rang', () => state.rings > 0)
  t.equal(state.rings, 1)
  doorbell.stop()
})

t.test('a quiet queue rings at each enqueue', async (t) => {
  const { sql, db } = await setup(t)
  const { seen, state, doorbell } = await startLooker(sql, db)
  doorbell.claimed(1)
  for (let i = 0; i < 3; i++) {
    await sql`select rowbeat.enqueue('a.task')`
    await until('it was seen', () => seen.size === i + 1)
  }
  t.equal(state.rings, 3)
  t.equal(await isHot(sql), false)
  doorbell.stop()
})

t.test('a busy queue does not ring, is looked at all the same, and goes cold again', async (t) => {
  const { sql, db } = await setup(t)
  const { seen, state, doorbell } = await startLooker(sql, db)
  const busy = keepBusy(doorbell, 1500)
  await until('it is hot', () => isHot(sql))
  const { rings } = state
  const began = performance.now()
  for (let i = 0; i < 50; i++) await sql`select rowbeat.enqueue('a.task')`
  await until('all were seen', () => seen.size === 50)
  t.ok(performance.now() - began < 1000)
  t.equal(state.rings, rings, 'nobody rang')
  await sql.begin('isolation level repeatable read', (tx) => tx`select rowbeat.enqueue('a.task')`)
  await until('its bell came', () => state.rings === rings + 1)
  await busy
  await until('it is cold', async () => !(await isHot(sql)), { timeout: 3000 })
  await until(
    'it stopped looking',
    async () => {
      const { looks } = state
      await until('a while passed', () => state.looks > looks, { timeout: 700 }).catch(() => {})
      return state.looks === looks
    },
    { timeout: 5000 },
  )
  await sql`select rowbeat.enqueue('a.task')`
  await until('a cold queue rings again', () => state.rings === rings + 2)
  doorbell.stop()
})

t.test('transactions that are open while a queue goes cold are seen, none later than a poll', async (t) => {
  const { sql, db, url } = await setup(t)
  const { seen, doorbell } = await startLooker(sql, db)
  const { default: postgres } = await import('postgres')
  const callers = postgres(url, { max: 40, onnotice: () => {} })
  t.teardown(() => callers.end({ timeout: 1 }))
  const committed = new Map<string, number>()
  /** Opened `startMs` after the traffic ended, holding its run back for `holdMs`. */
  const enqueueSlowly = async (startMs: number, holdMs: number): Promise<void> => {
    await callers`select pg_sleep(${startMs / 1000})`
    let id = ''
    await callers.begin(async (tx) => {
      id = (await tx`select rowbeat.enqueue('a.task') as id`)[0]!.id
      await tx`select pg_sleep(${holdMs / 1000})`
    })
    committed.set(id, performance.now())
  }
  {
    await keepBusy(doorbell, 600)
    await Promise.all(Array.from({ length: 40 }, (_, i) => enqueueSlowly(i * 30, 100 + Math.random() * 1300)))
    await until('all were seen', () => seen.size === committed.size, { timeout: 5000 })
  }
  const late = [...committed].map(([id, at]) => seen.get(id)! - at).toSorted((a, b) => a - b)
  t.comment(`p50 ${late[20]!.toFixed(0)} ms, max ${late.at(-1)!.toFixed(0)} ms of ${late.length}`)
  t.ok(late.at(-1)! < 700, `the latest came after ${late.at(-1)} ms`)
  doorbell.stop()
})

t.test('one transaction alone, open across the lapse, is enough to keep it looking', async (t) => {
  const { sql, db } = await setup(t)
  const { seen, doorbell } = await startLooker(sql, db)
  await keepBusy(doorbell, 500)
  // After the last renewal, so that no transaction with a higher number will ever be over before this one.
  await until(
    'it is hot for the last time',
    async () => {
      const [row] =
        await sql`select hot_until - clock_timestamp() between interval '50 ms' and interval '250 ms' as last
      from rowbeat.queues where name = 'default'`
      return row!.last
    },
    { every: 5 },
  )
  await sql.begin(async (tx) => {
    await tx`select rowbeat.enqueue('a.task')`
    await tx`select pg_sleep(2)`
    t.equal(await isHot(sql), false, 'it is cold now, and nobody will ring')
  })
  const committed = performance.now()
  await until('it was seen', () => seen.size === 1, { timeout: 2000 })
  t.ok(performance.now() - committed < 700)
  doorbell.stop()
})

t.test('the horizon passes only when every transaction that was open is over', async (t) => {
  const { sql, db } = await setup(t)
  const noted = await sql.begin(async (tx) => {
    await tx`select rowbeat.enqueue('a.task')`
    const horizon = await noteHorizon(db)
    t.ok((await readHorizon(db, 'default')).xmin <= horizon, 'one is open')
    return horizon
  })
  await until('it is over', async () => (await readHorizon(db, 'default')).xmin > noted)
})
