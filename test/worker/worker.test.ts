/** A worker on a real database: each fate a run can have, and the rows it leaves (contract.md, States). */
import t, { type Test } from 'tap'
import type postgres from 'postgres'
import { z } from 'zod'
import { createWorker, task } from '../../src/index.ts'
import type { Rowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { scripted, type Script } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

t.setTimeout(60_000)

const strict = task('test.strict', { input: z.object({ x: z.number() }), attemptsMax: 5 }, ({ x }) => x)
const grudging = task(
  'test.grudging',
  { attemptsMax: ({ times }: { times: number }) => times + 1, retry: { backoff: 'constant', base: 0.05 } },
  (_: { times: number }) => 'fine',
)
const talker = task(
  'test.talker',
  {},
  async ({ ms = 0, fail = false }: { ms?: number; fail?: boolean }, context) => {
    for (let step = 1; step <= 50; step++) context.progress(step, 200, { step })
    context.log.info('half way', { step: 50 })
    context.log.error('nul \u0000 and \ud800', { n: 1n })
    await new Promise((resolve) => setTimeout(resolve, ms))
    if (fail) throw new Error('after it told')
    return 'told'
  },
)

const finished = async (sql: postgres.Sql, id: string): Promise<any> =>
  await until(
    `run ${id} has a result`,
    async () => (await sql`select * from rowbeat.results where id = ${id}`)[0],
  )
const tries = (sql: postgres.Sql, id: string) =>
  sql`select attempt, outcome, worker, started_at, finished_at, error, retry_at from rowbeat.attempts where run_id = ${id} order by id`
const places = async (sql: postgres.Sql, id: string): Promise<object> =>
  (
    await sql`select (select count(*)::int from rowbeat_queue._private_jobs where key = ${id}) as queued,
    (select count(*)::int from rowbeat.parked where id = ${id}) as parked,
    (select count(*)::int from rowbeat.results where id = ${id}) as finished`
  )[0]!

t.test('every fate of a run', async (t) => {
  const { url, sql } = await setup(t)
  const { rowbeat } = await startWorker(t, url, { tasks: [scripted, strict, grudging, talker], name: 'w1' })
  const start = (script: Script, options = {}) => rowbeat.enqueue(scripted, script, options)

  await t.test('what it returns is its result', async (t) => {
    const { id } = await start(
      { value: { a: [1, 'два', null] } },
      { tags: ['x'], headers: { h: 1 }, priority: 3 },
    )
    t.match(await finished(sql, id), {
      task: 'test.scripted',
      queue: 'default',
      state: 'SUCCESS',
      reason: null,
      result: { a: [1, 'два', null] },
      error: null,
      attempt: 1,
      attempts_max: 1,
      redeliveries: 0,
      worker: 'w1',
      priority: 3,
      tags: ['x'],
      headers: { h: 1 },
      started_at: Date,
      finished_at: Date,
    })
    t.strictSame(await places(sql, id), { queued: 0, parked: 0, finished: 1 })
    t.strictSame([...(await tries(sql, id))], [], 'a try that went well leaves none')
  })

  await t.test('an error is a FAILURE with its name, stack and cause', async (t) => {
    const { id } = await start({ fate: 'fail', message: 'boom' })
    const expected = {
      name: 'TypeError',
      message: 'boom',
      stack: /test\/helpers\/tasks\.ts:\d+/,
      cause: { message: 'the cause' },
    }
    t.match(await finished(sql, id), {
      state: 'FAILURE',
      reason: 'error',
      result: null,
      error: expected,
      attempt: 1,
    })
    t.match(await tries(sql, id), [
      {
        attempt: 1,
        outcome: 'failed',
        worker: 'w1',
        started_at: Date,
        finished_at: Date,
        error: expected,
        retry_at: null,
      },
    ])
  })

  await t.test('a run is tried again until it goes well', async (t) => {
    const options = { attemptsMax: 4, retry: { backoff: 'constant', base: 0.05 } } as const
    const { id } = await start({ fate: 'fail', times: 2 }, options)
    t.match(await finished(sql, id), {
      state: 'SUCCESS',
      result: 3,
      attempt: 3,
      attempts_max: 4,
      reason: null,
    })
    t.match(await tries(sql, id), [
      { attempt: 1, outcome: 'retry', retry_at: Date, error: { name: 'TypeError' } },
      { attempt: 2, outcome: 'retry', retry_at: Date },
    ])
  })

  await t.test('after the last try it is attempts_exhausted', async (t) => {
    const { id } = await start({ fate: 'retry', again: 20 }, { attemptsMax: 2 })
    t.match(await finished(sql, id), {
      state: 'FAILURE',
      reason: 'attempts_exhausted',
      attempt: 2,
      attempts_max: 2,
    })
    t.match(await tries(sql, id), [{ outcome: 'retry' }, { outcome: 'failed' }])
  })

  await t.test('while it waits for another try its state is RETRY', async (t) => {
    const { id } = await start({ fate: 'retry', again: 60_000 }, { attemptsMax: 2 })
    const run = await until('it is parked', async () => {
      const found = await rowbeat.run(scripted, id).get()
      return found?.state === 'RETRY' && found
    })
    t.match(run, { state: 'RETRY', reason: 'retry', attempt: 1, attemptsMax: 2, worker: null })
    t.ok(Math.abs(Date.parse(run.runAt) - Date.now() - 60_000) < 10_000)
    t.strictSame(await places(sql, id), { queued: 0, parked: 1, finished: 0 })
  })

  await t.test('a snooze does not count as a try', async (t) => {
    const { id } = await start({ fate: 'snooze', times: 2, again: 20 })
    t.match(await finished(sql, id), { state: 'SUCCESS', result: 1, attempt: 1, attempts_max: 1 })
    t.match(await tries(sql, id), [
      { attempt: 1, outcome: 'snooze', retry_at: Date, error: null },
      { attempt: 1, outcome: 'snooze' },
    ])
    const long = await start({ fate: 'snooze', again: 60_000 })
    const run = await until('it sleeps', async () => {
      const found = await long.get()
      return found?.state === 'SCHEDULED' && found
    })
    t.match(run, { reason: 'snooze', attempt: 0 })
  })

  await t.test('Discard ends it whatever tries are left', async (t) => {
    const { id } = await start({ fate: 'discard', message: 'never' }, { attemptsMax: 9 })
    t.match(await finished(sql, id), {
      state: 'FAILURE',
      reason: 'discarded',
      attempt: 1,
      attempts_max: 9,
      error: { name: 'Discard', message: 'never' },
    })
  })

  await t.test('a run past its expiry is REVOKED unrun', async (t) => {
    const { id } = await start({ value: 'ran' }, { expires: '1ms', delay: '100ms' })
    t.match(await finished(sql, id), {
      state: 'REVOKED',
      reason: 'expired',
      attempt: 0,
      started_at: null,
      result: null,
    })
    t.strictSame([...(await tries(sql, id))], [])
  })

  await t.test('input from SQL is checked by the worker, once', async (t) => {
    const [row] = await sql`select rowbeat.enqueue('test.strict', '{"x":"one"}') as id`
    t.match(await finished(sql, row!.id), {
      state: 'FAILURE',
      reason: 'input_invalid',
      attempt: 1,
      error: { code: 'RB_INPUT_INVALID', message: /\/input\/x/ },
    })
    t.match(await tries(sql, row!.id), [{ outcome: 'failed' }])
  })

  await t.test('an attemptsMax that cannot read its input ends the run, not the worker', async (t) => {
    const [row] = await sql`select rowbeat.enqueue('test.grudging', 'null') as id`
    t.match(await finished(sql, row!.id), { state: 'SUCCESS', attempts_max: 1 })
  })

  await t.test('a result that cannot be stored is a FAILURE that names the place', async (t) => {
    const bad = task('test.bad', {}, () => 1n)
    const other = await startWorker(t, url, { tasks: [bad], name: 'w2' })
    const { id } = await other.rowbeat.enqueue(bad)
    t.match(await finished(sql, id), {
      state: 'FAILURE',
      error: { name: 'OutcomeNotStorable', message: /bigint/ },
    })
  })

  await progressAndLogs(t, rowbeat, sql)

  await t.test('a task nobody knows stays queued', async (t) => {
    const [row] = await sql`select rowbeat.enqueue('nobody.knows') as id`
    const other = await start({})
    await finished(sql, other.id)
    t.strictSame(await places(sql, row!.id), { queued: 1, parked: 0, finished: 0 })
    t.match(await rowbeat.run(null, row!.id).get(), { state: 'PENDING', attempt: 0, worker: null })
  })

  await t.test('a queue nobody serves keeps its runs', async (t) => {
    const { id } = await start({}, { queue: 'elsewhere' })
    await finished(sql, (await start({})).id)
    t.equal(await rowbeat.run(null, id).state(), 'PENDING')
  })
})

async function progressAndLogs(t: Test, rowbeat: Rowbeat, sql: postgres.Sql): Promise<void> {
  await t.test('progress is seen while it runs and kept in the result', async (t) => {
    const run = await rowbeat.enqueue(talker, { ms: 1800 })
    const seen = await until('its progress is seen', async () => {
      const found = await run.get()
      return found?.state === 'PROGRESS' && found
    })
    t.match(seen, {
      progress: { current: 50, total: 200, percent: 25, meta: { step: 50 }, at: String },
      worker: 'w1',
      attempt: 1,
      startedAt: String,
    })
    t.equal(await run.result(), 'told')
    t.match(await finished(sql, run.id), {
      progress: { current: 50, total: 200, percent: 25, meta: { step: 50 } },
    })
    t.strictSame([...(await sql`select * from rowbeat.progress where run_id = ${run.id}`)], [])
  })

  await t.test('progress is kept for a run that failed', async (t) => {
    const { id } = await rowbeat.enqueue(talker, { ms: 250, fail: true })
    t.match(await finished(sql, id), { state: 'FAILURE', progress: { current: 50 } })
  })

  await t.test('what it logs is kept with the run', async (t) => {
    const { id } = await rowbeat.enqueue(talker, {})
    const lines = await until('two lines are stored', async () => {
      const rows =
        await sql`select attempt, level, message, data from rowbeat.logs where run_id = ${id} order by seq`
      return rows.length === 2 && rows
    })
    t.match(lines, [
      { attempt: 1, level: 'info', message: 'half way', data: { step: 50 } },
      { attempt: 1, level: 'error', message: 'nul \ufffd and \ufffd', data: { unstorable: /bigint/ } },
    ])
  })
}

t.test('it claims better priorities first and never runs more at once than a queue may', async (t) => {
  const { url, sql } = await setup(t)
  const order: number[] = []
  const inside: Record<string, number> = {}
  const most: Record<string, number> = {}
  const first = task('test.first', {}, (input: { n: number }) => void order.push(input.n))
  const count = task('test.count', {}, async (_: object, { run }) => {
    inside[run.queue] = (inside[run.queue] ?? 0) + 1
    most[run.queue] = Math.max(most[run.queue] ?? 0, inside[run.queue]!)
    await new Promise((resolve) => setTimeout(resolve, 5))
    inside[run.queue]!--
  })
  const idle = await startWorker(t, url, { tasks: [first, count], queues: { idle: 1 } })
  await idle.rowbeat.enqueueMany(
    [5, -1, 0, 3, -7, 2].map((n) => ({ task: first, input: { n }, priority: n, queue: 'one' })),
  )
  const items = (queue: string) => Array.from({ length: 60 }, () => ({ task: count, input: {}, queue }))
  await idle.rowbeat.enqueueMany([...items('two'), ...items('three')])
  await startWorker(t, url, { tasks: [first, count], queues: { one: 1, two: 2, three: 3 }, prefetch: 0 })
  await until(
    'all ran',
    async () => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n === 126,
  )
  t.strictSame(order, [-7, -1, 0, 2, 3, 5])
  t.strictSame(most, { two: 2, three: 3 })
})

t.test('two workers share forty runs of half a second', async (t) => {
  const { url, sql } = await setup(t)
  const workers = await Promise.all(['a', 'b'].map((name) => startWorker(t, url, { name })))
  await workers[0]!.rowbeat.enqueueMany(
    Array.from({ length: 40 }, () => ({ task: scripted, input: { ms: 500 } })),
  )
  await until('all ran', async () => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n === 40)
  const shares =
    await sql`select worker, count(*)::int as n from rowbeat.results group by worker order by worker`
  t.equal(shares.length, 2)
  t.ok(
    shares.every(({ n }) => n >= 15),
    `they did ${shares.map(({ n }) => n).join(' and ')}`,
  )
  const [span] =
    await sql`select extract(epoch from max(finished_at) - min(started_at))::float8 as s from rowbeat.results`
  t.ok(span!.s < 1.6, `${span!.s} s instead of 1.0`)
})

t.test('held runs that no slot takes go back to the queue, prepared or not', async (t) => {
  for (const prepare of [true, false]) {
    const { url, sql } = await setup(t)
    const { worker, rowbeat } = await startWorker(t, url, { queues: { default: 2 }, prefetch: 30, prepare })
    await rowbeat.enqueueMany(Array.from({ length: 6 }, () => ({ task: scripted, input: { ms: 600 } })))
    await until('held runs went back', async () => {
      const [row] =
        await sql`select count(*)::int as n from rowbeat_queue._private_jobs where locked_at is null`
      return row!.n > 0 && worker.running === 2
    })
    await rowbeat.enqueueMany(Array.from({ length: 30 }, () => ({ task: scripted, input: {} })))
    await until(
      'all ran',
      async () => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n === 36,
    )
    const [row] =
      await sql`select max(attempt) as attempt, max(redeliveries) as redeliveries from rowbeat.results`
    t.match(row, { attempt: 1, redeliveries: 0 })
  }
})

t.test('a worker that cannot work says why at its start', async (t) => {
  const { url, sql } = await setup(t)
  const empty = await setup(t, { empty: true })
  const start = (databaseUrl: string) => createWorker({ databaseUrl, tasks: [scripted] }).start()
  await t.rejects(start(empty.url), { code: 'RB_SCHEMA_BEHIND', message: /rowbeat migrate/ })
  await t.rejects(start('postgres://nobody@127.0.0.1:1/none'), { code: 'RB_DB_UNREACHABLE' })
  await sql`alter table rowbeat_queue._private_jobs add column novelty int`
  await t.rejects(start(url), { code: 'RB_QUEUE_UNKNOWN_VERSION' })
  t.throws(() => createWorker({ databaseUrl: url, tasks: [] }), { message: /knows no task/ })
  t.throws(() => createWorker({ databaseUrl: url, tasks: [scripted], queues: { default: 0 } }), {
    message: /concurrency must be/,
  })
})
