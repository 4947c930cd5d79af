/**
 * From a claimed job to its outcome on the way to the store: admitted (alone, where it may be a poison), announced (where
 * somebody held it before), executed, handed to the flusher. Knows which runs are active, so that they can be listed
 * as running and told to stop.
 */
import { nowMs } from '../clock.ts'
import type { DatabaseHandle } from '../db/handle.ts'
import { durationMs } from '../duration.ts'
import type { Listed } from '../db/statements/workers.ts'
import type { Registry } from '../tasks/registry.ts'
import type { Active } from './active.ts'
import { createCrowd } from './crowd.ts'
import type { RunEvents } from './events.ts'
import { execute, type Executed, type Workshop } from './execute.ts'
import type { Flusher } from './flusher.ts'
import type { ClaimedJob } from './job.ts'
import type { Recorder } from './recorder.ts'

/** From this many crashes on a run goes alone: docs/decisions/0003. */
const ALONE_FROM = 2

export interface PerformerOptions {
  worker: string
  registry: Registry
  /** Where transactional tasks get their transaction. */
  db: DatabaseHandle
  keep: number
  events: RunEvents
  recorder: Recorder
  flusher: Flusher
  announce(run: Listed): Promise<void>
  unannounce(run: Listed): void
  /** Lists the active runs soon, not at the next beat. */
  listSoon(): void
  /** False once this worker was declared dead under that pool, or stops. */
  isOurs(pool: string): boolean
}

export interface Performer {
  /** Runs one claimed job to the end; never throws. */
  run(job: ClaimedJob, pool: string): void | Promise<void>
  readonly active: ReadonlyMap<string, Active>
  /** Active runs as the registry lists them; announced ones are listed by their announcement. */
  listed(): Listed[]
}

export function createPerformer(options: PerformerOptions): Performer {
  const { registry, events, recorder, flusher } = options
  const crowd = createCrowd()
  const active = new Map<string, Active>()
  const shop: Workshop = {
    recorder,
    events,
    onFirstProgress: options.listSoon,
    worker: options.worker,
    db: options.db,
    random: Math.random,
    keepOf: ({ options: { retention } }) =>
      retention === undefined ? options.keep : durationMs(retention, 'retention') / 1000,
    onStart: (started) => void active.set(started.job.key, started),
  }

  const perform = (job: ClaimedJob, pool: string): void | Promise<void> => {
    const task = registry.get(job.task_identifier.slice(job.task_identifier.indexOf(':') + 1))!
    const executed = execute(shop, task, job, pool)
    if (executed instanceof Promise) return executed.then((done) => settle(done, job, task.name, pool))
    settle(executed, job, task.name, pool)
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
    const { state, reason = null, error = null } = executed.row
    events.emit('run:finished', { run, task, state, reason, error })
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
    run(job, pool) {
      const alone = (job.payload.redeliveries ?? 0) >= ALONE_FROM
      const admitted = crowd.enter(alone)
      if (admitted || job.attempts > 1) return runCautiously(job, pool, alone, admitted)
      const done = perform(job, pool)
      if (done) return done.finally(() => crowd.leave(false))
      crowd.leave(false)
    },
    active,
    listed: () =>
      [...active.values()]
        .filter(({ job }) => job.attempts === 1)
        .map(({ job, startedMs }) => toListed(job, startedMs)),
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
