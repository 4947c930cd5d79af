/**
 * From a claimed job to its outcome on the way to the store: admitted (alone, where it may be a poison), announced (where
 * somebody held it before), executed, handed to the flusher. Knows which runs are active, so that they can be listed
 * as running and told to stop.
 */
import { nowMs } from '../clock.ts'
import type { DatabaseHandle } from '../db/handle.ts'
import type { Listed } from '../db/statements/workers.ts'
import type { Registry } from '../tasks/registry.ts'
import type { Active } from './active.ts'
import { createCrowd } from './crowd.ts'
import type { RunEvents } from './events.ts'
import { execute, type Executed } from './execute.ts'
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
  unannounce(run: string): void
  /** False once this worker was declared dead under that pool. */
  isOurs(pool: string): boolean
}

export interface Performer {
  /** Runs one claimed job to the end; never throws. */
  run(job: ClaimedJob, pool: string): Promise<void>
  readonly active: ReadonlyMap<string, Active>
  /** Active runs as the registry lists them; announced ones are listed by their announcement. */
  listed(): Listed[]
}

export function createPerformer(options: PerformerOptions): Performer {
  const { registry, events, recorder, flusher } = options
  const crowd = createCrowd()
  const active = new Map<string, Active>()

  const perform = async (job: ClaimedJob, pool: string): Promise<void> => {
    const colon = job.task_identifier.indexOf(':')
    const task = registry.get(job.task_identifier.slice(colon + 1))!
    const executed = await execute({
      job,
      task,
      queue: job.task_identifier.slice(0, colon),
      pool,
      recorder,
      events,
      db: options.db,
      worker: options.worker,
      random: Math.random,
      keep: options.keep,
      onStart: (started) => void active.set(job.key, started),
    })
    active.delete(job.key)
    recorder.forget(job.key)
    settle(executed, job.key, task.name, pool)
  }
  const settle = (executed: Executed, run: string, task: string, pool: string): void => {
    if (executed.row === null) return void events.emit('run:refused', { run, task })
    if (!executed.stored) return flusher.push({ run, task, pool, row: executed.row })
    const { state, reason = null, error = null } = executed.row
    events.emit('run:finished', { run, task, state, reason, error })
  }
  return {
    async run(job, pool) {
      const alone = (job.payload.redeliveries ?? 0) >= ALONE_FROM
      const admitted = crowd.enter(alone)
      if (admitted) await admitted
      try {
        if (job.attempts === 1) return await perform(job, pool)
        // Claimed before: somebody may have died of it, so it is listed durably before it starts.
        await options.announce(toListed(job, nowMs()))
        if (options.isOurs(pool)) await perform(job, pool)
        options.unannounce(job.key)
      } finally {
        crowd.leave(alone)
      }
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
