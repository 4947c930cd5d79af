/**
 * A run while it runs: what its handler sees (the context) and what the worker does with it (abort, list as running).
 * The parts that most handlers never touch are made when they are first asked for; at 30,000 runs a second an
 * AbortController each would be a tenth of the work.
 */
import { nowMs } from '../clock.ts'
import type { DatabaseHandle } from '../db/handle.ts'
import type { ProgressRow } from '../db/statements/workers.ts'
import { storableValue } from '../json.ts'
import type { Context, RunInfo, RunLog } from '../tasks/context.ts'
import { ConfigError } from '../errors.ts'
import type { ClaimedJob } from './job.ts'
import type { RunEvents } from './events.ts'
import { LINES_MAX, type Recorder } from './recorder.ts'

export interface Active {
  readonly job: ClaimedJob
  readonly task: string
  readonly queue: string
  readonly pool: string
  readonly attempt: number
  readonly allowed: number
  readonly startedMs: number
  readonly context: Context
  /** The last progress it told, for its result; null when it never did. */
  progress(): object | null
  /** Asks the handler to stop; the reason is what its signal says. */
  abort(reason: Error): void
}

export interface ActiveOptions {
  job: ClaimedJob
  task: string
  queue: string
  pool: string
  attempt: number
  allowed: number
  startedMs: number
  recorder: Recorder
  events: RunEvents
}

export function createActive(options: ActiveOptions, tx: DatabaseHandle | null): Active {
  const { job, task, attempt, recorder, events } = options
  let controller: AbortController | null = null
  let aborted: Error | null = null
  let last: ProgressRow | null = null
  let lines = 0
  let info: RunInfo | null = null
  let log: RunLog | null = null

  const say = (level: string, message: string, data?: unknown): void => {
    events.emit('run:log', { run: job.key, task, level, message, data })
    if (lines++ < LINES_MAX) recorder.line({ run: job.key, attempt, level, message: String(message), data })
  }
  const context: Context = {
    get run() {
      return (info ??= describeRun(options))
    },
    get signal() {
      if (!controller) {
        controller = new AbortController()
        if (aborted) controller.abort(aborted)
      }
      return controller.signal
    },
    get log() {
      return (log ??= {
        debug: (message, data) => say('debug', message, data),
        info: (message, data) => say('info', message, data),
        warn: (message, data) => say('warn', message, data),
        error: (message, data) => say('error', message, data),
      })
    },
    get tx() {
      if (!tx)
        throw new ConfigError(
          `task ${task} has no transaction: declare it with { transactional: true } to use context.tx.`,
        )
      return tx
    },
    progress(current, total = null, meta = null) {
      if (!Number.isFinite(current)) return
      last = {
        run: job.key,
        current,
        total: Number.isFinite(total) ? total : null,
        meta: storableValue(meta),
      }
      recorder.progress(last)
    },
  }
  return {
    ...options,
    context,
    progress: () => last && toStored(last),
    abort(reason) {
      aborted ??= reason
      controller?.abort(reason)
    },
  }
}

function toStored({ current, total, meta }: ProgressRow): object {
  const percent = total ? Math.round((1000 * current) / total) / 10 : null
  return { current, total, percent, meta, at: new Date(nowMs()).toISOString() }
}

function describeRun({ job, task, queue, attempt, allowed }: ActiveOptions): RunInfo {
  const { payload } = job
  return Object.freeze({
    id: job.key,
    task,
    queue,
    priority: job.priority,
    attempt,
    attemptsMax: allowed,
    redeliveries: payload.redeliveries ?? 0,
    tags: payload.tags ?? [],
    headers: payload.headers ?? {},
    parent: payload.parent ?? null,
    retryOf: payload.retry_of ?? null,
    schedule: payload.schedule ?? null,
    dueAt: payload.due_at ?? null,
    createdAt: new Date(job.created_at).toISOString(),
    expiresAt: payload.expires_at ?? null,
  })
}
