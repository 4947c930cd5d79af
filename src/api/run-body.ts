/**
 * The body of POST /v1/runs. Every wrong place is told at once, each with a pointer, and a field that is not
 * known is refused: a misspelt option that is silently ignored is found out much later.
 */
import {
  duration,
  flag,
  headers,
  instant,
  integer,
  isObject,
  oneOf,
  pattern,
  pointerStep,
  priority,
  tags,
  text,
  uuid,
  type Check,
} from '../check.ts'
import type { RunRequest } from '../control/runs.ts'
import { parseDuration } from '../duration.ts'
import type { Fault } from '../errors.ts'
import { isInstant } from '../instant.ts'
import { findUnstorable } from '../json.ts'
import type { EnqueueOptions } from '../queue/enqueue.ts'
import { explainRetryPolicy } from '../tasks/retry.ts'
import { QUEUE_NAME, TASK_NAME } from '../tasks/task.ts'

interface Field {
  check: Check
  /** Its name in TypeScript; a field without one goes to the store as it is. */
  option?: keyof EnqueueOptions
}

/** Every field of the body but task and input. */
const FIELDS: Readonly<Record<string, Field>> = {
  queue: { option: 'queue', check: pattern(QUEUE_NAME) },
  priority: { option: 'priority', check: priority },
  delay: { option: 'delay', check: duration },
  eta: { option: 'eta', check: instant },
  expires: {
    option: 'expires',
    check: (value) =>
      isInstant(value) || parseDuration(value) !== null
        ? null
        : 'must be an instant such as "2026-01-31T12:00:00Z", or a duration from now such as "10m"',
  },
  id: { option: 'id', check: uuid },
  unique_key: { option: 'uniqueKey', check: text(512) },
  on_conflict: { option: 'onConflict', check: oneOf('keep', 'replace', 'reject') },
  tags: { option: 'tags', check: tags },
  headers: { option: 'headers', check: headers },
  attempts_max: { option: 'attemptsMax', check: integer(1, 1_000_000) },
  retry: { option: 'retry', check: explainRetryPolicy },
  time_limit: { option: 'timeLimit', check: duration },
  soft_time_limit: { option: 'softTimeLimit', check: duration },
  ignore_result: { option: 'ignoreResult', check: flag },
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
        pointer: pointerStep(name),
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
