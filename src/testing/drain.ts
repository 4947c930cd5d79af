/**
 * `drain(rowbeat)`: runs what waits in the database, and what that enqueues, here and to the end, then says what became
 * of it. The pipeline, the statements and the dispatcher are those of a worker; what is missing is the worker around
 * them: no thread, no LISTEN, nothing left running. So it also works inside a transaction that the test rolls back.
 *
 * Tries and snoozes follow at once. A run that waits for its eta is left alone unless `scheduled` is given; paused ones,
 * and those above a rate, stay where they are and are counted as waiting. There must be no worker beside it.
 */
import { randomBytes } from 'node:crypto'
import { monotonicMs } from '../clock.ts'
import { connect } from '../db/connect.ts'
import { toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { claimForDrain, countRuns, hastenParked } from '../db/statements/drain.ts'
import { dispatchOnce } from '../dispatcher/dispatcher.ts'
import { durationMs, type Duration } from '../duration.ts'
import { ConfigError, ResultError } from '../errors.ts'
import { isFinished, type RunState } from '../results/run.ts'
import type { HookFailure, MiddlewareList } from '../tasks/middleware.ts'
import { createRegistry, type Registry, type TaskTree } from '../tasks/registry.ts'
import { createEvents } from '../worker/events.ts'
import { createFlusher } from '../worker/flusher.ts'
import type { ClaimedJob } from '../worker/job.ts'
import { createPerformer } from '../worker/perform.ts'
import { createRecorder } from '../worker/recorder.ts'

/** A rowbeat with tasks, or a database and tasks: `db` may be a transaction of the test's. */
export type DrainTarget =
  | { readonly db: DatabaseHandle; readonly tasks: Registry | TaskTree }
  | { readonly databaseUrl: string; readonly tasks: TaskTree }

export interface DrainOptions {
  /** Only these; default every queue that has runs of the tasks. */
  queues?: readonly string[]
  /** Also what waits for an eta (a delay, a debounce), as if its time had come; default false. */
  scheduled?: boolean
  /** Runs at once; default 1, so that they follow one another by priority and age. */
  concurrency?: number
  middleware?: MiddlewareList
  onHookFailure?(failure: HookFailure): void
  /** Throws ResultError RB_RESULT_TIMEOUT when it is not done by then; default 30 seconds. */
  timeout?: Duration
}

export interface Drained {
  /** Tries that were made. */
  tries: number
  /** How many of the tasks' runs ended, by their state. */
  SUCCESS: number
  FAILURE: number
  REVOKED: number
  /** What did not run, by why it waits: eta, paused, rate, ... */
  waiting: Record<string, number>
}

/** Runs everything that waits. Throws ConfigError when there is no task to run. */
export async function drain(target: DrainTarget, options: DrainOptions = {}): Promise<Drained> {
  const registry =
    target.tasks instanceof Map ? (target.tasks as Registry) : createRegistry(target.tasks as TaskTree)
  if (registry.size === 0)
    throw new ConfigError('drain knows no task: give createRowbeat its tasks, or drain({ db, tasks }).')
  if ('db' in target) return await drainHandle(target.db, registry, options)
  const sql = connect({ url: target.databaseUrl, role: 'drain', max: 2 })
  try {
    return await drainHandle(sql, registry, options)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

async function drainHandle(
  handle: DatabaseHandle,
  registry: Registry,
  options: DrainOptions,
): Promise<Drained> {
  const { queues = null, scheduled = false, concurrency = 1 } = options
  const db = toQueryable(handle)
  const pool = `drain-${randomBytes(6).toString('hex')}`
  const names = [...registry.keys()]
  const reasons = scheduled ? ['retry', 'snooze', 'eta'] : ['retry', 'snooze']
  const deadline = monotonicMs() + durationMs(options.timeout ?? '30s', 'timeout')
  const crew = createCrew(handle, registry, options)
  const before = await countEnded(db, names)
  let tries = 0
  const refill = async (): Promise<ClaimedJob[]> => {
    await hastenParked(db, names, queues, reasons)
    // A released run may pass on to another reason, and be released from that.
    while ((await dispatchOnce(db)) > 0);
    const jobs = await claimForDrain(db, pool, names, queues, concurrency)
    return jobs.map((job) => JSON.parse(job) as ClaimedJob)
  }
  try {
    for (let jobs = await refill(); jobs.length > 0; jobs = await refill()) {
      tries += jobs.length
      await crew.run(jobs, pool, deadline)
    }
  } finally {
    await crew.end()
  }
  const { waiting, ...after } = await countEnded(db, names)
  return {
    tries,
    SUCCESS: after.SUCCESS - before.SUCCESS,
    FAILURE: after.FAILURE - before.FAILURE,
    REVOKED: after.REVOKED - before.REVOKED,
    waiting,
  }
}

/** What runs claimed jobs as a worker does. */
function createCrew(
  db: DatabaseHandle,
  registry: Registry,
  { middleware, onHookFailure, timeout = '30s' }: DrainOptions,
): { run(jobs: readonly ClaimedJob[], pool: string, deadline: number): Promise<void>; end(): Promise<void> } {
  const events = createEvents()
  if (onHookFailure) events.on('hook:failed', onHookFailure)
  const flusher = createFlusher(toQueryable(db), 'drain', events, () => {})
  const recorder = createRecorder(toQueryable(db), events)
  const performer = createPerformer({
    worker: 'drain',
    registry,
    middleware,
    db,
    keep: durationMs('30 days', 'retention') / 1000,
    limits: { softMs: 0, hardMs: 0 },
    events,
    recorder,
    flusher,
    announce: async () => {},
    unannounce() {},
    listSoon() {},
    isOurs: () => true,
    revocationOf: () => undefined,
  })
  return {
    async run(jobs, pool, deadline) {
      let late: NodeJS.Timeout | undefined
      const patience = new Promise<never>((_, reject) => {
        const words = `drain was not done within ${String(timeout)}: ${jobs.map((job) => job.task_identifier).join(', ')} did not end, or enqueues itself again and again.`
        late = setTimeout(
          () => reject(new ResultError('RB_RESULT_TIMEOUT', words)),
          Math.max(0, deadline - monotonicMs()),
        )
      })
      try {
        await Promise.race([Promise.all(jobs.map((job) => performer.run(job, pool))), patience])
        await flusher.drained()
      } finally {
        clearTimeout(late)
      }
    },
    async end() {
      await recorder.flush()
      await performer.end()
    },
  }
}

async function countEnded(
  db: ReturnType<typeof toQueryable>,
  tasks: readonly string[],
): Promise<Omit<Drained, 'tries'>> {
  const counted = { SUCCESS: 0, FAILURE: 0, REVOKED: 0, waiting: {} as Record<string, number> }
  for (const { state, reason, count } of await countRuns(db, tasks)) {
    if (isFinished(state as RunState)) counted[state as 'SUCCESS'] += count
    else counted.waiting[reason ?? 'queued'] = (counted.waiting[reason ?? 'queued'] ?? 0) + count
  }
  return counted
}
