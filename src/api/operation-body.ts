/**
 * The bodies of verbs on runs, and of operations. What an operation may be is judged by the database, in one place for SQL
 * and REST; here only the shape is. null stands for left out.
 */
import {
  duration,
  flag,
  instant,
  isObject,
  objectSchema,
  oneOf,
  pattern,
  pointerStep,
  text,
  type Check,
  type Schema,
} from '../check.ts'
import type { OperationRequest } from '../control/operations.ts'
import type { OperationQuery } from '../db/statements/operations.ts'
import type { Duration } from '../duration.ts'
import { EnqueueError, OperationError, type Fault } from '../errors.ts'
import { OPERATION_KINDS, OPERATION_STATES } from '../queue/operation.ts'
import { QUEUE_NAME } from '../tasks/options.ts'
import type { RevokeOptions } from '../results/revoke.ts'
import type { RescheduleTime, RetryOptions } from '../results/verbs.ts'
import { LIMIT, readBefore, readLimit, readQuery, readWord, type Parameters } from './query.ts'

const REVOKE = { terminate: flag, reason: text(2000) }
export const REVOKE_BODY = objectSchema(REVOKE)

/** Of POST /v1/runs/{id}:revoke. */
export function readRevoke(body: unknown): RevokeOptions {
  return readFields(body, REVOKE)
}

export const RETRY_BODY = objectSchema({ input: null })

/** Of POST /v1/runs/{id}:retry; an input of null is an input. */
export function readRetry(body: unknown): RetryOptions {
  const { input, ...rest } = isObject(body) ? body : { input: undefined }
  readFields(isObject(body) ? rest : body, {}, ['input'])
  return input === undefined ? {} : { input }
}

const TIME = { eta: instant, delay: duration }
export const TIME_BODY = objectSchema(TIME)

/** Of POST /v1/runs/{id}:reschedule. */
export function readReschedule(body: unknown): RescheduleTime {
  const { eta, delay } = readFields<{ eta?: string; delay?: Duration }>(body, TIME)
  if ((eta === undefined) === (delay === undefined))
    throw refuse([{ pointer: '/eta', detail: 'give eta or delay' }])
  return eta === undefined ? { delay: delay! } : { eta }
}

function readFields<Fields extends object>(
  body: unknown,
  checks: Readonly<Record<string, Check>>,
  beside: readonly string[] = [],
): Fields {
  if (body === undefined || body === null) return {} as Fields
  if (!isObject(body)) throw refuse([{ pointer: '', detail: 'must be an object' }])
  const faults: Fault[] = []
  const fields: Record<string, unknown> = {}
  const known = [...Object.keys(checks), ...beside].join(', ')
  for (const [name, value] of Object.entries(body)) {
    const check = Object.hasOwn(checks, name) ? checks[name]! : null
    const detail = !check ? `is not a field here; known are ${known}` : value === null ? null : check(value)
    if (detail) faults.push({ pointer: pointerStep(name), detail })
    else if (value !== null) fields[name] = value
  }
  if (faults.length > 0) throw refuse(faults)
  return fields as Fields
}

function refuse(faults: Fault[]): EnqueueError {
  const [first] = faults
  const words = `The request is refused: ${first!.pointer} ${first!.detail}.`.replace('  ', ' ')
  return new EnqueueError('RB_OPTION_INVALID', words, faults)
}

const kindOf = oneOf(...OPERATION_KINDS)
const OPERATION = {
  kind: kindOf,
  filter: { type: 'object', minProperties: 1 },
  throttle: { type: 'number', minimum: 0.001, maximum: 1_000_000 },
  terminate: flag,
  reason: { type: 'string', minLength: 1 },
  input: null,
  eta: instant,
  delay: duration,
  to: pattern(QUEUE_NAME),
}

/** The shape alone; which fields go with which kind the database says. */
export const OPERATION_BODY: Schema = {
  title: 'OperationRequest',
  ...objectSchema(OPERATION, ['kind', 'filter']),
}

/** Of POST /v1/operations. */
export function readOperationBody(body: unknown): OperationRequest {
  const { kind, filter, ...rest } = isObject(body) ? body : { kind: null, filter: null }
  const faults: Fault[] = Object.keys(rest)
    .filter((name) => !Object.hasOwn(OPERATION, name))
    .map((name) => ({
      pointer: pointerStep(name),
      detail: `is not a field here; known are ${Object.keys(OPERATION).join(', ')}`,
    }))
  const wrong = kindOf(kind)
  if (wrong) faults.push({ pointer: '/kind', detail: wrong })
  if (!isObject(filter))
    faults.push({ pointer: '/filter', detail: 'must be an object such as {"task": "demo.add"}' })
  if (faults.length > 0) {
    const [first] = faults
    const words = `The operation is refused: ${first!.pointer} ${first!.detail}.`
    throw new OperationError('RB_OPERATION_INVALID', words, faults)
  }
  const given = (fields: Record<string, unknown>, kept?: string): Record<string, unknown> =>
    Object.fromEntries(Object.entries(fields).filter(([key, value]) => value !== null || key === kept))
  const options = given(rest, 'input')
  return { kind: kind as string, filter: given(filter as Record<string, unknown>), options }
}

export const OPERATION_PARAMETERS: Parameters<OperationQuery> = {
  limit: readLimit,
  cursor: readBefore,
  kind: readWord<'kind', string>('kind', ...OPERATION_KINDS),
  state: readWord<'state', string>('state', ...OPERATION_STATES),
}

/** The query of GET /v1/operations. Throws RB_QUERY_INVALID. */
export function readOperationQuery(given: unknown): OperationQuery {
  return readQuery<OperationQuery>(OPERATION_PARAMETERS, given, { limit: LIMIT })
}
