/** The dispatcher: parked runs come when they may, in order, and none is forgotten. */
import t from 'tap'
import type postgres from 'postgres'
import { createRowbeat, task } from '../../src/index.ts'
import { startDispatcher } from '../../src/dispatcher/dispatcher.ts'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

t.setTimeout(60_000)

const { url, sql, db } = await setup(t)
const clear = async (): Promise<void> => {
  await sql`truncate rowbeat_queue._private_jobs, rowbeat.parked, rowbeat.results, rowbeat.attempts`
  await sql`update rowbeat.queues set hot_limit = 5000, overflow = null, paused_at = null, hot_until = null`
}
const results = async (sql: postgres.Sql): Promise<number> =>
  (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n

t.test('a run is released within 150 ms of its eta, and never before', async (t) => {
  await clear()
  const { rowbeat } = await startWorker(t, url)
  await Promise.all(
    Array.from({ length: 30 }, (_, i) => rowbeat.enqueue(scripted, {}, { delay: (300 + 47 * i) / 1000 })),
  )
  t.match(await sql`select count(*)::int as n, min(reason) as reason from rowbeat.parked`, [
    { n: 30, reason: 'eta' },
  ])
  await until('all ran', async () => (await results(sql)) === 30)
  const late = (
    await sql`select extract(epoch from started_at - run_at)::float8 * 1000 as ms from rowbeat.results order by 1`
  ).map(({ ms }) => ms as number)
  t.comment(`p50 ${late[15]!.toFixed(1)} ms, max ${late.at(-1)!.toFixed(1)} ms`)
  t.ok(late[0]! > -5, `${late[0]} ms: started by this machine's clock, due by the same`)
  t.ok(late[15]! <= 150, `half of them within ${late[15]} ms`)
})

t.test('a retry is released within 150 ms of its time', async (t) => {
  await clear()
  const { rowbeat } = await startWorker(t, url)
  const retry = { backoff: 'constant' as const, base: '60ms' as const }
  await rowbeat.enqueueMany(
    Array.from({ length: 20 }, () => ({
      task: scripted,
      input: { fate: 'fail' as const, times: 5 },
      attemptsMax: 6,
      retry,
    })),
  )
  await until('all ran', async () => (await results(sql)) === 20)
  const late = await sql`
    select extract(epoch from next.started_at - a.retry_at)::float8 * 1000 as ms from rowbeat.attempts a
    join rowbeat.attempts next on next.run_id = a.run_id and next.attempt = a.attempt + 1 order by 1`
  t.equal(late.length, 80)
  t.comment(`p50 ${late[40]!.ms.toFixed(1)} ms, max ${late[79]!.ms.toFixed(1)} ms`)
  t.ok(late[40]!.ms <= 150)
  t.ok(late[0]!.ms > -5)
})

t.test('a snooze far away does not make it sleep through a nearer one', async (t) => {
  await clear()
  const { rowbeat } = await startWorker(t, url)
  await rowbeat.enqueue(scripted, {}, { delay: '1h' })
  // The first may still find it on its way to listening.
  await (await rowbeat.enqueue(scripted, {}, { delay: '40ms' })).result({ timeout: '5s' })
  const began = performance.now()
  const near = await rowbeat.enqueue(scripted, {}, { delay: '40ms' })
  await near.result({ timeout: '5s' })
  t.ok(performance.now() - began < 450, 'it was told, it did not poll')
  const past = await rowbeat.enqueue(scripted, {}, { eta: new Date(Date.now() - 60_000) })
  await past.result({ timeout: '5s' })
})

t.test('any number of dispatchers share the work, each run once', async (t) => {
  await clear()
  const released = { n: 0 }
  const { rowbeat } = await startWorker(t, url, { queues: { elsewhere: 1 } })
  await rowbeat.enqueueMany(Array.from({ length: 3000 }, () => ({ task: scripted, input: {}, delay: 0.3 })))
  const dispatchers = [1, 2, 3].map(() =>
    startDispatcher({
      db,
      onReleased: () => released.n++,
      onProblem: (error) => t.fail(String(error)),
      chores: [],
    }),
  )
  await until('all are queued', async () => {
    const [row] = await sql`select count(*)::int as n from rowbeat_queue._private_jobs`
    return row!.n === 3000
  })
  await Promise.all(dispatchers.map((one) => one.stop()))
  t.ok(released.n > 0)
  t.match(await sql`select count(distinct key)::int as n from rowbeat_queue._private_jobs`, [{ n: 3000 }])
})

t.test('a due run of a paused queue stays parked as paused', async (t) => {
  await clear()
  const { rowbeat } = await startWorker(t, url)
  await sql`update rowbeat.queues set paused_at = now() where name = 'default'`
  const run = await rowbeat.enqueue(scripted, {}, { delay: '50ms' })
  await until('it changed its reason', async () => {
    const found = await run.get()
    return found?.reason === 'paused' && found.state === 'PENDING'
  })
})

t.test('overflow keeps priority and age, runs all, and takes its flag down', async (t) => {
  await clear()
  const order: number[] = []
  const note = task('test.note', {}, ({ n }: { n: number }) => void order.push(n))
  await sql`update rowbeat.queues set hot_limit = 40 where name = 'default'`
  const idle = await startWorker(t, url, { tasks: [note], queues: { elsewhere: 1 } })
  const many = (from: number, count: number, priority: number) =>
    idle.rowbeat.enqueueMany(
      Array.from({ length: count }, (_, i) => ({ task: note, input: { n: from + i }, priority })),
    )
  await many(1000, 20, 0)
  await sql`update rowbeat.queues set overflow = 0 where name = 'default'`
  await many(2000, 200, 5)
  await many(3000, 100, 0)
  await many(0, 10, -5)
  t.match(await sql`select count(*)::int as n from rowbeat.parked where reason = 'overflow'`, [{ n: 300 }])
  t.match(
    await sql`select count(*)::int as n from rowbeat_queue._private_jobs`,
    [{ n: 30 }],
    'better ones still go hot',
  )
  await startWorker(t, url, { tasks: [note], queues: { default: 1 }, prefetch: 0 })
  await until('all ran', async () => (await results(sql)) === 330, { timeout: 20_000 })
  const expected = [
    ...Array.from({ length: 10 }, (_, i) => i),
    ...Array.from({ length: 20 }, (_, i) => 1000 + i),
    ...Array.from({ length: 100 }, (_, i) => 3000 + i),
    ...Array.from({ length: 200 }, (_, i) => 2000 + i),
  ]
  t.strictSame(order, expected)
  await until(
    'the flag is down',
    async () => (await sql`select overflow from rowbeat.queues where name = 'default'`)[0]!.overflow === null,
  )
})

t.test('a bulk larger than the limit raises the flag by itself', async (t) => {
  await clear()
  await sql`update rowbeat.queues set hot_limit = 1000 where name = 'default'`
  const { rowbeat } = await startWorker(t, url, { queues: { elsewhere: 1 } })
  await rowbeat.enqueueMany(Array.from({ length: 10_000 }, () => ({ task: scripted, input: {} })))
  await rowbeat.enqueueMany(Array.from({ length: 10_000 }, () => ({ task: scripted, input: {} })))
  const [row] =
    await sql`select (select count(*)::int from rowbeat_queue._private_jobs) as hot, (select count(*)::int from rowbeat.parked) as parked`
  t.comment(`hot ${row!.hot}, parked ${row!.parked}`)
  t.ok(row!.parked >= 10_000)
  await startWorker(t, url, { queues: { default: 50 } })
  await until('all ran', async () => (await results(sql)) === 20_000, { timeout: 25_000, every: 200 })
  t.equal((await sql`select from rowbeat.parked`).length, 0)
})

t.test('a run parked as overflow, unseen when the flag came down, is released all the same', async (t) => {
  await clear()
  const client = createRowbeat({ databaseUrl: url, tasks: [scripted] })
  t.teardown(() => client.close())
  await sql`insert into rowbeat_queue._private_tasks (identifier) values ('default:test.scripted') on conflict do nothing`
  await sql`update rowbeat.queues set overflow = 0 where name = 'default'`
  const run = await sql.begin(async (tx) => {
    const handle = await client.in(tx).enqueue(scripted, {})
    t.match(await tx`select reason from rowbeat.parked`, [{ reason: 'overflow' }])
    await startWorker(t, url)
    await until(
      'the flag came down',
      async () =>
        (await sql`select overflow from rowbeat.queues where name = 'default'`)[0]!.overflow === null,
    )
    return handle
  })
  await run.result({ timeout: '5s' })
})

t.test('trouble with the store is told and survived', async () => {
  const problems: unknown[] = []
  let broken = true
  const dispatcher = startDispatcher({
    db: {
      async query<Row>(): Promise<Row[]> {
        if (broken) throw new Error('no')
        return [{ moved: '0', next: null } as Row]
      },
    },
    onReleased: () => {},
    onProblem: (error) => void problems.push(error),
    chores: [],
  })
  await until('it told', () => problems.length > 0)
  broken = false
  await dispatcher.stop()
})
