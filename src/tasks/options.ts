/**
 * How a task is to be run: its options, and what each may be. Whatever cannot work is refused where the task is defined,
 * which is when its module is imported, never when its first run comes.
 */
import { durationMs, parseDuration, type Duration } from '../duration.ts'
import { DefinitionError } from '../errors.ts'
import { RATE_WORDS, parseRate } from './rate.ts'
import { checkRetryPolicy, type RetryPolicy } from './retry.ts'

export const TASK_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,89}$/
export const QUEUE_NAME = /^[a-z][a-z0-9_-]{0,31}$/

/** At most `limit` runs at once, over all workers; with `key`, at most that many for each text that it answers. */
export interface ConcurrencyLimit {
  readonly limit: number
  /** A function of the input; what it answers is kept with the run. */
  readonly key?: (input: any) => string
  /** What becomes of a run above the limit: it waits (default), ends at once, or takes the place of the oldest. */
  readonly strategy?: ConcurrencyStrategy
}
export type ConcurrencyStrategy = 'wait' | 'skip' | 'cancel_oldest'

/** Starts per time, over all workers; with `key`, for each text that it answers. */
export interface RateLimit {
  /** `10/m`; units s, m, h, d; a bare number is per second. */
  readonly limit: string | number
  /** How many may start at once after a quiet while; default 1. */
  readonly burst?: number
  readonly key?: (input: any) => string
}

export interface TaskOptions {
  /** Where its runs wait; default `default`. */
  queue?: string
  /** -32768 to 32767, lower runs first; default 0. */
  priority?: number
  /** Tries in all, or a function of the input that says; default 1, or 5 when `retry` is given. */
  attemptsMax?: number | ((input: any) => number)
  retry?: RetryPolicy
  /** A try that takes longer ends its run at once, as FAILURE `time_limit`; 0 is never, default the worker's. */
  timeLimit?: Duration
  /** A try that takes longer is asked to stop: `context.signal` aborts with SoftTimeLimit; 0 is never, default the worker's. */
  softTimeLimit?: Duration
  /** How long its results are kept; default ROWBEAT_RESULT_RETENTION. */
  retention?: Duration
  /** Do not store what it returns; default false. */
  ignoreResult?: boolean
  /** Run it in a transaction, `context.tx`, that commits together with its outcome: its effects happen exactly once. */
  transactional?: boolean
  /** How many of its runs go on at once, over all workers; a number is a limit without a key. */
  concurrency?: number | ConcurrencyLimit
  /** How many of its runs start per time, over all workers: `10/m`; default no limit. */
  rate?: string | number | RateLimit
  /** Run it outside the worker's own thread, so that it can be killed and its crash is its own. Its module exports it. */
  isolate?: 'thread' | 'process'
  /** The file that exports an isolated task; default the file that defines it. */
  module?: string | URL
  /** How much its thread or process may allocate: megabytes, or text such as `512 MB`; default Node's own limit. */
  memoryLimit?: number | string
  /** An isolated task's thread or process is replaced after this many runs; default never. */
  recycleAfter?: number
}

/** Throws DefinitionError (RB_TASK_INVALID) with the first thing that is wrong. */
export function checkDefinition(name: string, options: TaskOptions, handler: unknown): void {
  const refuse: Refuse = (why) => {
    throw new DefinitionError('RB_TASK_INVALID', `task ${JSON.stringify(name)}: ${why}.`)
  }
  if (typeof name !== 'string' || !TASK_NAME.test(name))
    refuse(`the name must match ${TASK_NAME.source}, as in "orders.send_confirmation"`)
  if (typeof handler !== 'function')
    refuse('the third argument must be its handler, a function of (input, context)')
  const unknown = Object.keys(options).find((key) => !Object.hasOwn(CHECKS, key))
  if (unknown)
    refuse(`"${unknown}" is no option of a task; known are input, ${Object.keys(CHECKS).join(', ')}`)
  for (const [key, check] of Object.entries(CHECKS)) {
    const value = options[key as keyof TaskOptions]
    const why = value === undefined ? null : check(value, key)
    if (why !== null) refuse(why)
  }
  checkTogether(options, refuse)
  checkRetryPolicy(options.retry, `task ${JSON.stringify(name)}`)
}

type Refuse = (why: string) => never

function checkTogether(options: TaskOptions, refuse: Refuse): void {
  const { timeLimit, softTimeLimit, isolate, transactional } = options
  const hardMs = durationMs(timeLimit ?? 0, 'timeLimit')
  if (hardMs > 0 && durationMs(softTimeLimit ?? 0, 'softTimeLimit') > hardMs)
    refuse('softTimeLimit must not be longer than timeLimit')
  if (isolate && transactional)
    refuse(
      'a transactional task cannot be isolated, because its transaction lives in the worker; drop one of the two',
    )
  const orphan = (['module', 'memoryLimit', 'recycleAfter'] as const).find(
    (key) => options[key] !== undefined,
  )
  if (!isolate && orphan)
    refuse(`${orphan} is for an isolated task: add isolate: 'thread' or 'process', or drop it`)
}

/** Why a value is refused, or null. */
type Check = (value: any, key: string) => string | null

const anything: Check = () => null
const duration: Check = (value, key) =>
  parseDuration(value) === null ? `${key} must be a duration such as "30s"` : null

const CHECKS: Readonly<Record<keyof TaskOptions, Check>> = {
  queue: (value) => (QUEUE_NAME.test(value) ? null : `the queue must match ${QUEUE_NAME.source}`),
  priority: (value) =>
    Number.isInteger(value) && Math.abs(value + 0.5) <= 32_767.5
      ? null
      : 'the priority must be a whole number from -32768 to 32767, lower runs first',
  attemptsMax: (value) =>
    typeof value === 'function' || isCount(value)
      ? null
      : 'attemptsMax must be a whole number from 1 to 1000000, or a function of the input',
  retry: anything,
  timeLimit: duration,
  softTimeLimit: duration,
  retention: duration,
  ignoreResult: anything,
  transactional: anything,
  concurrency: explainConcurrency,
  rate: explainRate,
  isolate: (value) =>
    value === 'thread' || value === 'process' ? null : "isolate must be 'thread' or 'process'",
  module: (value) =>
    value instanceof URL || (typeof value === 'string' && value !== '')
      ? null
      : 'module must be the path or file URL of the module that exports the task, such as import.meta.url',
  memoryLimit: (value) =>
    parseMegabytes(value) === null
      ? 'memoryLimit must be megabytes, or text such as "512 MB", of at least 16 MB'
      : null,
  recycleAfter: (value) =>
    isCount(value) ? null : 'recycleAfter must be a whole number of runs, from 1 to 1000000',
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1_000_000
}

const STRATEGIES: readonly unknown[] = ['wait', 'skip', 'cancel_oldest']

function explainConcurrency(value: unknown): string | null {
  const { limit, key, strategy = 'wait', ...rest } = asLimit(value)
  if (!isCount(limit)) return 'the limit of concurrency must be a whole number from 1 to 1000000'
  if (key !== undefined && typeof key !== 'function')
    return 'the key of concurrency must be a function of the input that answers a text'
  if (!STRATEGIES.includes(strategy))
    return `the strategy of concurrency must be one of ${STRATEGIES.join(', ')}`
  return explainRest('concurrency', rest, 'limit, key, strategy')
}

function explainRate(value: unknown): string | null {
  const { limit, key, burst = 1, ...rest } = asLimit(value)
  if (parseRate(limit) === null) return `rate is ${JSON.stringify(limit)}; give ${RATE_WORDS}`
  if (key !== undefined && typeof key !== 'function')
    return 'the key of rate must be a function of the input that answers a text'
  if (!isCount(burst)) return 'the burst of rate must be a whole number from 1 to 1000000'
  return explainRest('rate', rest, 'limit, burst, key')
}

function asLimit(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : { limit: value }
}

function explainRest(what: string, rest: object, known: string): string | null {
  const [unknown] = Object.keys(rest)
  return unknown === undefined ? null : `"${unknown}" is no part of ${what}; known are ${known}`
}

/** Megabytes of `512`, `512 MB`, `2GB`, `536870912 bytes`; null when it is none, or too little for Node to start. */
export function parseMegabytes(value: unknown): number | null {
  const match = /^(\d+(?:\.\d+)?) ?(bytes|KB|MB|GB)?$/i.exec(String(value).trim())
  if (!match) return null
  const perUnit = { bytes: 2 ** -20, kb: 2 ** -10, mb: 1, gb: 1024 }[(match[2] ?? 'MB').toLowerCase()]!
  const megabytes = Math.floor(Number(match[1]) * perUnit)
  return megabytes >= 16 && megabytes <= 1_048_576 ? megabytes : null
}

/** Tries in all for this input: 1 where nothing is said, 5 for a task with a retry policy. */
export function attemptsOf({ attemptsMax, retry }: TaskOptions, input: unknown): number {
  if (typeof attemptsMax === 'function') return Math.max(1, Math.trunc(Number(attemptsMax(input))) || 1)
  return attemptsMax ?? (retry ? 5 : 1)
}
