/**
 * The options of enqueue and how they become the fields of a body. A field is checked here only as far as TypeScript's
 * own forms need it (a Date, a duration, a policy without functions); what a value may be is PostgreSQL's to say, once,
 * for every language. What cannot stand together is said here too, so that REST can name all of it at once.
 */
import { parseDuration, type Duration } from '../duration.ts'
import { EnqueueError, type Fault } from '../errors.ts'
import { isInstant } from '../instant.ts'
import { storableText } from '../json.ts'
import { explainRetryPolicy, storePolicy, type RetryPolicy } from '../tasks/retry.ts'

export interface EnqueueOptions {
  queue?: string
  /** -32768 to 32767, lower runs first. */
  priority?: number
  /** Not before this long from now. */
  delay?: Duration
  /** Not before this instant. */
  eta?: Date | string
  /** Not after this instant, or this long from now. */
  expires?: Date | string | Duration
  /** A UUID of your own; a second enqueue with it answers the first run. */
  id?: string
  /** Held against a second run of the task while this one has not finished; <= 512 characters. */
  uniqueKey?: string
  /** Until when the key is held: until a worker takes the run, or until it has finished (default). */
  uniqueWhile?: 'queued' | 'unfinished'
  /** The key is held this long from now on, also when the run has finished by then. */
  uniqueFor?: Duration
  /** What to do when the key is held: answer the standing run (default), replace it while it waits, or throw. */
  onConflict?: 'keep' | 'replace' | 'reject'
  /** Needs uniqueKey: waits this long, and each further enqueue replaces the waiting run and starts the wait anew. */
  debounce?: Duration
  /** The first of a row of debounced ones waits no longer than this. */
  debounceMax?: Duration
  /** A second enqueue of the task with it answers the first run, also when that has finished; <= 512 characters. */
  idempotencyKey?: string
  /** For how long; default 24 hours. */
  idempotencyFor?: Duration
  /** Whose limit it counts for, instead of what the task's `concurrency.key` answers; <= 512 characters. */
  concurrencyKey?: string
  /** Whose rate it counts for, instead of what the task's `rate.key` answers; <= 512 characters. */
  rateKey?: string
  /** <= 20 labels of <= 64 characters. */
  tags?: readonly string[]
  headers?: Readonly<Record<string, unknown>>
  attemptsMax?: number
  /** Instead of the task's policy; it is stored, so functions have no place in it. */
  retry?: Omit<RetryPolicy, 'when' | 'backoff'> & { backoff?: Exclude<RetryPolicy['backoff'], Function> }
  timeLimit?: Duration
  softTimeLimit?: Duration
  ignoreResult?: boolean
  retention?: Duration
  /** The run that asks for this one; by default the one whose handler calls enqueue, null for none. */
  parent?: string | null
}

const OPTION_KEYS: Record<keyof EnqueueOptions, string> = {
  queue: 'queue',
  priority: 'priority',
  delay: 'delay',
  eta: 'eta',
  expires: 'expires',
  id: 'id',
  uniqueKey: 'unique_key',
  uniqueWhile: 'unique_while',
  uniqueFor: 'unique_for',
  onConflict: 'on_conflict',
  debounce: 'debounce',
  debounceMax: 'debounce_max',
  idempotencyKey: 'idempotency_key',
  idempotencyFor: 'idempotency_for',
  concurrencyKey: 'concurrency_key',
  rateKey: 'rate_key',
  tags: 'tags',
  headers: 'headers',
  attemptsMax: 'attempts_max',
  retry: 'retry',
  timeLimit: 'time_limit',
  softTimeLimit: 'soft_time_limit',
  ignoreResult: 'ignore_result',
  retention: 'retention',
  parent: 'parent',
}

/** The fields that options stand for: copies, as of now. Throws EnqueueError RB_OPTION_INVALID. */
export function optionFields(options: EnqueueOptions | undefined): Record<string, unknown> | undefined {
  if (!options) return undefined
  const fields: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(options)) {
    const field = Object.hasOwn(OPTION_KEYS, key) ? OPTION_KEYS[key as keyof EnqueueOptions] : undefined
    if (!field)
      refuseOption(`/${key}`, `is no option of enqueue; known are ${Object.keys(OPTION_KEYS).join(', ')}`)
    if (value === undefined || value === null) continue
    const checked = storableText(value, `/${field}`)
    if (key !== 'retry' && 'fault' in checked) refuseOption(checked.fault.pointer, checked.fault.detail)
    const copied = optionValue(key as keyof EnqueueOptions, value)
    fields[field] = typeof copied === 'object' ? JSON.parse(JSON.stringify(copied)) : copied
  }
  const [clash] = findClashes(fields)
  if (clash) refuseOption(clash.pointer, clash.detail)
  return fields
}

function optionValue(key: keyof EnqueueOptions, value: any): unknown {
  switch (key) {
    case 'eta':
      return instant(value, '/eta')
    case 'expires':
      return value instanceof Date || parseDuration(value) === null
        ? instant(value, '/expires')
        : seconds(value, '/expires')
    case 'delay':
    case 'uniqueFor':
    case 'debounce':
    case 'debounceMax':
    case 'idempotencyFor':
    case 'timeLimit':
    case 'softTimeLimit':
    case 'retention':
      return seconds(value, `/${OPTION_KEYS[key]}`)
    case 'retry': {
      const why = explainRetryPolicy(value)
      if (why) refuseOption('/retry', why)
      if (value.when || typeof value.backoff === 'function')
        refuseOption('/retry', 'has a function, which cannot be stored; put it in the task')
      return storePolicy(value)
    }
    default:
      return value
  }
}

/** What needs another field to mean anything. */
const NEEDS: readonly (readonly [field: string, needed: string])[] = [
  ['unique_while', 'unique_key'],
  ['unique_for', 'unique_key'],
  ['debounce', 'unique_key'],
  ['debounce_max', 'debounce'],
  ['idempotency_for', 'idempotency_key'],
]

/** Fields of a body that cannot stand together, or not alone. Each by itself is taken to be right. */
export function findClashes(fields: Readonly<Record<string, unknown>>): Fault[] {
  const has = (field: string): boolean => fields[field] !== undefined && fields[field] !== null
  const span = (field: string): number => parseDuration(fields[field]) ?? Number.NaN
  const faults = NEEDS.filter(([field, needed]) => has(field) && !has(needed)).map(([field, needed]) => ({
    pointer: `/${field}`,
    detail: `needs ${needed} beside it`,
  }))
  const clash = (when: boolean, field: string, detail: string): void => {
    if (when) faults.push({ pointer: `/${field}`, detail })
  }
  clash(has('delay') && has('eta'), 'eta', 'cannot stand beside delay: give one of them')
  if (has('debounce')) {
    for (const field of ['delay', 'eta', 'on_conflict', 'unique_for'])
      clash(has(field), field, 'cannot stand beside debounce, which waits and replaces')
  }
  // A time limit of 0 is none.
  clash(
    span('soft_time_limit') > (span('time_limit') || Infinity),
    'soft_time_limit',
    'must not be longer than time_limit',
  )
  return faults
}

function seconds(value: unknown, pointer: string): number {
  const ms = parseDuration(value)
  return ms === null
    ? refuseOption(pointer, `is ${JSON.stringify(value)}; give seconds, or text such as "30s"`)
    : ms / 1000
}

function instant(value: unknown, pointer: string): string {
  if (value instanceof Date) return value.toISOString()
  return isInstant(value)
    ? value
    : refuseOption(pointer, 'must be a Date or an instant such as "2026-01-31T12:00:00Z"')
}

export function refuseOption(pointer: string, detail: string, cause?: unknown): never {
  throw new EnqueueError(
    'RB_OPTION_INVALID',
    `${pointer} ${detail}`,
    [{ pointer, detail }],
    cause === undefined ? undefined : { cause },
  )
}
