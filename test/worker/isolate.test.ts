/**
 * Isolated tasks, in threads and in processes: everything a handler can say crosses, what it must hear reaches it, and
 * what it does to the place it runs in stays there.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { task, type RunHandle, type Task } from '../../src/index.ts'
import { child, thread, tight, type Doing } from '../fixtures/isolated-tasks.ts'
import { setup } from '../helpers/bundle.ts'
import { startProcess } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { spinBesideNeighbours } from '../torture/limits.ts'

t.setTimeout(110_000)

const { url, sql } = await setup(t)
const plain = task('test.plain', {}, () => process.pid)
const tasks = [thread, child, ...tight, plain]
const { rowbeat, worker, heard } = await startWorker(t, url, { tasks, queues: { default: 12 }, threads: 3 })
const ledger = join(t.testdir(), 'ledger')
writeFileSync(ledger, '')
const hasStarted = (run: RunHandle): Promise<true> =>
  until(`${run.id} has started`, () => readFileSync(ledger, 'utf8').includes(run.id))
const attemptsOf = async (run: RunHandle): Promise<string[]> =>
  (await sql`select outcome from rowbeat.attempts where run_id = ${run.id} order by started_at`).map(
    (row) => row.outcome as string,
  )

for (const place of [thread, child]) {
  const kind = place.options.isolate!
  const start = (doing: Omit<Doing, 'ledger'>, options = {}): Promise<RunHandle> =>
    rowbeat.enqueue(place, { ledger, ...doing }, options)
  const result = async (doing: Doing, options = {}): Promise<any> => (await start(doing, options)).result()

  t.test(`${kind}: what it returns, throws and says is as if it were here`, async (t) => {
    const run = await start({ how: 'echo' }, { tags: ['a'], headers: { trace: 1 } })
    const said = (await run.result()) as any
    t.match(said.run, {
      id: run.id,
      task: place.name,
      attempt: 1,
      attemptsMax: 3,
      tags: ['a'],
      headers: { trace: 1 },
    })
    t.ok(kind === 'process' ? said.where[0] !== process.pid : said.where[1] > 0, 'it ran elsewhere')
    t.strictSame(await result({ how: 'echo', value: { deep: [1, null] } }), { deep: [1, null] })
    const failed = await start({ how: 'fail' }, { attemptsMax: 1 })
    await t.rejects(failed.result(), { name: 'RunFailed', message: 'RangeError: out of it' })
    t.match((await failed.get())?.error, {
      name: 'RangeError',
      message: 'out of it',
      code: 'E_MINE',
      stack: /isolated-tasks\.ts/,
      cause: { message: 'the cause', stack: /isolated-tasks\.ts/ },
    })
    t.equal(await result({ how: 'fail once' }), 2)
    t.equal(await result({ how: 'retry' }), 2)
    t.ok((await result({ how: 'snooze' })) === 1, 'a snooze does not count')
    await t.rejects(result({ how: 'discard' }), { reason: 'discarded', message: 'Discard: not again' })
    const odd = await start({ how: 'function' })
    await t.rejects(odd.result(), { message: /the result cannot be stored: \/result is a function/ })
    t.equal(await result({ how: 'function' }, { ignoreResult: true }), null)
  })

  t.test(`${kind}: progress and log lines are relayed, a tight loop at a bearable rate`, async (t) => {
    const run = await start({ how: 'progress' })
    t.equal(await run.result(), 'told')
    t.match((await run.get())?.progress, {
      current: 100_000,
      total: 100_000,
      percent: 100,
      meta: { i: 100_000 },
    })
    const lines = await until('its lines are stored', async () => {
      const rows =
        await sql`select level, message, data from rowbeat.logs where run_id = ${run.id} order by seq`
      return rows.length === 2 && rows
    })
    t.match(lines, [
      { level: 'info', message: 'begun', data: { deep: [1] } },
      { level: 'warn', message: 'done' },
    ])
  })

  t.test(`${kind}: soft limit and revoke reach its signal`, async (t) => {
    const soft = await start({ how: 'reason' }, { softTimeLimit: '50ms', attemptsMax: 1 })
    await t.rejects(soft.result(), { code: 'RB_RUN_TIMED_OUT' })
    t.match((await soft.get())?.error, { name: 'SoftTimeLimit', cause: null })
    const waits = await start({ how: 'wait' }, { softTimeLimit: '50ms', attemptsMax: 1 })
    await t.rejects(waits.result(), { code: 'RB_RUN_TIMED_OUT' })
    t.match((await waits.get())?.error, { name: 'SoftTimeLimit', cause: { name: 'AbortError' } })
    const told = await start({ how: 'reason' })
    // Its worker must know that it has begun, or it ends as one that never did.
    await until('it is listed as running', async () => (await told.state()) === 'STARTED')
    await told.revoke({ reason: 'changed my mind' })
    t.equal(await told.result(), 'RunRevoked: RunRevoked: changed my mind')
    const obeys = await start({ how: 'wait' })
    await until('it is listed as running', async () => (await obeys.state()) === 'STARTED')
    await obeys.revoke()
    await t.rejects(obeys.result(), { name: 'RunRevoked', reason: 'revoked' })
  })

  t.test(`${kind}: in while (true) it is killed at its time limit, and when it is terminated`, async (t) => {
    await result({ how: 'echo' })
    const spins = await start({ how: 'spin' }, { timeLimit: '500ms' })
    await t.rejects(spins.result(), { code: 'RB_RUN_TIMED_OUT' })
    const { startedAt, finishedAt } = (await spins.get())!
    const took = Date.parse(finishedAt!) - Date.parse(startedAt!)
    t.ok(took >= 300 && took <= 700, `ended after ${took} ms of 500`)
    const killed = await start({ how: 'spin' })
    await hasStarted(killed)
    const toldAt = performance.now()
    await killed.revoke({ terminate: true })
    await t.rejects(killed.result(), { name: 'RunRevoked', message: /terminated/ })
    t.comment(`terminated after ${(performance.now() - toldAt).toFixed(0)} ms`)
    t.equal(heard.refused.length, 0, 'who was killed has nothing to say')
  })

  t.test(`${kind}: one that dies takes its own run with it: three times, then it is lost`, async (t) => {
    const poison = await start({ how: kind === 'thread' ? 'exit' : 'abort' })
    const [exits, good, rejects] = [
      await start({ how: 'exit' }),
      await rowbeat.enqueueMany(
        Array.from({ length: 40 }, (_, i) => ({
          task: i % 2 ? place : plain,
          input: { how: 'echo', value: i } as Doing,
        })),
      ),
      await start({ how: kind === 'thread' ? 'reject' : 'exit' }),
    ]
    for (const lost of [poison, exits, rejects]) {
      await t.rejects(lost.result(), { name: 'WorkerLost', reason: 'worker_lost' })
      t.match(await lost.get(), {
        attempt: 1,
        redeliveries: 3,
        error: {
          name: 'WorkerLost',
          code: 'RB_WORKER_LOST',
          message: `the ${kind} died 3 times while it ran this`,
        },
      })
      t.strictSame(await attemptsOf(lost), ['lost', 'lost', 'lost'])
    }
    await Promise.all(good.map((run) => run.result()))
    for (const run of good) t.match(await run.get(), { state: 'SUCCESS', attempt: 1, redeliveries: 0 })
  })
}

t.test('a loop in a thread sees its signal abort when it asks its context', async (t) => {
  const run = await rowbeat.enqueue(thread, { how: 'spin politely' }, { softTimeLimit: '100ms' })
  t.match(await run.result(), /SoftTimeLimit/)
})

t.test('memory limits end one run; a thread or process is replaced after its number of runs', async (t) => {
  for (const place of tight) {
    const hoards = await rowbeat.enqueue(place, { how: 'oom' })
    await t.rejects(hoards.result({ timeout: '60s' }), { name: 'WorkerLost' })
    t.match(
      (await hoards.get())?.error?.cause?.message,
      place.options.isolate === 'thread' ? /memory limit/ : /SIGABRT/,
    )
    const lives = new Set<string>()
    for (let i = 0; i < 6; i++) {
      const { pid, thread, runs } = (await (await rowbeat.enqueue(place, { how: 'where' })).result()) as any
      lives.add(`${pid} ${thread}`)
      t.ok(runs <= 2, `run ${runs} of its life`)
    }
    t.ok(lives.size >= 3, `six runs in ${lives.size} lives of two`)
  }
})

t.test('a run that waits for a thread has not started: no limit runs, revoke ends it at once', async (t) => {
  const busy = await rowbeat.enqueueMany(
    Array.from({ length: 3 }, () => ({ task: thread, input: { how: 'hang', ledger } as Doing })),
  )
  await Promise.all(busy.map(hasStarted))
  const waits = await rowbeat.enqueue(thread, { how: 'echo', value: 1 }, { timeLimit: '200ms' })
  const unwanted = await rowbeat.enqueue(child, { how: 'echo', ledger })
  const stale = await rowbeat.enqueue(child, { how: 'echo', ledger }, { expires: '0.4s' })
  await until('they are claimed', () => worker.running === 6)
  const toldAt = performance.now()
  await unwanted.revoke()
  await t.rejects(unwanted.result(), { name: 'RunRevoked', message: /revoked/ })
  t.ok(performance.now() - toldAt < 1000)
  t.match(await unwanted.get(), { attempt: 0, startedAt: null })
  await until('the limit would have passed', () => performance.now() - toldAt > 500)
  await Promise.all(busy.map((run) => run.revoke({ terminate: true })))
  t.equal(await waits.result(), 1)
  await t.rejects(stale.result(), { name: 'RunRevoked', message: /expired/ })
})

t.test(
  'a worker that stops tells its isolated runs, kills those that stay, and hands them back',
  async (t) => {
    const runs = await rowbeat.enqueueMany([
      { task: thread, input: { how: 'spin', ledger } as Doing },
      { task: child, input: { how: 'spin', ledger } as Doing },
      { task: thread, input: { how: 'wait', ledger } as Doing },
      { task: thread, input: { how: 'echo', ledger } as Doing },
    ])
    await Promise.all(runs.slice(0, 3).map(hasStarted))
    await worker.stop({ grace: '0.1s' })
    const rows =
      await sql`select state, attempt, redeliveries from rowbeat.runs where id = any (${runs.map((run) => run.id)})`
    t.strictSame(
      rows.map((row) => ({ ...row })),
      Array.from({ length: 4 }, () => ({ state: 'PENDING', attempt: 0, redeliveries: 0 })),
    )
    await sql`truncate rowbeat_queue._private_jobs`
  },
)

t.test('what cannot be found by a thread is refused when the worker starts', async (t) => {
  const start = (one: Task): Promise<unknown> => startWorker(t, url, { tasks: [one] })
  const here = task('test.here', { isolate: 'thread' }, () => 1)
  await t.rejects(start(here), {
    code: 'RB_CONFIG_INVALID',
    message: /test\.here is isolated, but defined in the program's main file/,
  })
  const options = {
    isolate: 'process',
    module: new URL('../fixtures/isolated-tasks.ts', import.meta.url),
  } as const
  await t.rejects(start(task('test.elsewhere', options, () => 1)), {
    message: /isolated-tasks\.ts does not export it/,
  })
  await t.rejects(start(task('test.nowhere', { isolate: 'thread', module: 'file:///nowhere.ts' }, () => 1)), {
    code: 'RB_CONFIG_INVALID',
    message: /its module file:\/\/\/nowhere\.ts cannot be imported/,
  })
  await t.rejects(startWorker(t, url, { tasks: [plain], threads: 0 }), { message: /threads is 0/ })
})

t.test(
  'a process of isolated runs ends with its worker, though it never gives its event loop back',
  async (t) => {
    const file = join(t.testdir(), 'pid')
    writeFileSync(file, '')
    const parent = startProcess(t, 'test/fixtures/isolate-parent.ts', { args: [file] })
    const pid = await until('it spins', () => Number(readFileSync(file, 'utf8').split(' ')[2]))
    process.kill(pid, 0)
    parent.kill('SIGKILL')
    await until('it is gone', () => !isAlive(pid), { timeout: 3000 })
  },
)

t.test('a thread that spins until its limit costs its neighbours and the heartbeat nothing', async (t) => {
  const teardown = (handler: () => unknown): unknown => t.teardown(handler)
  const log = (line: string): unknown => t.comment(line)
  const { tally, ...figures } = await spinBesideNeighbours(
    { world: await setup(t), count: 2, random: Math.random, teardown, log },
    700,
  )
  t.match(tally, { lost: 0, attempts: tally.ok })
  t.ok(figures.offMs <= 200 && figures.gapMs < 3000)
  // Other tests have the processors too; a handler that spun in the worker's thread would make it 700.
  t.ok(figures.besideP99 < 2 * Math.max(figures.quietP99, 100), `${figures.besideP99} ms beside`)
})

function isAlive(pid: number): boolean {
  try {
    // A process that nobody has waited for yet is over, too.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z')
  } catch {
    return false
  }
}
