/**
 * What a worker may be given, and the check of it, which is made when it is created and never later.
 */
import type { DatabaseHandle } from '../db/handle.ts'
import { durationMs, type Duration } from '../duration.ts'
import { ConfigError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { OutboundOptions } from '../outbound/policy.ts'
import { parseSize } from '../size.ts'
import type { MiddlewareList } from '../tasks/middleware.ts'
import type { QueueTree } from '../tasks/queue.ts'
import type { TaskTree } from '../tasks/registry.ts'
import type { Routes } from '../tasks/route.ts'
import { QUEUE_NAME } from '../tasks/task.ts'
import type { Scale } from './autoscale.ts'
import { nameOf } from './name.ts'
import type { Base } from './settings.ts'

export interface WorkerOptions {
  databaseUrl: string
  tasks: TaskTree
  /** Queue -> runs at once; default `{ default: concurrency, high: concurrency }`. */
  queues?: Readonly<Record<string, number>>
  /** Default 10. */
  concurrency?: number
  /** Runs at once of each queue, instead of a fixed number: grows at once to what waits, shrinks when it is idle. */
  autoscale?: Scale
  /** How long a queue has more than it needs before it shrinks; default 30 s. */
  autoscaleKeepAlive?: Duration
  /** Runs to hold ahead of free slots, instead of the 10 ms that are measured. */
  prefetch?: number
  /** For transactional tasks: the handle whose kind of transaction `context.tx` is; default a postgres.js sql. */
  db?: DatabaseHandle
  /**
   * Shown as the worker of a run, and what settings and commands go by; default host-pid-random. `w1@%h`: %h is the
   * machine, %n and %d its name and domain, %i `index`.
   */
  name?: string
  /** The number of this process among its brothers; default 0. */
  index?: number
  /** Emits `worker:spent`, once, when it has done so many runs. */
  maxRuns?: number
  /** Emits `worker:spent`, once, when its process takes more memory after a run: bytes, or text such as `512 MB`. */
  maxMemory?: number | string
  logger?: Logger
  prepare?: boolean
  /** For runs whose call and task say nothing: when one is ended; default never. */
  timeLimit?: Duration
  /** For runs whose call and task say nothing: when one is asked to stop; default never. */
  softTimeLimit?: Duration
  /** Isolated runs at once, threads and processes together; default the number of processors. */
  threads?: number
  /** How long results are kept when neither task nor call says; default 30 days. */
  retention?: Duration
  /** What goes around every run, the first one outermost: functions (context, next), and hooks that are only told. */
  middleware?: MiddlewareList
  /** As createRowbeat has them: its patterns decide for runs enqueued by SQL and by schedules too. */
  routes?: Routes
  /** What its runs of `rowbeat.http` and its webhooks may call beside public addresses: `{ allow: ['10.1.0.0/16'] }`. */
  outbound?: OutboundOptions
  /** false: it does not know `rowbeat.http`, the task that calls an address; default true. */
  httpTask?: boolean
  /** Queues with limits of their own, over all workers: defineQueue(name, options). */
  queueDefinitions?: QueueTree
}

/** The same, checked and with what was left out. */
export interface Given {
  readonly name: string
  readonly base: Base
  /** Seconds to keep a result whose run says nothing. */
  readonly keep: number
  readonly keepAliveMs: number
  readonly maxRuns: number | null
  /** Bytes. */
  readonly maxMemory: number | null
}

const SLOTS_MAX = 10_000

/** Throws ConfigError with the first thing that is wrong. */
export function readOptions(options: WorkerOptions): Given {
  const { concurrency = 10, maxRuns = null, autoscale = null, index = 0 } = options
  const queues = options.queues ?? { default: concurrency, high: concurrency }
  for (const [queue, slots] of Object.entries(queues)) {
    if (!QUEUE_NAME.test(queue)) throw new ConfigError(`queue "${queue}" must match ${QUEUE_NAME.source}.`)
    requireCount(slots, `queue "${queue}": its concurrency`)
  }
  requireCount(concurrency, 'concurrency')
  if (maxRuns !== null) requireCount(maxRuns, 'maxRuns', Number.MAX_SAFE_INTEGER)
  if (autoscale) {
    requireCount(autoscale.max, 'autoscale.max')
    requireCount(autoscale.min, 'autoscale.min')
    if (autoscale.min > autoscale.max) throw new ConfigError('autoscale.min must not be above autoscale.max.')
  }
  return {
    name: nameOf(options.name, index),
    base: { queues, concurrency, autoscale },
    keep: durationMs(options.retention ?? '30 days', 'retention') / 1000,
    keepAliveMs: durationMs(options.autoscaleKeepAlive ?? '30 s', 'autoscaleKeepAlive'),
    maxRuns,
    maxMemory: options.maxMemory === undefined ? null : bytesOf(options.maxMemory),
  }
}

/** What the registry tells of how it was started, in rows' words. */
export function limitsGiven(
  { prefetch }: WorkerOptions,
  { maxRuns, maxMemory }: Given,
): Record<string, number> {
  const all = { prefetch: prefetch ?? null, max_runs: maxRuns, max_memory: maxMemory }
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, number] => entry[1] !== null),
  )
}

function requireCount(value: number, what: string, most = SLOTS_MAX): void {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new ConfigError(`${what} must be a whole number of at least 1.`)
}

function bytesOf(value: number | string): number {
  const bytes = typeof value === 'number' ? value : parseSize(value)
  if (bytes !== null && bytes > 0) return bytes
  throw new ConfigError(`maxMemory ${JSON.stringify(value)} must be bytes, or text such as "512 MB".`)
}
