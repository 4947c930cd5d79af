/** Outcomes on their way to the store: batches, the bad one among them, lost answers, and what is refused. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import type postgres from 'postgres'
import type { Queryable } from '../../src/db/handle.ts'
import type { FinishRow } from '../../src/db/statements/finish.ts'
import { createEvents } from '../../src/worker/events.ts'
import { createFlusher, PENDING_MAX } from '../../src/worker/flusher.ts'
import type { Ended } from '../../src/worker/flusher.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

interface Lease {
  job: string
  run: string
}

/** `n` runs as a worker's pool holds them, straight in the table. */
async function lease(
  sql: postgres.Sql,
  n: number,
  pool = 'pool-1',
  payload = '{"input": {}}',
): Promise<Lease[]> {
  await sql`insert into rowbeat_queue._private_tasks (identifier) values ('default:a.task') on conflict do nothing`
  const rows = await sql`
    insert into rowbeat_queue._private_jobs (task_id, payload, key, attempts, max_attempts, locked_by, locked_at)
    select t.id, ${payload}::text::json, rowbeat.uuid7(), 1, 32767, ${pool}, now()
    from generate_series(1, ${n}), rowbeat_queue._private_tasks t where t.identifier = 'default:a.task' returning id::text as job, key as run`
  return rows.map(({ job, run }) => ({ job, run }))
}

const ended = ({ job, run }: Lease, row: Partial<FinishRow> = {}, pool = 'pool-1'): Ended => ({
  run,
  task: 'a.task',
  pool,
  row: { job, claims: 1, state: 'SUCCESS', result: 1, attempt: 1, allowed: 1, started: Date.now(), ...row },
})

function flusherOf(db: Queryable, parked = () => {}) {
  const events = createEvents()
  const told = { finished: [] as string[], refused: [] as string[], unstorable: [] as string[], trouble: 0 }
  events.on('run:finished', ({ run }) => told.finished.push(run))
  events.on('run:refused', ({ run }) => told.refused.push(run))
  events.on('run:unstorable', ({ run }) => told.unstorable.push(run))
  events.on('worker:trouble', () => told.trouble++)
  return { flusher: createFlusher(db, 'w1', events, parked), told }
}

const count = async (sql: postgres.Sql): Promise<object> =>
  (
    await sql`select (select count(*)::int from rowbeat_queue._private_jobs) as jobs, (select count(*)::int from rowbeat.parked) as parked,
    (select count(*)::int from rowbeat.results where state = 'SUCCESS') as good, (select count(*)::int from rowbeat.results where state = 'FAILURE') as bad`
  )[0]!

const { sql, db } = await setup(t)
/** One database for all tests of this file, emptied before each. */
const clear = () =>
  sql`truncate rowbeat_queue._private_jobs, rowbeat.parked, rowbeat.results, rowbeat.attempts`

t.test('a thousand of each kind in one go', async (t) => {
  await clear()
  let parked = 0
  const { flusher, told } = flusherOf(db, () => parked++)
  const leases = await lease(sql, 3000)
  const kinds: Partial<FinishRow>[] = [
    {},
    {
      state: 'FAILURE',
      reason: 'error',
      error: { name: 'Error', message: 'x' },
      result: undefined,
      outcome: 'failed',
    },
    {
      state: 'PARK',
      reason: 'retry',
      delay: 3600,
      patch: { attempt: 1 },
      result: undefined,
      outcome: 'retry',
    },
  ]
  leases.forEach((one, i) => flusher.push(ended(one, kinds[i % 3])))
  t.equal(flusher.jobs().length, 3000, 'all are still ours until they are stored')
  await flusher.drained()
  t.match(await count(sql), { jobs: 0, parked: 1000, good: 1000, bad: 1000 })
  t.match(await sql`select outcome, count(*)::int as n from rowbeat.attempts group by 1 order by 1`, [
    { outcome: 'failed', n: 1000 },
    { outcome: 'retry', n: 1000 },
  ])
  t.match(await sql`select payload from rowbeat.parked limit 1`, [{ payload: { input: {}, attempt: 1 } }])
  t.match([told.finished.length, told.refused.length, told.trouble], [3000, 0, 0])
  t.ok(parked > 0, 'the dispatcher is told of new parked runs')
  t.strictSame(flusher.jobs(), [])
})

t.test('one outcome that Postgres refuses does not fail its batch', async (t) => {
  await clear()
  const { flusher, told } = flusherOf(db)
  const leases = await lease(sql, 500)
  const [poisoned] = await lease(sql, 1, 'pool-1', '{"input": {"a": "\\u0000"}}')
  leases.splice(250, 0, poisoned!)
  leases.forEach((one, i) => flusher.push(ended(one, i === 7 ? { result: { text: 'a\u0000b' } } : {})))
  await flusher.drained()
  t.match(await count(sql), { jobs: 0, good: 499, bad: 2 })
  t.match(await sql`select error from rowbeat.results where state = 'FAILURE'`, [
    { error: { name: 'OutcomeNotStorable', message: /Unicode escape/ } },
    { error: { name: 'OutcomeNotStorable', message: /Unicode escape/ } },
  ])
  t.strictSame(told.unstorable.toSorted(), [leases[7]!.run, poisoned!.run].toSorted())
  t.equal(told.finished.length, 499)
})

t.test('a result that is there already does not keep its row locked for ever', async (t) => {
  await clear()
  const { flusher, told } = flusherOf(db)
  const leases = await lease(sql, 3)
  await sql`insert into rowbeat.results (id, task, queue, state, priority, result, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    values (${leases[1]!.run}, 'a.task', 'default', 'SUCCESS', 0, '"the first"', 1, 1, 0, now(), now(), now(), now() + interval '1 day')`
  for (const one of leases) flusher.push(ended(one))
  await flusher.drained()
  t.match(await count(sql), { jobs: 0, good: 3, bad: 0 })
  t.match(await sql`select result from rowbeat.results where id = ${leases[1]!.run}`, [
    { result: 'the first' },
  ])
  t.strictSame(told.unstorable, [leases[1]!.run], 'it is told')
})

t.test('an outcome whose lease is gone is refused, and only that one', async (t) => {
  await clear()
  const { flusher, told } = flusherOf(db)
  const [mine, stolen, reclaimed, gone] = (await lease(sql, 4)) as [Lease, Lease, Lease, Lease]
  await sql`update rowbeat_queue._private_jobs set locked_by = 'pool-2' where id = ${stolen.job}`
  await sql`update rowbeat_queue._private_jobs set attempts = 2 where id = ${reclaimed.job}`
  await sql`delete from rowbeat_queue._private_jobs where id = ${gone.job}`
  for (const one of [mine, stolen, reclaimed, gone]) flusher.push(ended(one))
  await flusher.drained()
  t.strictSame(told.finished, [mine.run])
  t.strictSame(told.refused.toSorted(), [stolen.run, reclaimed.run, gone.run].toSorted())
  t.match(await count(sql), { jobs: 2, good: 1 })
  t.match(await sql`select locked_by, attempts from rowbeat_queue._private_jobs order by id`, [
    { locked_by: 'pool-2', attempts: 1 },
    { locked_by: 'pool-1', attempts: 2 },
  ])
})

t.test('when only the answer was lost, the outcome is neither stored twice nor called refused', async (t) => {
  await clear()
  let losses = 3
  const forgetful: Queryable = {
    async query(text, parameters) {
      const rows = await db.query<any>(text, parameters)
      if (losses > 0 && losses--) throw new Error('Connection terminated unexpectedly')
      return rows
    },
  }
  const { flusher, told } = flusherOf(forgetful)
  const leases = await lease(sql, 10)
  leases.forEach((one, i) =>
    flusher.push(
      ended(
        one,
        i < 5 ? {} : { state: 'PARK', reason: 'snooze', delay: 3600, result: undefined, outcome: 'snooze' },
      ),
    ),
  )
  await flusher.drained()
  t.match(await count(sql), { jobs: 0, good: 5, parked: 5 })
  t.equal(told.finished.length, 10)
  t.strictSame(told.refused, [])
  t.equal(told.trouble, 3)
})

t.test('a store that is away is waited for, and too many outcomes make room close', async (t) => {
  await clear()
  let away = true
  const { flusher, told } = flusherOf({
    query: async (text, parameters) => {
      if (away) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' })
      return await db.query<any>(text, parameters)
    },
  })
  t.equal(flusher.room(), null)
  const leases = await lease(sql, PENDING_MAX + 10)
  for (const one of leases) flusher.push(ended(one))
  const room = flusher.room()
  t.ok(room, 'claims must wait')
  await until('it was tried more than once', () => told.trouble > 2)
  t.equal(flusher.pending, PENDING_MAX + 10)
  away = false
  await room
  t.ok(flusher.pending <= PENDING_MAX / 2)
  await flusher.drained()
  t.match(await count(sql), { jobs: 0, good: PENDING_MAX + 10 })
})

t.test('a row that nothing can end is told and let go', async (t) => {
  const { flusher, told } = flusherOf({
    query: async () => {
      throw Object.assign(new Error('permission denied'), { code: '42501' })
    },
  })
  flusher.push(ended({ job: '1', run: randomUUID() }))
  await flusher.drained()
  t.match([told.finished.length, told.trouble, flusher.pending], [0, 1, 0])
})
