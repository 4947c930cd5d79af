/** Time limits of handlers in the worker's own thread: asked to stop at the soft one, over at the hard one. */
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { createRowbeat, Retry, SoftTimeLimit, task } from '../../src/index.ts'
import { limitsOf } from '../../src/worker/limits.ts'
import { setup } from '../helpers/bundle.ts'
import { makeLedger } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

t.setTimeout(60_000)

const reasons = new Map<string, unknown>()
const ends = new Map<string, (value: unknown) => void>()

/** Does with its soft limit what its input says. */
const soft = task(
  'test.soft',
  { softTimeLimit: '100ms', timeLimit: '20s' },
  async ({ how }: { how: string }, { run, signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    reasons.set(run.id, signal.reason)
    if (how === 'throw it') signal.throwIfAborted()
    if (how === 'abort error') await pause(1000, undefined, { signal })
    if (how === 'something else') throw new TypeError('could not clean up')
    if (how === 'retry') throw new Retry({ in: 0 })
    return how
  },
)
/** Takes no notice of anything until the test ends it. */
const deaf = task('test.deaf', { timeLimit: '150ms', attemptsMax: 3 }, async (_: object, { run, signal }) => {
  const answer = await new Promise((resolve) => ends.set(run.id, resolve))
  reasons.set(run.id, signal.reason)
  return answer
})
const quick = task('test.quick', { timeLimit: '1h', softTimeLimit: '30m' }, () => 'done')
const bare = task('test.bare', {}, async (_: object, { run, signal }) => {
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  reasons.set(run.id, signal.reason)
  signal.throwIfAborted()
})
const late: { failed?: unknown } = {}
const ledgered = task(
  'test.ledgered',
  { transactional: true, timeLimit: '200ms' },
  async ({ ms = 600_000 }: { ms?: number }, { run, tx }) => {
    const insert = async () =>
      tx.unsafe
        ? tx.unsafe('insert into ledger (run, attempt) values ($1, 1)', [run.id])
        : tx.query('insert into ledger (run, attempt) values ($1, 1)', [run.id])
    await insert()
    await Promise.race([
      pause(ms, undefined, { ref: false }),
      new Promise((resolve) => ends.set(run.id, resolve)),
    ])
    await insert().catch((error: unknown) => {
      late.failed = error
      throw error
    })
  },
)
const tasks = [soft, deaf, quick, bare, ledgered]

const { url, sql } = await setup(t)
await makeLedger(sql)
const { rowbeat, heard, worker } = await startWorker(t, url, { tasks, queues: { default: 4 } })

t.test('the soft limit aborts the signal; what the handler makes of it is its answer', async (t) => {
  const returned = await rowbeat.enqueue(soft, { how: 'returned' })
  t.equal(await returned.result(), 'returned', 'a value is a success')
  const reason = reasons.get(returned.id)
  t.ok(reason instanceof SoftTimeLimit)
  t.match(reason, { code: 'RB_SOFT_TIME_LIMIT', message: 'the soft time limit of 0.1 s has passed.' })
  for (const [how, cause] of [
    ['throw it', null],
    ['abort error', { name: 'AbortError' }],
  ] as const) {
    const run = await rowbeat.enqueue(soft, { how })
    await t.rejects(run.result(), { name: 'RunTimedOut', code: 'RB_RUN_TIMED_OUT', reason: 'time_limit' })
    t.match(await run.get(), {
      state: 'FAILURE',
      reason: 'time_limit',
      attempt: 1,
      error: { name: 'SoftTimeLimit', code: 'RB_SOFT_TIME_LIMIT', cause },
    })
  }
  const other = await rowbeat.enqueue(soft, { how: 'something else' })
  await t.rejects(other.result(), { name: 'RunFailed', reason: 'error', message: /TypeError: could not/ })
})

t.test('a try that obeyed its soft limit counts, and is made again while tries are left', async (t) => {
  const run = await rowbeat.enqueue(
    soft,
    { how: 'throw it' },
    { attemptsMax: 2, retry: { base: 0 }, softTimeLimit: '50ms' },
  )
  await t.rejects(run.result(), { code: 'RB_RUN_TIMED_OUT' })
  t.match(await run.get(), { attempt: 2, softTimeLimit: 0.05, timeLimit: 20 })
  const attempts =
    await sql`select outcome, error->>'name' as name from rowbeat.attempts where run_id = ${run.id} order by attempt`
  t.strictSame(
    [...attempts].map((row) => ({ ...row })),
    [
      { outcome: 'retry', name: 'SoftTimeLimit' },
      { outcome: 'failed', name: 'SoftTimeLimit' },
    ],
  )
  const meant = await rowbeat.enqueue(soft, { how: 'retry' }, { attemptsMax: 2 })
  await t.rejects(meant.result(), { name: 'AttemptsExhausted' }, 'a Retry of its own stays one')
})

t.test(
  'the hard limit ends a run that listens to nobody: no retry, its slot is free, its word refused',
  async (t) => {
    const startedAt = performance.now()
    const runs = await rowbeat.enqueueMany(Array.from({ length: 4 }, () => ({ task: deaf, input: {} })))
    await Promise.all(runs.map((run) => t.rejects(run.result(), { code: 'RB_RUN_TIMED_OUT' })))
    const took = performance.now() - startedAt
    t.ok(took > 140 && took < 1500, `ended after ${took.toFixed(0)} ms`)
    t.equal(await (await rowbeat.enqueue(quick, {})).result(), 'done', 'all four slots are free')
    t.match(await runs[0]!.get(), {
      state: 'FAILURE',
      reason: 'time_limit',
      attempt: 1,
      attemptsMax: 3,
      error: {
        name: 'TimeLimitExceeded',
        code: 'RB_TIME_LIMIT',
        message: 'the run was ended at its time limit of 0.15 s.',
      },
    })
    const refused = heard.refused.length
    for (const run of runs) ends.get(run.id)!('too late')
    await until('their words are refused', () => heard.refused.length === refused + 4)
    t.match(await runs[0]!.get(), { state: 'FAILURE', result: null })
    t.match(reasons.get(runs[0]!.id), { name: 'TimeLimitExceeded' })
  },
)

t.test('the limits of a call, and none: 0', async (t) => {
  const run = await rowbeat.enqueue(deaf, {}, { timeLimit: '0.02s' })
  await t.rejects(run.result(), { message: /time limit of 0\.02 s/ })
  const patient = await rowbeat.enqueue(deaf, {}, { timeLimit: 0 })
  await until('it runs', () => ends.get(patient.id))
  await pause(250)
  ends.get(patient.id)!('in its own time')
  t.equal(await patient.result(), 'in its own time')
})

t.test('a soft limit longer than the hard one is refused where it is given', async (t) => {
  t.throws(() => task('x', { timeLimit: 1, softTimeLimit: 2 }, () => {}), { code: 'RB_TASK_INVALID' })
  const refusal = { code: 'RB_OPTION_INVALID', faults: [{ pointer: '/soft_time_limit' }] }
  await t.rejects(rowbeat.enqueue(quick, {}, { softTimeLimit: '2h' }), refusal)
  await t.rejects(rowbeat.enqueue(quick, {}, { timeLimit: 1, softTimeLimit: 2 }), refusal)
  t.ok(await rowbeat.enqueue(quick, {}, { timeLimit: 0, softTimeLimit: '2h' }), 'none is the longest')
})

t.test(
  'a transactional run at its hard limit: rolled back at once, one outcome, and its handle is dead',
  async (t) => {
    const run = await rowbeat.enqueue(ledgered, {})
    await t.rejects(run.result(), { code: 'RB_RUN_TIMED_OUT' })
    await until(
      'its transaction is over',
      async () =>
        (
          await sql`select from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`
        ).length === 0,
    )
    ends.get(run.id)!(null)
    await until('its handler has tried again', () => late.failed)
    t.match(late.failed, { code: 'RB_TRANSACTION_OVER' })
    t.strictSame([...(await sql`select from ledger`)], [])
    const good = await rowbeat.enqueue(ledgered, { ms: 1 })
    await good.result()
    t.equal((await sql`select from ledger where run = ${good.id}`).length, 2)
  },
)

t.test(
  'whichever comes first, commit or limit: exactly one outcome, and the effects agree with it',
  async (t) => {
    await sql`truncate ledger`
    const runs = await rowbeat.enqueueMany(
      Array.from({ length: 60 }, (_, i) => ({ task: ledgered, input: { ms: 170 + i } })),
    )
    await Promise.allSettled(runs.map((run) => run.result({ timeout: '30s' })))
    const [row] =
      await sql`select count(*)::int as ended, count(*) filter (where state = 'SUCCESS')::int as good,
      count(*) filter (where state = 'SUCCESS' and (select count(*) from ledger l where l.run = r.id) = 2
        or state = 'FAILURE' and not exists (select from ledger l where l.run = r.id))::int as agree
    from rowbeat.results r where id = any (${runs.map((run) => run.id)})`
    t.match(row, { ended: 60, agree: 60 })
    t.comment(`${row!.good} of 60 came before their limit`)
  },
)

t.test('over node-postgres too', async (t) => {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  await worker.stop({ grace: 0 })
  const other = await startWorker(t, url, { tasks, db: pool, softTimeLimit: '80ms' })
  t.teardown(() => pool.end())
  delete late.failed
  const run = await other.rowbeat.enqueue(ledgered, {})
  await t.rejects(run.result(), { code: 'RB_RUN_TIMED_OUT' })
  await until('the connection is free', () => pool.idleCount === 1)
  ends.get(run.id)!(null)
  await until('its handler has tried again', () => late.failed)
  t.match(late.failed, { code: 'RB_TRANSACTION_OVER' })
  const unlimited = await other.rowbeat.enqueue(bare, {})
  await t.rejects(
    unlimited.result(),
    { code: 'RB_RUN_TIMED_OUT' },
    'the worker has a limit where nobody else says',
  )
})

t.test('whose limit counts: the call, what was set at run time, the task, the worker', async (t) => {
  const limited = task('x', { timeLimit: '10s', softTimeLimit: 4 }, () => {})
  const base = { hardMs: 60_000, softMs: 0 }
  const set = { timeLimit: 3 }
  t.strictSame(limitsOf({ input: {} }, quick, base), { hardMs: 3_600_000, softMs: 1_800_000 })
  t.strictSame(limitsOf({ input: {} }, bare, base), base)
  t.equal(limitsOf({ input: {} }, bare, { hardMs: 0, softMs: 0 }), null)
  t.strictSame(limitsOf({ input: {}, time_limit: 5 }, limited, base), { hardMs: 5000, softMs: 4000 })
  t.strictSame(limitsOf({ input: {}, time_limit: 10 }, limited, base, set), { hardMs: 3000, softMs: 4000 })
  t.strictSame(limitsOf({ input: {}, time_limit: 5 }, limited, base, set), { hardMs: 5000, softMs: 4000 })
  t.strictSame(limitsOf({ input: {} }, bare, base, set), { hardMs: 3000, softMs: 0 })
  t.equal(limitsOf({ input: {}, time_limit: 0 }, bare, base), null, '0 is none')
})

t.test('a task nobody imported can have limits by SQL', async (t) => {
  const plain = createRowbeat({ databaseUrl: url })
  t.teardown(() => plain.close())
  const run = await plain.enqueue('test.nobody', {}, { timeLimit: 2, softTimeLimit: 1 })
  t.match(await run.get(), { timeLimit: 2, softTimeLimit: 1 })
})
