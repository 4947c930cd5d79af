/** The handle of a run: what it answers at each moment, how it waits, and how a stored failure comes back as data. */
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import t from 'tap'
import { createRowbeat, type Run } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until, within } from '../helpers/wait.ts'

const { url, sql, admin } = await setup(t)
const rowbeat = createRowbeat({ databaseUrl: url })
t.teardown(() => rowbeat.close())

/** What a worker's finish statement leaves. */
async function finish(
  id: string,
  values: { state?: string; reason?: string; result?: unknown; error?: unknown },
  ring = true,
): Promise<void> {
  const { state = 'SUCCESS', reason = null, result = null, error = null } = values
  await sql`with j as (delete from rowbeat_queue._private_jobs where key = ${id}) insert into rowbeat.results
    (id, task, queue, state, reason, priority, input, result, error, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    values (${id}, 'r.run', 'default', ${state}, ${reason}, 0, '{}', ${JSON.stringify(result)}::text::jsonb, ${JSON.stringify(error)}::text::jsonb,
      1, 1, 0, now(), now(), now(), now() + interval '1 day')`
  if (ring) await sql`select pg_notify('rowbeat_runs', ${id})`
}

t.test('a run is asked for its state, itself, and its result', async (t) => {
  const run = await rowbeat.enqueue('r.run', { n: 1 })
  t.equal(run.created, true)
  t.equal(await run.state(), 'PENDING')
  t.match(await run.get(), {
    id: run.id,
    task: 'r.run',
    state: 'PENDING',
    result: null,
    error: null,
    attemptsMax: 1,
    uniqueKey: null,
  })
  await t.rejects(run.result({ timeout: '50ms' }), {
    name: 'ResultError',
    code: 'RB_RESULT_TIMEOUT',
    message: new RegExp(`^run ${run.id} is PENDING and had no result within 0.05 s`),
  })
  await t.rejects(run.forget(), {
    code: 'RB_RUN_LIVE',
    message: /is PENDING: only a finished run can be forgotten/,
  })
  await t.rejects(run.result({ timeout: 'soon' as never }), {
    code: 'RB_CONFIG_INVALID',
    message: /^timeout is "soon"/,
  })
  await finish(run.id, { result: { rows: [1] } })
  t.strictSame(await run.result(), { rows: [1] })
  t.equal(await run.state(), 'SUCCESS')
})

t.test('an unknown id is an error or null, never PENDING, whatever it looks like', async (t) => {
  for (const id of ['0192a0f0-0000-7000-8000-0000000000ff', 'nonsense', '', "' or true --"]) {
    const run = rowbeat.run(null, id)
    t.equal(await run.get(), null, id)
    await t.rejects(run.state(), { name: 'ResultError', code: 'RB_RUN_NOT_FOUND' })
    await t.rejects(run.result(), { code: 'RB_RUN_NOT_FOUND' })
    await t.rejects(run.watch().next(), { code: 'RB_RUN_NOT_FOUND' })
    await t.rejects(run.forget(), { code: 'RB_RUN_NOT_FOUND' })
  }
})

t.test('an id in capitals is the same run, and is woken like it', async (t) => {
  const made = await rowbeat.enqueue('r.run')
  const result = rowbeat.run(null, made.id.toUpperCase()).result()
  const startedAt = performance.now()
  await finish(made.id, { result: 5 })
  t.equal(await result, 5)
  t.ok(performance.now() - startedAt < 400)
})

const ERROR = {
  name: 'TypeError',
  message: 'no such row',
  code: 'E1',
  stack: 'TypeError: no such row\n    at handler (tasks.ts:1:1)',
  cause: { name: 'Error', message: 'deeper', code: null, stack: null, cause: null },
}
const ENDS: [string, string, string, string][] = [
  ['FAILURE', 'error', 'RunFailed', 'RB_RUN_FAILED'],
  ['FAILURE', 'discarded', 'RunFailed', 'RB_RUN_FAILED'],
  ['FAILURE', 'input_invalid', 'RunFailed', 'RB_RUN_FAILED'],
  ['FAILURE', 'attempts_exhausted', 'AttemptsExhausted', 'RB_ATTEMPTS_EXHAUSTED'],
  ['FAILURE', 'time_limit', 'RunTimedOut', 'RB_RUN_TIMED_OUT'],
  ['FAILURE', 'worker_lost', 'WorkerLost', 'RB_WORKER_LOST'],
  ['REVOKED', 'revoked', 'RunRevoked', 'RB_RUN_REVOKED'],
  ['REVOKED', 'expired', 'RunRevoked', 'RB_RUN_REVOKED'],
]
t.test('how a run ended is thrown as an error of ours that carries the stored one as data', async (t) => {
  for (const [state, reason, name, code] of ENDS) {
    const run = await rowbeat.enqueue('r.run')
    await finish(run.id, { state, reason, error: ERROR })
    const thrown = await run.result().catch((error: unknown) => error)
    t.match(
      thrown,
      {
        name,
        code,
        reason,
        runId: run.id,
        message: 'TypeError: no such row',
        data: ERROR,
        stack: ERROR.stack,
      },
      reason,
    )
    t.notOk(thrown instanceof TypeError, 'no class is revived by its name')
    t.match(await run.get(), { state, reason, error: ERROR, result: null })
  }
  const run = await rowbeat.enqueue('r.run')
  await finish(run.id, { state: 'REVOKED', reason: 'replaced' })
  await t.rejects(run.result(), { name: 'RunRevoked', message: `run ${run.id} ended: replaced`, data: null })
})

t.test('a result arrives with its notification, also when it came between a look and the wait', async (t) => {
  const took: number[] = []
  for (let n = 0; n < 30; n++) {
    const run = await rowbeat.enqueue('r.run')
    const startedAt = performance.now()
    const [result] = await Promise.all([
      run.result(),
      pause(n / 10).then(() => finish(run.id, { result: n })),
    ])
    t.equal(result, n)
    took.push(performance.now() - startedAt)
  }
  t.ok(
    took.filter((ms) => ms > 400).length <= 1,
    `none waited for the poll: ${took
      .map(Math.round)
      .toSorted((a, b) => a - b)
      .slice(-3)}`,
  )
})

t.test('a lost notification costs a poll interval and nothing else', async (t) => {
  const run = await rowbeat.enqueue('r.run')
  const result = run.result({ timeout: '5s' })
  await finish(run.id, { result: 'found' }, false)
  t.equal(await within('the poll', Promise.resolve(result), 2000), 'found')
})

t.test('many wait for many, and one for one, on one LISTEN', async (t) => {
  const runs = await rowbeat.enqueueMany(
    Array.from({ length: 150 }, (_, n) => ({ task: 'r.run', input: { n } })),
  )
  const results = Promise.all([...runs, ...runs].map((run) => run.result({ timeout: '10s' })))
  await Promise.all(runs.map((run, n) => finish(run.id, { result: n }, false)))
  await sql`select pg_notify('rowbeat_runs', '*')`
  t.strictSame(await results, [...runs.keys(), ...runs.keys()])
  t.match(
    await admin`select count(*)::int as n from pg_stat_activity where query ilike 'listen%' and datname = current_database()`,
    [{ n: 1 }],
  )
})

t.test('watch tells the run now, each change, and ends with its end', async (t) => {
  const run = await rowbeat.enqueue('r.run', {}, { delay: '1h' })
  const seen: Run[] = []
  const done = (async () => {
    for await (const now of run.watch()) seen.push(now)
  })()
  await until('the first is seen', () => seen.length === 1)
  await sql`with p as (delete from rowbeat.parked where id = ${run.id} returning *) insert into rowbeat_queue._private_jobs (task_id, payload, key)
    select t.id, p.payload, p.id::text from p join rowbeat_queue._private_tasks t on t.identifier = p.queue || ':' || p.task`
  await sql`select pg_notify('rowbeat_runs', ${run.id})`
  await until('the second is seen', () => seen.length === 2)
  await sql`select pg_notify('rowbeat_runs', ${run.id})`
  await finish(run.id, { result: 1 })
  await within('the watch to end', done)
  t.strictSame(
    seen.map((now) => now.state),
    ['SCHEDULED', 'PENDING', 'SUCCESS'],
    'what did not change is not told twice',
  )
})

t.test('watch stops when its signal says so, or when the loop is left', async (t) => {
  const run = await rowbeat.enqueue('r.run')
  const stop = new AbortController()
  const states: string[] = []
  const done = (async () => {
    for await (const now of run.watch({ signal: stop.signal })) states.push(now.state)
  })()
  await until('it is watched', () => states.length === 1)
  stop.abort()
  await within('the watch to end', done, 400)
  for await (const now of run.watch()) if (now) break
  t.strictSame(states, ['PENDING'])
})

t.test('a finished run is remembered, and what a caller does to his copy is his own', async (t) => {
  const run = await rowbeat.enqueue('r.run')
  await finish(run.id, { result: { rows: [1] } })
  const first = (await run.result()) as { rows: number[] }
  first.rows.push(2)
  t.strictSame(await run.result(), { rows: [1] })
  const got = await run.get()
  t.throws(() => Object.assign(got!, { state: 'FAILURE' }), TypeError)
  await sql`delete from rowbeat.results where id = ${run.id}`
  t.strictSame(await run.result(), { rows: [1] }, 'it never changes, so nobody is asked again')
})

t.test('forget removes the run and all that belongs to it', async (t) => {
  const run = await rowbeat.enqueue('r.run')
  await sql`insert into rowbeat.attempts (run_id, attempt, outcome, finished_at) values (${run.id}, 1, 'failed', now())`
  await sql`insert into rowbeat.logs (run_id, at, attempt, level, message) values (${run.id}, now(), 1, 'info', 'x')`
  await finish(run.id, { result: 1 })
  t.equal(await run.result(), 1)
  await run.forget()
  t.equal(await run.get(), null)
  t.match(
    await sql`select (select count(*)::int from rowbeat.attempts where run_id = ${run.id}) as attempts, (select count(*)::int from rowbeat.logs where run_id = ${run.id}) as logs`,
    [{ attempts: 0, logs: 0 }],
  )
  await t.rejects(run.forget(), { code: 'RB_RUN_NOT_FOUND' })
})

t.test('who waits outlives a server that cuts every connection', async (t) => {
  // postgres.js leaves a rejection to nobody when a connection breaks while it asks for array types (src/db/connect.ts).
  const client = postgres(url, { max: 2, fetch_types: false, connection: { application_name: 'cut me' } })
  const own = createRowbeat({ db: client })
  const run = await own.enqueue('r.run')
  const result = run.result({ timeout: '10s' })
  await until(
    'it listens',
    async () =>
      (
        await admin`select from pg_stat_activity where datname = current_database() and application_name = 'cut me' and query ilike 'listen%'`
      ).length,
  )
  for (let n = 0; n < 5; n++) {
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'cut me'`
    await pause(100)
  }
  await finish(run.id, { result: 'still here' })
  t.equal(await result, 'still here')
  await own.close()
  await client.end({ timeout: 0 })
})
