/**
 * What may be said of a queue: the limits it is held to, and what its verbs take. Each is read strictly: every wrong place is
 * told at once, and a field that is not known is refused. One reading for REST, panel and command line.
 */
import {
  check,
  duration,
  instant,
  integer,
  isObject,
  objectSchema,
  pattern,
  pointerStep,
  text,
  type Check,
} from '../check.ts'
import type { QueueLimits } from '../db/statements/queue-edits.ts'
import { parseDuration } from '../duration.ts'
import { QueueError, type Fault } from '../errors.ts'
import { findUnstorable } from '../json.ts'
import { QUEUE_NAME } from '../tasks/options.ts'
import { parseRate, RATE_WORDS } from '../tasks/rate.ts'

/** The default. */
export const HOT_LIMIT = 5000
/** As the database reads it, which is a little stricter than a number may be written. */
const STORED_RATE = /^\d{1,9}(\.\d{1,6})?(\/[smhd])?$/

const rate = check(
  {
    anyOf: [
      { type: 'string', pattern: STORED_RATE.source },
      { type: 'number', exclusiveMinimum: 0, maximum: 999_999_999 },
    ],
  },
  (value) => {
    const written = typeof value === 'number' ? String(value) : value
    const isStorable = typeof written === 'string' && STORED_RATE.test(written) && parseRate(written) !== null
    return isStorable ? null : `must be ${RATE_WORDS}`
  },
)

const LIMITS: Readonly<Record<keyof QueueLimits, Check>> = {
  concurrency: integer(1, 1_000_000),
  rate,
  rate_burst: integer(1, 1_000_000),
  hot_limit: integer(0, 1_000_000),
}
export const LIMITS_BODY = objectSchema(LIMITS)
const BURST_ALONE: Fault = { pointer: '/rate_burst', detail: 'needs a rate beside it' }

/** All limits of a queue: what is left out or null is no limit, and the default for `hot_limit`. */
export function readLimits(body: unknown): QueueLimits {
  const given = readFields(body, LIMITS)
  const { concurrency = null, rate: written, rate_burst = null, hot_limit } = given
  if (rate_burst !== null && (written ?? null) === null) throw refuseQueue([BURST_ALONE])
  return {
    concurrency: concurrency as number | null,
    rate: rateOf(written),
    rate_burst: rate_burst as number | null,
    hot_limit: (hot_limit as number | null | undefined) ?? HOT_LIMIT,
  }
}

/** Only what is given; null takes a limit away, and a rate takes its burst along. */
export function readChanges(body: unknown, standing: Pick<QueueLimits, 'rate'>): Partial<QueueLimits> {
  const given = readFields(body, LIMITS)
  const changes = { ...given } as Partial<QueueLimits>
  if ('rate' in given) changes.rate = rateOf(given.rate)
  if ('hot_limit' in given) changes.hot_limit ??= HOT_LIMIT
  const held = 'rate' in given ? changes.rate : standing.rate
  if (held === null && (changes.rate_burst ?? null) !== null) throw refuseQueue([BURST_ALONE])
  if (held === null && 'rate' in given) changes.rate_burst = null
  return changes
}

function rateOf(written: unknown): string | null {
  return written === undefined || written === null ? null : String(written)
}

export interface QueuePause {
  reason: string | null
  /** An instant, or seconds from now by the database's clock; null: until it is resumed. */
  until: string | number | null
}

const ahead = check(
  duration.schema,
  (value) =>
    duration(value) ??
    (parseDuration(value)! > 0 && parseDuration(value)! <= 3_155_760_000_000
      ? null
      : 'must be longer than 0, at most 100 years'),
)
const PAUSE = { reason: text(500), resume_at: instant, for: ahead }
export const QUEUE_PAUSE_BODY = objectSchema(PAUSE)

export function readQueuePause(body: unknown): QueuePause {
  const { reason = null, ...when } = readFields(body, PAUSE)
  const [at, span] = [when.resume_at ?? null, when.for ?? null]
  if (at !== null && span !== null)
    throw refuseQueue([
      { pointer: '/for', detail: 'says when it resumes, as resume_at does: give one of the two' },
    ])
  return {
    reason: reason as string | null,
    until: span === null ? (at as string | null) : parseDuration(span)! / 1000,
  }
}

const throttle = check({ type: 'number', minimum: 0.001, maximum: 1_000_000 }, (value) =>
  typeof value === 'number' && value >= 0.001 && value <= 1_000_000
    ? null
    : 'must be runs a second, from 0.001 to 1000000',
)

export interface Purge {
  reason?: string
  throttle?: number
}

const PURGE = { reason: text(500), throttle }
export const PURGE_BODY = objectSchema(PURGE)

export function readPurge(body: unknown): Purge {
  return withoutNull(readFields(body, PURGE))
}

export interface Move {
  to: string
  throttle?: number
}

const MOVE = { to: pattern(QUEUE_NAME), throttle }
export const MOVE_BODY = objectSchema(MOVE, ['to'])

export function readMove(body: unknown, from: string): Move {
  const move = withoutNull(readFields(body, MOVE))
  if (move.to === undefined)
    throw refuseQueue([{ pointer: '/to', detail: 'is missing: name the queue they go to' }])
  if (move.to === from)
    throw refuseQueue([{ pointer: '/to', detail: 'is the queue they are on; name another' }])
  return move as unknown as Move
}

/** What any verb takes when nothing is said: no body, or null, is {}. */
export function readQueueNothing(body: unknown): void {
  readFields(body, {})
}

export function refuseQueue(faults: readonly Fault[]): QueueError {
  const [first] = faults as [Fault]
  const words = `${first.pointer} ${first.detail}`.trim()
  return new QueueError('RB_QUEUE_INVALID', `What is asked of the queue is refused: ${words}.`, faults)
}

function readFields(body: unknown, fields: Readonly<Record<string, Check>>): Record<string, unknown> {
  const given = body ?? {}
  const known = Object.keys(fields).join(', ') || 'none'
  if (!isObject(given))
    throw refuseQueue([{ pointer: '', detail: `must be an object; its fields are ${known}` }])
  const faults: Fault[] = []
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(fields, name)) {
      faults.push({ pointer: pointerStep(name), detail: `is not a field here; known are ${known}` })
      continue
    }
    if (value === null || value === undefined) continue
    const unstorable = findUnstorable(value, `/${name}`)
    const detail = unstorable ? null : fields[name]!(value)
    if (unstorable) faults.push(unstorable)
    else if (detail) faults.push({ pointer: `/${name}`, detail })
  }
  if (faults.length > 0) throw refuseQueue(faults)
  return given
}

function withoutNull(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => (value ?? null) !== null))
}
