/** Signs of life: who is alive though its event loop stands still, and what a worker does that was declared dead. */
import t from 'tap'
import type postgres from 'postgres'
import { sweepDead } from '../../src/db/statements/recovery.ts'
import { task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker, startWorkerProcess } from '../helpers/worker.ts'

const registry = (sql: postgres.Sql) =>
  sql`select *, extract(epoch from clock_timestamp() - seen_at)::float8 as silent from rowbeat.workers order by name`
const serverIsOld = (sql: postgres.Sql) =>
  until(
    'the server has run for ten seconds',
    async () => (await sql`select now() - pg_postmaster_start_time() > interval '11 s' as old`)[0]!.old,
    { timeout: 20_000 },
  )

t.setTimeout(60_000)
t.jobs = 2

t.test(
  'the registry tells who runs what, and for how long the loop stood still',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const child = await startWorkerProcess(t, url, { name: 'busy', queues: { default: 3 } })
    const { rowbeat, worker } = await startWorker(t, url, { name: 'other', queues: { elsewhere: 1 } })
    const sleeper = await rowbeat.enqueue(scripted, { ms: 6000 })
    const seen = await until('the run is listed', async () => {
      const [row] = await registry(sql)
      return row?.running.length === 1 && row
    })
    t.match(seen, {
      name: 'busy',
      kind: 'worker',
      pid: child.pid,
      queues: { default: 3 },
      tasks: ['test.scripted', 'test.entry'],
      running: [{ id: sleeper.id, attempt: 1, started_at: String }],
      stopping: false,
      version: String,
    })
    t.ok(seen.rss_bytes > 20_000_000)
    t.match(await sleeper.get(), { state: 'STARTED', attempt: 1, worker: 'busy', startedAt: String })

    await rowbeat.enqueue(scripted, { fate: 'spin', ms: 3500, times: 1 })
    let silent = 0
    await until('the loop that stood still is told', async () => {
      const [row] = await registry(sql)
      silent = Math.max(silent, row!.silent)
      return row!.loop_lag_ms > 2500
    })
    t.ok(silent < 3, `it was silent for ${silent} s at most`)
    t.equal(worker.running, 0)
  },
)

t.test(
  'a worker that was declared dead drops what it holds and goes on under a new name',
  { buffered: true },
  async (t) => {
    const { url, sql, db } = await setup(t)
    await serverIsOld(sql)
    const reasons: unknown[] = []
    const patient = task('test.patient', {}, async (_: object, { signal, run }) => {
      if (run.redeliveries > 0) return 'second'
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      reasons.push((signal.reason as { code: string }).code)
      return 'first'
    })
    const { worker, rowbeat, heard } = await startWorker(t, url, { tasks: [patient], name: 'w' })
    const run = await rowbeat.enqueue(patient, {})
    const [before] = await until('it is listed', async () => {
      const rows = await registry(sql)
      return rows[0]!.running.length === 1 && rows
    })
    await sql`update rowbeat.workers set seen_at = now() - interval '11 s'`
    const swept = await sweepDead(db, 10, 3600)
    t.match(swept, { workers: ['w'], returned: 1, lost: 0 })
    await until('it noticed', () => heard.declaredDead === 1, { timeout: 3000 })
    t.equal(await run.result({ timeout: '10s' }), 'second', 'the run went to whoever claimed it next')
    await until('the first outcome was refused', () => heard.refused.length === 1)
    t.strictSame(reasons, ['RB_LEASE_LOST'])
    t.match(await run.get(), { state: 'SUCCESS', redeliveries: 1, attempt: 1 })
    const [after] = await registry(sql)
    t.equal((await registry(sql)).length, 1)
    t.not(after!.id, before!.id)
    t.notOk(
      after!.pools.some((pool: string) => before!.pools.includes(pool)),
      'it claims under other pools',
    )
    t.equal(worker.running, 0)
  },
)

t.test('a run that was claimed before is listed durably before it starts', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const { sql: other } = await setup(t)
  await other`select 1`
  const listed: boolean[] = []
  const probe = task('test.probe', {}, async (_: object, { run }) => {
    const rows = await sql`select running from rowbeat.workers`
    listed.push(rows.some(({ running }) => running.some((one: { id: string }) => one.id === run.id)))
  })
  const idle = await startWorker(t, url, { tasks: [probe], queues: { elsewhere: 1 } })
  const handles = await idle.rowbeat.enqueueMany(
    Array.from({ length: 20 }, () => ({ task: probe, input: {} })),
  )
  await sql`update rowbeat_queue._private_jobs set attempts = 1`
  await startWorker(t, url, { tasks: [probe] })
  await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })))
  t.strictSame(listed, Array(20).fill(true))
})

t.test('a run that has ended is listed no more, whenever it ends', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const ends = Promise.withResolvers<void>()
  const held = task('test.held', {}, async () => await ends.promise)
  const { rowbeat } = await startWorker(t, url, { tasks: [held] })
  await rowbeat.enqueue(held, {})
  await until('it is listed', async () => (await registry(sql))[0]!.running.length === 1)
  ends.resolve()
  await until('the list is empty', async () => (await registry(sql))[0]!.running.length === 0, {
    timeout: 5000,
  })
})

t.test('a heart that stops is replaced', { buffered: true }, async (t) => {
  const { url, sql, admin } = await setup(t)
  await startWorker(t, url, { name: 'w' })
  await until('it is alive', async () => (await registry(sql))[0]!.silent < 1)
  for (let i = 0; i < 3; i++) {
    await until('its heart was cut', async () => {
      const rows =
        await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rowbeat heartbeat' and datname = current_database()`
      return rows.length > 0
    })
  }
  const cut = (await sql`select clock_timestamp() as at`)[0]!.at
  await until(
    'it beats again',
    async () => (await sql`select from rowbeat.workers where seen_at > ${cut}`).length === 1,
    {
      timeout: 5000,
    },
  )
})
