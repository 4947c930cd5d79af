/**
 * From a claimed job to its outcome on the way to the store: admitted (alone, where it may be a poison), announced (where
 * somebody held it before), executed, handed to the flusher. Knows which runs are active, so that they can be listed
 * as running and told to stop.
 *
 * A terminated run is not waited for: a handler in this process cannot be killed, but its outcome is recorded, its slot is free
 * and what it still returns is refused.
 */
import { nowMs } from '../clock.ts'
import type { DatabaseHandle } from '../db/handle.ts'
import { durationMs } from '../duration.ts'
import { TimeLimitExceeded } from '../errors.ts'
import type { Revocation } from '../db/statements/revocations.ts'
import type { Listed } from '../db/statements/workers.ts'
import type { FinishRow } from '../db/statements/finish.ts'
import { createSurround, type MiddlewareList } from '../tasks/middleware.ts'
import type { Registry } from '../tasks/registry.ts'
import type { Task } from '../tasks/task.ts'
import type { Active } from './active.ts'
import { createCrowd } from './crowd.ts'
import type { RunEvents } from './events.ts'
import { abandon, execute, refuse, type Executed } from './execute.ts'
import type { Flusher } from './flusher.ts'
import { createIsolation } from './isolate/isolation.ts'
import type { ClaimedJob } from './job.ts'
import { limitsOf, type LimitOverride, type Limits } from './limits.ts'
import { revoked, timedOut, type Outcome } from './outcome.ts'
import type { Recorder } from './recorder.ts'
import type { Workshop } from './trying.ts'

/** From this many crashes on a run goes alone: docs/decisions/0003. */
const ALONE_FROM = 2

export interface PerformerOptions {
  worker: string
  registry: Registry
  middleware?: MiddlewareList
  /** Where transactional tasks get their transaction. */
  db: DatabaseHandle
  keep: number
  /** Of runs whose call and task say nothing. */
  limits: Limits
  /** What an operator set for a task at run time. */
  overrideOf?(task: string): LimitOverride | undefined
  /** Isolated runs at once; default the number of processors. */
  threads?: number
  events: RunEvents
  recorder: Recorder
  flusher: Flusher
  announce(run: Listed): Promise<void>
  unannounce(run: Listed): void
  /** Lists the active runs soon, not at the next beat. */
  listSoon(): void
  /** False once this worker was declared dead under that pool, or stops. */
  isOurs(pool: string): boolean
  revocationOf(job: ClaimedJob): Revocation | undefined
}

export interface Performer {
  /** Before the first run. Throws ConfigError where an isolated task cannot be found by its thread. */
  prepare(): Promise<void>
  /** Runs one claimed job to the end; never throws. */
  run(job: ClaimedJob, pool: string): void | Promise<void>
  readonly active: ReadonlyMap<string, Active>
  /** Active runs as the registry lists them; announced ones are listed by their announcement. */
  listed(): Listed[]
  /** Tells revoked runs that are active, and ends those to be terminated; once more does no harm. */
  heedRevocations(): void
  /** Ends a revoked run that was claimed and has not started. */
  refuse(job: ClaimedJob, pool: string): void
  /** Ends revoked runs whose handlers took no notice, because their worker does not wait any longer. */
  endRevoked(): void
  /** Lets runs go that wait for a thread and are not ours to start any more. */
  quiet(): void
  /** Kills the threads and processes of isolated runs that have not ended: they go back. */
  end(): Promise<void>
}

export function createPerformer(options: PerformerOptions): Performer {
  const { registry, events, recorder, flusher } = options
  const crowd = createCrowd()
  const active = new Map<string, Active>()
  /** What frees the slot of each run that is waited for. */
  const slots = new Map<ClaimedJob, () => void>()
  const isolation = createIsolation({
    registry,
    threads: options.threads,
    isWanted: (job, pool) => options.isOurs(pool) && !options.revocationOf(job),
    onProblem: (error) => events.emit('worker:trouble', { what: 'a thread without a run', error }),
  })
  const shop: Workshop = {
    isolation,
    recorder,
    events,
    onFirstProgress: options.listSoon,
    worker: options.worker,
    db: options.db,
    random: Math.random,
    keepOf: ({ options: { retention } }) =>
      retention === undefined ? options.keep : durationMs(retention, 'retention') / 1000,
    revocationOf: options.revocationOf,
    limitsOf: (job, task) => limitsOf(job.payload, task, options.limits, options.overrideOf?.(task.name)),
    surround: createSurround(options.middleware, (failure) => events.emit('hook:failed', failure)),
    onStart: (started) => void active.set(started.job.key, started),
    onTimeLimit(running, limitMs) {
      conclude(running, timedOut(limitMs, running.revocation))
      running.abort(new TimeLimitExceeded(limitMs))
    },
  }

  const perform = (job: ClaimedJob, pool: string): void | Promise<void> => {
    const task = taskOf(job)
    const executed = execute(shop, task, job, pool)
    if (!(executed instanceof Promise)) return settle(executed, job, task.name, pool)
    return new Promise((free, fail) => {
      slots.set(job, free)
      void executed.then((done) => {
        try {
          if (slots.delete(job)) settle(done, job, task.name, pool)
          else settleLate(done, job, task.name)
          free()
        } catch (error) {
          fail(error) // a listener of the user's threw
        }
      })
    })
  }
  const taskOf = ({ task_identifier: identifier }: ClaimedJob): Task =>
    registry.get(identifier.slice(identifier.indexOf(':') + 1))!
  const heed = (running: Active): void => {
    const revocation = options.revocationOf(running.job)
    if (!revocation) return
    running.revoke(revocation)
    if (revocation.terminate) conclude(running, revoked(revocation.reason, 'terminated'))
  }
  /** Ends it now, whenever its handler does. */
  const conclude = (running: Active, outcome: Outcome): void => {
    const { job, pool, task } = running
    const free = slots.get(job)
    if (!free) return
    slots.delete(job)
    active.delete(job.key)
    recorder.forget(job.key)
    running.conclude()
    flusher.push({ run: job.key, task, pool, row: abandon(shop, taskOf(job), running, outcome) })
    free()
  }
  /** Its transaction may have been committed before it was concluded; else somebody else said how it ended. */
  const settleLate = (executed: Executed, job: ClaimedJob, task: string): void => {
    // It was killed, so that it has nothing to say.
    if (executed.row === null && !executed.stored) return
    if (executed.row === null || !executed.stored)
      return void events.emit('run:refused', { run: job.key, task })
    tellStored(job.key, task, executed.row)
  }
  const settle = (executed: Executed, job: ClaimedJob, task: string, pool: string): void => {
    // Asked to stop and did: it stays active, and goes back with those that did not.
    if (executed.row === null && !executed.stored) return
    const run = job.key
    // After a lost lease the same run may be active anew.
    if (active.get(run)?.job === job) active.delete(run)
    recorder.forget(run)
    if (executed.row === null) return void events.emit('run:refused', { run, task })
    if (!executed.stored) return flusher.push({ run, task, pool, row: executed.row })
    tellStored(run, task, executed.row)
  }
  const tellStored = (run: string, task: string, { state, reason = null, error = null }: FinishRow): void =>
    void events.emit('run:finished', { run, task, state, reason, error })
  const leave = (): void => crowd.leave(false)
  // Not `finally`, which makes five promises where this makes one, for each run.
  const leaveAnyway = (error: unknown): never => {
    leave()
    throw error
  }
  /** For a run that waits its turn, or was claimed before: somebody may have died of it, so it is listed durably before it starts. */
  const runCautiously = async (
    job: ClaimedJob,
    pool: string,
    alone: boolean,
    admitted: Promise<void> | null,
  ): Promise<void> => {
    await admitted
    const listed = job.attempts > 1 ? toListed(job, nowMs()) : null
    try {
      if (listed) await options.announce(listed)
      // Declared dead, or stopping, while it waited: the run is for somebody else.
      if (options.isOurs(pool)) await perform(job, pool)
    } finally {
      if (listed) options.unannounce(listed)
      crowd.leave(alone)
    }
  }

  return {
    prepare: isolation.prepare,
    run(job, pool) {
      const alone = (job.payload.redeliveries ?? 0) >= ALONE_FROM && !taskOf(job).options.isolate
      const admitted = crowd.enter(alone)
      if (admitted || job.attempts > 1) return runCautiously(job, pool, alone, admitted)
      const done = perform(job, pool)
      if (done) return done.then(leave, leaveAnyway)
      leave()
    },
    active,
    listed: () =>
      [...active.values()]
        .filter(({ job }) => job.attempts === 1)
        .map(({ job, startedMs }) => toListed(job, startedMs)),
    heedRevocations() {
      for (const running of active.values()) heed(running)
      isolation.review()
    },
    refuse(job, pool) {
      const task = taskOf(job)
      const row = refuse(shop, task, job, pool, options.revocationOf(job)!)
      flusher.push({ run: job.key, task: task.name, pool, row })
    },
    endRevoked() {
      for (const running of active.values())
        if (running.revocation) conclude(running, revoked(running.revocation.reason, 'revoked'))
    },
    quiet: isolation.review,
    end: isolation.end,
  }
}

/** A job as the registry lists it while it runs. */
export function toListed(job: ClaimedJob, startedMs: number): Listed {
  return {
    id: job.key,
    started_at: new Date(startedMs).toISOString(),
    attempt: (job.payload.attempt ?? 0) + 1,
  }
}
