/**
 * The body of POST /v1/runs. Every wrong place is told at once, each with a pointer, and a field that is not
 * known is refused: a misspelt option that is silently ignored is found out much later.
 */
import type { RunRequest } from '../control/runs.ts'
import { parseDuration } from '../duration.ts'
import type { Fault } from '../errors.ts'
import { findUnstorable } from '../json.ts'
import type { EnqueueOptions } from '../queue/enqueue.ts'
import { explainRetryPolicy } from '../tasks/retry.ts'
import { QUEUE_NAME, TASK_NAME } from '../tasks/task.ts'
import { isInstant } from '../instant.ts'

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** What is wrong with a value, or null. */
type Check = (value: unknown) => string | null

const duration: Check = (value) =>
  parseDuration(value) === null
    ? 'must be a duration: seconds as a number, or text such as "30s", "10 minutes"'
    : null
const uuid: Check = (value) => (typeof value === 'string' && UUID.test(value) ? null : 'must be a UUID')
const text =
  (max: number): Check =>
  (value) =>
    typeof value === 'string' && value !== '' && Array.from(value.slice(0, 2 * max + 1)).length <= max
      ? null
      : `must be text of 1 to ${max} characters`
const integer =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? null
      : `must be a whole number from ${min} to ${max}`
const pattern =
  (expression: RegExp): Check =>
  (value) =>
    typeof value === 'string' && expression.test(value) ? null : `must match ${expression.source}`
const tag = text(64)

interface Field {
  check: Check
  /** Its name in TypeScript; a field without one goes to the store as it is. */
  option?: keyof EnqueueOptions
}

/** Every field of the body but task and input. */
const FIELDS: Readonly<Record<string, Field>> = {
  queue: { option: 'queue', check: pattern(QUEUE_NAME) },
  priority: { option: 'priority', check: integer(-32_768, 32_767) },
  delay: { option: 'delay', check: duration },
  eta: {
    option: 'eta',
    check: (value) => (isInstant(value) ? null : 'must be an instant such as "2026-01-31T12:00:00Z"'),
  },
  expires: {
    option: 'expires',
    check: (value) =>
      isInstant(value) || parseDuration(value) !== null
        ? null
        : 'must be an instant such as "2026-01-31T12:00:00Z", or a duration from now such as "10m"',
  },
  id: { option: 'id', check: uuid },
  unique_key: { option: 'uniqueKey', check: text(512) },
  on_conflict: {
    option: 'onConflict',
    check: (value) =>
      ['keep', 'replace', 'reject'].includes(value as string) ? null : 'must be keep, replace or reject',
  },
  tags: {
    option: 'tags',
    check: (value) =>
      Array.isArray(value) && value.length <= 20 && value.every((item) => tag(item) === null)
        ? null
        : 'must be at most 20 texts of 1 to 64 characters',
  },
  headers: {
    option: 'headers',
    check: (value) =>
      isObject(value) && JSON.stringify(value).length <= 65_536
        ? null
        : 'must be an object of at most 64 KiB',
  },
  attempts_max: { option: 'attemptsMax', check: integer(1, 1_000_000) },
  retry: { option: 'retry', check: explainRetryPolicy },
  time_limit: { option: 'timeLimit', check: duration },
  soft_time_limit: { option: 'softTimeLimit', check: duration },
  ignore_result: {
    option: 'ignoreResult',
    check: (value) => (typeof value === 'boolean' ? null : 'must be true or false'),
  },
  retention: { option: 'retention', check: duration },
  parent: { option: 'parent', check: uuid },
  concurrency_key: { check: text(512) },
  rate_key: { check: text(512) },
}

/**
 * A body as the run it asks for, or everything that is wrong with it outside its input. null stands for left
 * out.
 */
export function readRunBody(body: unknown): { request: RunRequest; faults: Fault[] } {
  const request: RunRequest = { task: '', options: {}, extra: {} }
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
        pointer: `/${escape(name)}`,
        detail: `is not a field of a run; known are task, input, ${Object.keys(FIELDS).join(', ')}`,
      })
    if (!field || value === null) continue
    const fault = findUnstorable(value, `/${name}`)
    const detail = fault ? null : field.check(value)
    if (fault) faults.push(fault)
    else if (detail) faults.push({ pointer: `/${name}`, detail })
    else if (field.option) Object.assign(request.options, { [field.option]: value })
    else request.extra[name] = value
  }
  faults.push(...clashes(request.options))
  return { request, faults }
}

function clashes({ delay, eta, timeLimit, softTimeLimit }: EnqueueOptions): Fault[] {
  const faults: Fault[] = []
  if (delay !== undefined && eta !== undefined)
    faults.push({ pointer: '/eta', detail: 'cannot stand beside delay: give one of them' })
  if ((parseDuration(softTimeLimit) ?? 0) > (parseDuration(timeLimit) ?? Infinity))
    faults.push({ pointer: '/soft_time_limit', detail: 'must not be longer than time_limit' })
  return faults
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function escape(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
