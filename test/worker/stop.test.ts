/** How a worker ends: what runs may finish, what does not is handed back uncounted, and nothing is left behind. */
import t from 'tap'
import { createWorker, Discard, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { startProxy } from '../helpers/proxy.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker, startWorkerProcess } from '../helpers/worker.ts'

const many = (n: number, input: object) => Array.from({ length: n }, () => ({ task: scripted, input }))

t.setTimeout(60_000)
t.jobs = 2

t.test('runs that end within the grace are stored, and nothing new starts', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const { worker, rowbeat } = await startWorker(t, url, { queues: { default: 4 }, prefetch: 20 })
  await rowbeat.enqueueMany(many(30, { ms: 300 }))
  await until('four run', () => worker.running === 4)
  const began = performance.now()
  await worker.stop({ grace: '5s' })
  t.ok(performance.now() - began < 4000, 'it waits for the runs, not for the grace')
  const [row] = await sql`select (select count(*)::int from rowbeat.results where state = 'SUCCESS') as done,
    (select count(*)::int from rowbeat_queue._private_jobs where locked_by is null and attempts = 0) as back,
    (select count(*)::int from rowbeat.workers) as workers, (select count(*)::int from rowbeat.attempts) as tries`
  t.ok(row!.done >= 4 && row!.done <= 8, `${row!.done} done`)
  t.equal(row!.back, 30 - row!.done, 'the rest waits as if it had never been claimed')
  t.match(row, { workers: 0, tries: 0 })
})

t.test(
  'runs that outlast the grace are handed back uncounted, whether they listen or not',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const { worker, rowbeat, heard } = await startWorker(t, url, { name: 'leaving' })
    const deaf = await rowbeat.enqueue(scripted, { ms: 4000 })
    const obedient = await rowbeat.enqueue(scripted, { ms: 60_000, obedient: true })
    await until('both run', () => worker.running === 2)
    const began = performance.now()
    await worker.stop({ grace: '200ms' })
    t.ok(performance.now() - began < 3300, 'the deaf one is not waited for')
    for (const { id } of [deaf, obedient]) {
      t.match(await sql`select attempt, outcome, worker, error from rowbeat.attempts where run_id = ${id}`, [
        { attempt: 1, outcome: 'handed_back', worker: 'leaving', error: null },
      ])
      t.match(await rowbeat.run(scripted, id).get(), { state: 'PENDING', attempt: 0, redeliveries: 0 })
    }
    const other = await startWorker(t, url)
    await sql`update rowbeat_queue._private_jobs set payload = '{"input": {}}'`
    t.equal(
      await other.rowbeat.run(scripted, deaf.id).result({ timeout: '5s' }),
      1,
      'and start elsewhere as a first try',
    )
    t.equal(await other.rowbeat.run(scripted, obedient.id).result({ timeout: '5s' }), 1)
    await until('the deaf one has ended', () => worker.running === 0)
    t.strictSame(heard.finished, [], 'its late outcome is not stored')
    t.match(await sql`select worker, count(*)::int as n from rowbeat.results group by 1`, [
      { worker: other.worker.name, n: 2 },
    ])
  },
)

t.test('what a handler says on purpose when it is asked to stop is kept', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const giveUp = task('test.give_up', {}, async (_: object, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    throw new Discard('not worth another start')
  })
  const salvage = task('test.salvage', {}, async (_: object, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return (signal.reason as { code: string }).code
  })
  const { worker, rowbeat } = await startWorker(t, url, { tasks: [giveUp, salvage] })
  await Promise.all([rowbeat.enqueue(giveUp, {}), rowbeat.enqueue(salvage, {})])
  await until('both run', () => worker.running === 2)
  await worker.stop({ grace: 0 })
  t.match(await sql`select task, state, reason, result from rowbeat.results order by task`, [
    { task: 'test.give_up', state: 'FAILURE', reason: 'discarded' },
    { task: 'test.salvage', state: 'SUCCESS', result: 'RB_WORKER_STOPPING' },
  ])
})

t.test('a worker may be stopped before, while and after it starts', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const make = () => createWorker({ databaseUrl: url, tasks: [scripted] })
  const never = make()
  await never.stop()
  await t.rejects(never.start(), { message: /started already/ })
  const halfway = make()
  const starting = halfway.start()
  const stopping = halfway.stop()
  await Promise.all([starting, stopping])
  const twice = make()
  await twice.start()
  await t.rejects(twice.start(), { message: /started already/ })
  await Promise.all([twice.stop(), twice.stop()])
  const broken = createWorker({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none', tasks: [scripted] })
  await t.rejects(broken.start(), { code: 'RB_DB_UNREACHABLE' })
  await broken.stop()
  t.strictSame([...(await sql`select name from rowbeat.workers`)], [], 'none is left in the registry')
  await until('no connection is left', async () => {
    const rows =
      await sql`select from pg_stat_activity where datname = current_database() and application_name ~ 'worker|heart|task'`
    return rows.length === 0
  })
})

t.test('a second stop may shorten the grace', { buffered: true }, async (t) => {
  const { url } = await setup(t)
  const { worker, rowbeat } = await startWorker(t, url)
  await rowbeat.enqueue(scripted, { ms: 3000 })
  await until('it runs', () => worker.running === 1)
  const began = performance.now()
  const first = worker.stop({ grace: '1m' })
  await worker.stop({ grace: 0 })
  await first
  t.ok(performance.now() - began < 2000)
})

t.test(
  'SIGTERM ends an idle and a loaded process with exit code 0, nothing lost',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const idle = await startWorkerProcess(t, url)
    idle.kill('SIGTERM')
    t.match(await idle.ended(5000), { code: 0 })
    const { rowbeat, worker } = await startWorker(t, url, { queues: { other: 1 } })
    await rowbeat.enqueueMany(many(300, { ms: 20 }))
    const loaded = await startWorkerProcess(t, url, { graceMs: 100 })
    await until(
      'it works',
      async () => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n > 20,
    )
    await rowbeat.enqueueMany(many(10, { ms: 30_000, obedient: true }))
    loaded.kill('SIGTERM')
    t.match(await loaded.ended(6000), { code: 0 })
    t.notMatch(loaded.output(), /unhandled/)
    const [row] =
      await sql`select (select count(*)::int from rowbeat.results) + (select count(*)::int from rowbeat_queue._private_jobs) as all,
    (select count(*)::int from rowbeat_queue._private_jobs where locked_by is not null or attempts > 0) as held,
    (select count(*)::int from rowbeat.results where state <> 'SUCCESS') as bad`
    t.match(row, { all: 310, held: 0, bad: 0 })
    await worker.stop()
  },
)

t.test('a worker whose database is gone still ends', { buffered: true }, async (t) => {
  const { url, admin } = await setup(t)
  const child = await startWorkerProcess(t, url, { graceMs: 100 })
  const name = new URL(url).pathname.slice(1)
  await admin.unsafe(`alter database ${name} allow_connections false`).catch(() => {})
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and pid <> pg_backend_pid()`
  child.kill('SIGTERM')
  t.match(await child.ended(8000), { code: 0 })
  t.notMatch(child.output(), /unhandled/)
})

t.test(
  'a worker whose connections swallow everything ends within its grace and five seconds',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const proxy = await startProxy(t, url)
    const child = await startWorkerProcess(t, proxy.url, { graceMs: 500 })
    const { rowbeat } = await startWorker(t, url, { queues: { elsewhere: 1 } })
    await rowbeat.enqueueMany(many(5, { ms: 60_000 }))
    await until(
      'they run',
      async () =>
        (await sql`select from rowbeat_queue._private_jobs where locked_by is not null`).length === 5,
    )
    proxy.swallowNew = true
    proxy.each((link) => link.swallow())
    const began = performance.now()
    child.kill('SIGTERM')
    t.match(await child.ended(15_000), { code: 0 })
    t.ok(performance.now() - began < 6500, `${performance.now() - began} ms`)
  },
)
