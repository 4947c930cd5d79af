/** runNow and the eager rowbeat: a task without a database, and still with all that its runs would meet. */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import * as v from 'valibot'
import { currentRun, Discard, EnqueueError, Retry, Snooze, task, type Rowbeat } from '../../src/index.ts'
import { createEagerRowbeat, expectEnqueued, runNow } from '../../src/testing/testing.ts'
import { setup } from '../helpers/bundle.ts'

class Refused extends Error {}
const tries: number[] = []
const flaky = task(
  't.flaky',
  { attemptsMax: 3, retry: { base: '1 hour', when: (error) => error instanceof Refused } },
  async ({ until = 3, wrong }: { until?: number; wrong?: boolean }, { run }) => {
    tries.push(run.attempt)
    await turn()
    if (wrong) throw new TypeError('of another kind')
    if (run.attempt < until) throw new Refused(`try ${run.attempt}`)
    return { attempt: run.attempt, of: run.attemptsMax }
  },
)
const checked = task(
  't.checked',
  {
    input: v.object({
      at: v.pipe(
        v.string(),
        v.transform((text) => new Date(text)),
      ),
      n: v.optional(v.number(), 2),
    }),
  },
  ({ at, n }) => ({ year: at.getUTCFullYear(), n, at }),
)

t.test('input and result go through JSON, the schema included', async (t) => {
  t.same(await runNow(checked, { at: '2026-01-01T00:00:00Z' }), {
    year: 2026,
    n: 2,
    at: '2026-01-01T00:00:00.000Z',
  })
  await t.rejects(runNow(checked, { at: 5 as unknown as string }), {
    constructor: EnqueueError,
    code: 'RB_INPUT_INVALID',
    faults: [{ pointer: '/input/at' }],
  })
  const plain = task('t.plain', {}, (input: any) => input)
  await t.rejects(runNow(plain, { big: 1n } as any), { code: 'RB_INPUT_INVALID' })
  const given = { list: [1] }
  const back = await runNow(plain, given)
  t.same(back, given)
  t.not(back, given, 'a copy')
  await t.rejects(runNow(task('t.big', {}, () => 1n as unknown as number)), {
    code: 'RB_RUN_FAILED',
    message: /cannot be stored: \/result is a bigint/,
  })
  t.equal(await runNow(task('t.void', {}, () => {})), null)
  t.equal(await runNow(task('t.ignored', { ignoreResult: true }, () => 7)), null)
})

t.test('tries follow one another at once, or the first error is thrown as it was', async (t) => {
  tries.length = 0
  t.same(await runNow(flaky, {}), { attempt: 3, of: 3 })
  t.same(tries, [1, 2, 3])
  await t.rejects(runNow(flaky, {}, { retries: false }), { constructor: Refused, message: 'try 1' })
  await t.rejects(runNow(flaky, { until: 9 }), { constructor: Refused, message: 'try 3' })
  await t.rejects(runNow(flaky, { until: 9 }, { attemptsMax: 5 }), { message: 'try 5' })
  await t.rejects(runNow(flaky, { wrong: true }), { constructor: TypeError } as any)
  let times = 0
  const snoozing = task('t.snoozing', {}, (_: unknown, { run }) => {
    if (times++ < 3) throw new Snooze('1 day')
    return run.attempt
  })
  t.equal(await runNow(snoozing), 1, 'a snooze is no try')
  await t.rejects(runNow(task('t.forever', {}, () => Promise.reject(new Snooze('1 day')))), {
    message: /without end/,
  })
  await t.rejects(runNow(task('t.gone', { attemptsMax: 3 }, () => Promise.reject(new Discard('no')))), {
    message: 'no',
  })
  const again = task('t.again', { attemptsMax: 2 }, (_: unknown, { run }) => {
    if (run.attempt === 1) throw new Retry({ in: '1 day' })
    return 'done'
  })
  t.equal(await runNow(again), 'done')
})

t.test('the context is a real one', async (t) => {
  const progress: unknown[] = []
  const lines: unknown[] = []
  const curious = task('t.curious', { queue: 'high' }, (_: unknown, context) => {
    const { run, log, progress: tell } = context
    tell(1, 4, { page: 1 })
    log.warn('careful', { x: 1 })
    return { run, same: currentRun() === context, aborted: context.signal.aborted }
  })
  const stop = new AbortController()
  stop.abort(new Error('enough'))
  const { run, same, aborted } = await runNow(
    curious,
    {},
    {
      tags: ['a'],
      headers: { h: 1 },
      onProgress: (one) => progress.push(one),
      onLog: (line) => lines.push(line),
      signal: stop.signal,
    },
  )
  t.match(run, {
    task: 't.curious',
    queue: 'high',
    attempt: 1,
    attemptsMax: 1,
    tags: ['a'],
    headers: { h: 1 },
  })
  t.ok(same && aborted)
  t.same(progress, [{ current: 1, total: 4, meta: { page: 1 } }])
  t.same(lines, [{ level: 'warn', message: 'careful', data: { x: 1 } }])
})

t.test('middleware stands around it, time limits hold, an isolated task runs here', async (t) => {
  const seen: string[] = []
  const value = await runNow(
    flaky,
    { until: 2 },
    {
      middleware: [
        async (_, next) => [await next()],
        {
          retry: (_, error) => seen.push((error as Error).message),
          after: (_, { state }) => seen.push(state),
        },
      ],
    },
  )
  t.match(value, [{ attempt: 2 }])
  t.same(seen, ['try 1', 'RETRY', 'SUCCESS'])
  const hanging = task('t.hanging', { timeLimit: '30ms' }, () => new Promise(() => {}))
  await t.rejects(runNow(hanging), { code: 'RB_RUN_TIMED_OUT', reason: 'time_limit' })
  await t.rejects(runNow(flaky, {}, { expires: 0 }), { code: 'RB_RUN_REVOKED', reason: 'expired' })
  t.equal(await runNow(task('t.apart', { isolate: 'thread' }, () => 5)), 5)
})

t.test('a transactional task gets its transaction from db, and says so without', async (t) => {
  const { sql } = await setup(t)
  await sql`create table notes (x int)`
  const note = task(
    't.note',
    { transactional: true },
    async ({ x }: { x: number }, { tx, run, log, progress, signal }) => {
      log.info(`${run.task} ${String(signal.aborted)}`)
      progress(1)
      t.equal(currentRun()?.tx, tx)
      await tx.unsafe('insert into notes values ($1)', [x])
      if (x > 1) throw new Error('too much')
    },
  )
  await runNow(note, { x: 1 }, { db: sql })
  await t.rejects(runNow(note, { x: 2 }, { db: sql }), { message: 'too much' })
  await sql
    .begin(async (tx) => {
      await runNow(note, { x: 0 }, { db: tx })
      await t.rejects(runNow(note, { x: 3 }, { db: tx }))
      t.equal((await tx`select from notes`).length, 2, 'inside a transaction of the test it is a savepoint')
      throw new Error('undo')
    })
    .catch(() => {})
  t.same([...(await sql`select x from notes`)], [{ x: 1 }])
  await t.rejects(runNow(note, { x: 1 }), {
    code: 'RB_CONFIG_INVALID',
    message: /t\.note is transactional.*\{ db: sql \}/,
  })
})

t.test('an eager rowbeat runs what is enqueued at once, and what that enqueues', async (t) => {
  const child = task('e.child', {}, ({ n }: { n: number }, { run }) => ({ n, parent: run.parent }))
  const parent = task('e.parent', {}, async ({ n }: { n: number }) => {
    const handle = await rowbeat.enqueue(child, { n: n + 1 }, { tags: ['mine'] })
    return await handle.result()
  })
  const rowbeat: Rowbeat & { runs: readonly any[]; clear(): void } = createEagerRowbeat({
    tasks: { child, parent, flaky },
    routes: { 'e.child': 'high' },
  })
  const handle = await rowbeat.enqueue(parent, { n: 1 }, { delay: '1 hour' })
  t.same(await handle.result(), { n: 2, parent: handle.id })
  t.match(await handle.get(), { state: 'SUCCESS', task: 'e.parent', attempt: 1, worker: 'testing' })
  t.match(rowbeat.runs, [
    { task: 'e.child', queue: 'high' },
    { task: 'e.parent', queue: 'default' },
  ])
  await expectEnqueued(rowbeat, child, { input: { n: 2 }, tag: 'mine', parent: handle.id, count: 1 })
  const failed = await rowbeat.enqueue(flaky, { until: 9 })
  await t.rejects(failed.result(), {
    code: 'RB_ATTEMPTS_EXHAUSTED',
    data: { name: 'Error', message: 'try 3' },
  })
  t.equal(await failed.state(), 'FAILURE')
  const retried = await failed.retry({ input: { until: 1 } })
  t.same(await retried.result(), { attempt: 1, of: 3 })
  const [one, two] = await rowbeat.enqueueMany([
    { task: child, input: { n: 5 }, id: '0197F3B2-0000-7000-8000-000000000001' },
    { task: 'e.child', input: { n: 6 }, id: '0197f3b2-0000-7000-8000-000000000001' },
  ])
  t.match([one, two], [{ created: true }, { id: one.id, created: false }])
  t.match(await rowbeat.enqueue(child, { n: 7 }, { idempotencyKey: 'k' }), { created: true })
  t.match(await rowbeat.enqueue(child, { n: 7 }, { idempotencyKey: 'k' }), { created: false })
  await t.rejects(rowbeat.enqueue('e.unknown'), {
    code: 'RB_TASK_UNKNOWN',
    message: /createEagerRowbeat\(\{ tasks \}\)/,
  })
  await t.rejects(rowbeat.run(child, 'nobody').state(), { code: 'RB_RUN_NOT_FOUND' })
  t.throws(() => rowbeat.db, { code: 'RB_CONFIG_INVALID' })
  rowbeat.clear()
  t.same(rowbeat.runs, [])
})

t.test('with propagate, enqueue throws what the handler threw', async (t) => {
  const rowbeat = createEagerRowbeat({ tasks: { flaky, checked }, propagate: true })
  await t.rejects(rowbeat.enqueue(flaky, { until: 9 }), { constructor: Refused, message: 'try 3' })
  await t.rejects(rowbeat.enqueue(flaky, {}, { expires: 0 }), { code: 'RB_RUN_REVOKED' })
  t.equal(rowbeat.runs.length, 2, 'the runs are there to look at')
  t.ok((await rowbeat.enqueue(checked, { at: '2026-01-01T00:00:00Z' })).created)
})
