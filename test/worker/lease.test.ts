/** Leases: who may hold a claimed row, how it is given back, and what a sweep of the dead makes of it. */
import t from 'tap'
import type postgres from 'postgres'
import {
  handBack,
  keepOwned,
  reclaimOrphans,
  reclaimUnreceived,
  sweepDead,
} from '../../src/db/statements/recovery.ts'
import { beatWorker, registerWorker, updatePools } from '../../src/db/statements/workers.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

const row = (id: string, pools: string[]) => ({
  id,
  name: id,
  kind: 'worker' as const,
  hostname: 'host',
  pid: 1,
  pools,
  queues: { default: 1 },
  tasks: [],
  version: '0',
})
const beat = { rssBytes: 1, loopLagMs: 0, skewMs: 0, stopping: false }

interface Held {
  job: string
  run: string
}

async function hold(sql: postgres.Sql, pool: string, n: number, age = '0 s', attempts = 1): Promise<Held[]> {
  await sql`insert into rowbeat_queue._private_tasks (identifier) values ('default:a.task') on conflict do nothing`
  const rows = await sql`
    insert into rowbeat_queue._private_jobs (task_id, payload, key, attempts, max_attempts, locked_by, locked_at)
    select t.id, '{"input": {"a": 1}, "attempt": 2, "tags": ["x"]}', rowbeat.uuid7(), ${attempts}, 32767, ${pool}, now() - ${age}::interval
    from generate_series(1, ${n}), rowbeat_queue._private_tasks t returning id::text as job, key as run`
  return rows.map(({ job, run }) => ({ job, run }))
}
const jobs = (sql: postgres.Sql) =>
  sql`select id::text as job, locked_by, attempts, payload from rowbeat_queue._private_jobs order by id`
/** A sweep judges nobody in the first ten seconds of a server. */
const serverIsOld = (sql: postgres.Sql) =>
  until(
    'the server has run for ten seconds',
    async () => (await sql`select now() - pg_postmaster_start_time() > interval '11 s' as old`)[0]!.old,
    { timeout: 20_000 },
  )
const silence = (sql: postgres.Sql, id: string) =>
  sql`update rowbeat.workers set seen_at = now() - interval '11 s' where id = ${id}`

const { sql, db } = await setup(t)
/** One database for all tests of this file, emptied before each. */
const clear = () =>
  sql`truncate rowbeat_queue._private_jobs, rowbeat.parked, rowbeat.results, rowbeat.attempts, rowbeat.workers`

t.test('handing back leaves a run as if it had never been claimed, and rings', async (t) => {
  await clear()
  const rung: string[] = []
  await sql.listen('rowbeat_queue', (queue) => void rung.push(queue))
  const [one, two] = await hold(sql, 'mine', 2)
  await hold(sql, 'theirs', 1)
  t.equal(await handBack(db, ['mine'], [two!.job]), 1)
  t.match(await jobs(sql), [
    { job: one!.job, locked_by: null, attempts: 0 },
    { job: two!.job, locked_by: 'mine', attempts: 1 },
    { locked_by: 'theirs', attempts: 1 },
  ])
  await until('the queue was rung', () => rung.includes('default'))
})

t.test('which jobs are still ours is asked by pool', async (t) => {
  await clear()
  const [mine] = await hold(sql, 'mine', 1)
  const [theirs] = await hold(sql, 'theirs', 1)
  t.strictSame(await keepOwned(db, 'mine', [mine!.job, theirs!.job, '999']), new Set([mine!.job]))
})

t.test(
  'claims never received are taken back once they are old enough, from every pool of a lane',
  async (t) => {
    await clear()
    const [known, lost] = await hold(sql, 'pool-1', 2, '7 s')
    const [fresh] = await hold(sql, 'pool-1', 1, '1 s')
    const [former] = await hold(sql, 'pool-0', 1, '7 s')
    t.equal(await reclaimUnreceived(db, ['pool-0', 'pool-1'], [known!.job]), 2)
    t.match(await jobs(sql), [
      { job: known!.job, locked_by: 'pool-1', attempts: 1 },
      { job: lost!.job, locked_by: null, attempts: 0 },
      { job: fresh!.job, locked_by: 'pool-1', attempts: 1 },
      { job: former!.job, locked_by: null, attempts: 0 },
    ])
  },
)

t.test('rows of a pool that nobody registered are taken back, and still count as claimed', async (t) => {
  await clear()
  await registerWorker(db, row('w', ['known']))
  const [orphan] = await hold(sql, 'nobody', 1, '40 s')
  const [young] = await hold(sql, 'nobody', 1, '5 s')
  const [owned] = await hold(sql, 'known', 1, '1 h')
  t.equal(await reclaimOrphans(db), 1)
  t.match(await jobs(sql), [
    { job: orphan!.job, locked_by: null, attempts: 1 },
    { job: young!.job, locked_by: 'nobody' },
    { job: owned!.job, locked_by: 'known' },
  ])
})

t.test('a sweep charges only the runs that were listed as started', async (t) => {
  await clear()
  await serverIsOld(sql)
  await registerWorker(db, row('dead', ['dead-1']))
  await registerWorker(db, row('alive', ['alive-1']))
  const [listed, claimed] = (await hold(sql, 'dead-1', 2)) as [Held, Held]
  const [other] = (await hold(sql, 'alive-1', 1)) as [Held]
  const started = new Date(Date.now() - 5000).toISOString()
  const running = [{ id: listed.run, started_at: started, attempt: 3 }]
  t.ok(await beatWorker(db, 'dead', { ...beat, running }))
  t.match(await sweepDead(db, 10, 3600), { workers: [], returned: 0 }, 'who was seen just now is alive')

  await silence(sql, 'dead')
  t.strictSame(await sweepDead(db, 10, 3600), { workers: ['dead'], returned: 2, lost: 0 })
  t.match(await jobs(sql), [
    {
      job: listed.job,
      locked_by: null,
      attempts: 1,
      payload: { redeliveries: 1, attempt: 2, input: { a: 1 } },
    },
    { job: claimed.job, locked_by: null, attempts: 1, payload: { redeliveries: undefined, attempt: 2 } },
    { job: other.job, locked_by: 'alive-1', attempts: 1 },
  ])
  t.match(await sql`select run_id, attempt, outcome, worker from rowbeat.attempts`, [
    { run_id: listed.run, attempt: 3, outcome: 'lost', worker: 'dead' },
  ])
  t.equal(await beatWorker(db, 'dead', { ...beat, running: null }), null, 'its next heartbeat tells it')
  t.equal(await updatePools(db, 'dead', ['dead-2']), false, 'and so does the next runner it starts')
  t.equal(await updatePools(db, 'alive', ['alive-1', 'alive-2']), true)
})

t.test('the third crash ends a run as worker_lost', async (t) => {
  await clear()
  await serverIsOld(sql)
  const [poison] = (await hold(sql, 'p-1', 1)) as [Held]
  for (const crash of [1, 2, 3]) {
    await registerWorker(db, row(`w${crash}`, [`p-${crash}`]))
    await sql`update rowbeat_queue._private_jobs set locked_by = ${`p-${crash}`}, locked_at = now(), attempts = ${crash}`
    const running = [{ id: poison.run, started_at: new Date().toISOString(), attempt: 3 }]
    await beatWorker(db, `w${crash}`, { ...beat, running })
    await silence(sql, `w${crash}`)
    t.match(await sweepDead(db, 10, 3600), { returned: crash < 3 ? 1 : 0, lost: crash < 3 ? 0 : 1 })
  }
  t.strictSame([...(await jobs(sql))], [])
  t.match(await sql`select * from rowbeat.results`, [
    {
      id: poison.run,
      task: 'a.task',
      queue: 'default',
      state: 'FAILURE',
      reason: 'worker_lost',
      input: { a: 1 },
      attempt: 3,
      redeliveries: 3,
      worker: 'w3',
      tags: ['x'],
      started_at: Date,
      error: { name: 'WorkerLost', code: 'RB_WORKER_LOST', message: /died 3 times/ },
    },
  ])
  t.equal((await sql`select from rowbeat.attempts where outcome = 'lost'`).length, 3)
})

t.test('two sweeps at once sweep once', async (t) => {
  await clear()
  await serverIsOld(sql)
  for (let i = 0; i < 20; i++) {
    await registerWorker(db, row(`w${i}`, [`p${i}`]))
    await hold(sql, `p${i}`, 5)
  }
  await sql`update rowbeat.workers set seen_at = now() - interval '1 minute'`
  const swept = await Promise.all([1, 2, 3, 4].map(() => sweepDead(db, 10, 3600)))
  t.equal(swept.flatMap(({ workers }) => workers).length, 20)
  t.equal(
    swept.reduce((total, { returned }) => total + returned, 0),
    100,
  )
})
