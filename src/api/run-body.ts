/**
 * The body of POST /v1/runs. Every wrong place is told at once, each with a pointer, and a field that is not
 * known is refused: a misspelt option that is silently ignored is found out much later.
 */
import {
  check,
  duration,
  flag,
  headers,
  instant,
  integer,
  isObject,
  objectSchema,
  oneOf,
  pattern,
  pointerStep,
  priority,
  tags,
  text,
  uuid,
  type Check,
  type Schema,
} from '../check.ts'
import type { RunRequest } from '../control/runs.ts'
import { parseDuration } from '../duration.ts'
import type { Fault } from '../errors.ts'
import { isInstant } from '../instant.ts'
import { findUnstorable } from '../json.ts'
import { findClashes, type EnqueueOptions } from '../queue/options.ts'
import { explainRetryPolicy } from '../tasks/retry.ts'
import { QUEUE_NAME, TASK_NAME } from '../tasks/task.ts'

interface Field {
  check: Check
  /** Its name in TypeScript. */
  option: keyof EnqueueOptions
}

const BACKOFFS = ['constant', 'linear', 'exponential']
const RETRY = {
  title: 'RetryPolicy',
  type: 'object',
  properties: {
    backoff: {
      anyOf: [
        { type: 'string', enum: BACKOFFS },
        { type: 'array', items: duration.schema, minItems: 1 },
      ],
    },
    base: duration.schema,
    cap: duration.schema,
    jitter: flag.schema,
  },
  additionalProperties: false,
}

/** Every field of the body but task and input. */
const FIELDS: Readonly<Record<string, Field>> = {
  queue: { option: 'queue', check: pattern(QUEUE_NAME) },
  priority: { option: 'priority', check: priority },
  delay: { option: 'delay', check: duration },
  eta: { option: 'eta', check: instant },
  expires: {
    option: 'expires',
    check: check({ anyOf: [instant.schema, duration.schema] }, (value) =>
      isInstant(value) || parseDuration(value) !== null
        ? null
        : 'must be an instant such as "2026-01-31T12:00:00Z", or a duration from now such as "10m"',
    ),
  },
  id: { option: 'id', check: uuid },
  unique_key: { option: 'uniqueKey', check: text(512) },
  unique_while: { option: 'uniqueWhile', check: oneOf('queued', 'unfinished') },
  unique_for: { option: 'uniqueFor', check: duration },
  on_conflict: { option: 'onConflict', check: oneOf('keep', 'replace', 'reject') },
  debounce: { option: 'debounce', check: duration },
  debounce_max: { option: 'debounceMax', check: duration },
  idempotency_key: { option: 'idempotencyKey', check: text(512) },
  idempotency_for: { option: 'idempotencyFor', check: duration },
  concurrency_key: { option: 'concurrencyKey', check: text(512) },
  rate_key: { option: 'rateKey', check: text(512) },
  tags: { option: 'tags', check: tags },
  headers: { option: 'headers', check: headers },
  attempts_max: { option: 'attemptsMax', check: integer(1, 1_000_000) },
  retry: { option: 'retry', check: check(RETRY, explainRetryPolicy) },
  time_limit: { option: 'timeLimit', check: duration },
  soft_time_limit: { option: 'softTimeLimit', check: duration },
  ignore_result: { option: 'ignoreResult', check: flag },
  retention: { option: 'retention', check: duration },
  parent: { option: 'parent', check: uuid },
}

const OPTIONS = Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, field.check]))

/** Of POST /v1/runs. */
export const RUN_BODY: Schema = {
  title: 'RunRequest',
  ...objectSchema({ task: pattern(TASK_NAME), input: null, ...OPTIONS }, ['task']),
}

/** Of a run of a schedule by hand: the task is the schedule's own. */
export const BY_HAND_BODY: Schema = objectSchema({ as_of: instant, input: null, ...OPTIONS })

/** The header Idempotency-Key stands for the field, which comes first where both are sent. Quotes, as of a structured field, are not part of it. */
export function addIdempotencyKey(body: unknown, header: string | string[] | undefined): unknown {
  if (typeof header !== 'string' || !isObject(body) || (body.idempotency_key ?? null) !== null) return body
  return { ...body, idempotency_key: header.replace(/^"(.*)"$/, '$1') }
}

/**
 * A body as the run it asks for, or everything that is wrong with it outside its input. null stands for left
 * out.
 */
export function readRunBody(body: unknown): { request: RunRequest; faults: Fault[] } {
  const request: RunRequest = { task: '', options: {} }
  if (!isObject(body)) {
    return {
      request,
      faults: [{ pointer: '', detail: 'must be an object such as {"task": "demo.add", "input": {}}' }],
    }
  }
  const faults: Fault[] = []
  const { task, input, ...rest } = body
  if (typeof task === 'string' && TASK_NAME.test(task)) request.task = task
  else
    faults.push({
      pointer: '/task',
      detail: task === undefined ? 'is missing; name the task to run' : `must match ${TASK_NAME.source}`,
    })
  if (Object.hasOwn(body, 'input')) request.input = input
  for (const [name, value] of Object.entries(rest)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name]! : null
    if (!field)
      faults.push({
        pointer: pointerStep(name),
        detail: `is not a field of a run; known are task, input, ${Object.keys(FIELDS).join(', ')}`,
      })
    if (!field || value === null) continue
    const fault = findUnstorable(value, `/${name}`)
    const detail = fault ? null : field.check(value)
    if (fault) faults.push(fault)
    else if (detail) faults.push({ pointer: `/${name}`, detail })
    else Object.assign(request.options, { [field.option]: value })
  }
  const wrong = new Set(faults.map(({ pointer }) => pointer))
  faults.push(...findClashes(body).filter(({ pointer }) => !wrong.has(pointer)))
  return { request, faults }
}
