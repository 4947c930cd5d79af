/**
 * A task is a value: a name, what it accepts, how it is to be run, a handler. It is bound to no database and no
 * process, so it can be imported anywhere and its handler tested as the plain function it is.
 */
import { durationMs, parseDuration, type Duration } from '../duration.ts'
import { DefinitionError } from '../errors.ts'
import type { Jsonified, Storable } from '../json.ts'
import type { Context } from './context.ts'
import { checkRetryPolicy, type RetryPolicy } from './retry.ts'
import {
  compileSchema,
  type FromJsonSchema,
  type InputCheck,
  type JsonSchema,
  type StandardSchema,
} from './schema.ts'

export const TASK_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,89}$/
export const QUEUE_NAME = /^[a-z][a-z0-9_-]{0,31}$/
/** Any database handle; the precise kinds are in db/handle.ts, which tasks know nothing of. */
export type DatabaseHandleLike = any

export interface TaskOptions {
  /** Where its runs wait; default `default`. */
  queue?: string
  /** -32768 to 32767, lower runs first; default 0. */
  priority?: number
  /** Tries in all, or a function of the input that says; default 1, or 5 when `retry` is given. */
  attemptsMax?: number | ((input: any) => number)
  retry?: RetryPolicy
  /** Kept and shown with each run; this release does not end a try for it. */
  timeLimit?: Duration
  /** Kept and shown with each run; this release does not ask a try to stop for it. */
  softTimeLimit?: Duration
  /** How long its results are kept; default ROWBEAT_RESULT_RETENTION. */
  retention?: Duration
  /** Do not store what it returns; default false. */
  ignoreResult?: boolean
  /** Run it in a transaction, `context.tx`, that commits together with its outcome: its effects happen exactly once. */
  transactional?: boolean
}

export interface Task<Input = any, Output = any, Name extends string = string> {
  readonly name: Name
  readonly options: Readonly<TaskOptions>
  readonly input: InputCheck | null
  readonly handler: (input: any, context: Context) => Output | Promise<Output>
  /** Never present: carries the input type for the caller. */
  readonly '~input'?: Input
  readonly '~task': true
}

export type InputOf<T> = T extends Task<infer Input, any> ? Storable<Input> : unknown
export type OutputOf<T> = T extends Task<any, infer Output> ? Jsonified<Output> : unknown
/** What follows a task: its input, which may be left out where the task can do without, and options. */
export type ArgumentsOf<T, Options> =
  undefined extends InputOf<T>
    ? [input?: InputOf<T>, options?: Options]
    : unknown extends InputOf<T>
      ? [input?: unknown, options?: Options]
      : [input: InputOf<T>, options?: Options]

type SchemaInput<S> = S extends StandardSchema<infer Input, any> ? Input : FromJsonSchema<S>
/** A JSON Schema that says nothing to the compiler leaves the handler's own annotation in charge. */
type SchemaOutput<S> =
  S extends StandardSchema<any, infer Output>
    ? Output
    : unknown extends FromJsonSchema<S>
      ? any
      : FromJsonSchema<S>

/**
 * Defines a task.
 *
 * The input's type comes from `input`, a Standard Schema or JSON Schema, or else from the handler's own annotation.
 * Throws DefinitionError (RB_TASK_INVALID) when the name or an option is not allowed.
 */
export function task<
  const Name extends string,
  const S extends StandardSchema<any, any> | JsonSchema,
  Output,
>(
  name: Name,
  options: TaskOptions & { input: S },
  handler: (input: SchemaOutput<S>, context: Context) => Output | Promise<Output>,
): Task<SchemaInput<S>, Output, Name>
export function task<const Name extends string, Input, Output>(
  name: Name,
  options: TaskOptions & { input?: undefined },
  handler: (input: Input, context: Context) => Output | Promise<Output>,
): Task<Input, Output, Name>
export function task(
  name: string,
  options: TaskOptions & { input?: StandardSchema | JsonSchema },
  handler: (input: any, context: Context) => unknown,
): Task {
  const { input, ...rest } = options
  checkDefinition(name, rest, handler)
  return Object.freeze({
    name,
    options: Object.freeze({ ...rest }),
    input: input === undefined ? null : compileSchema(input, `task ${name}`),
    handler,
    '~task': true as const,
  })
}

export function isTask(value: unknown): value is Task {
  return typeof value === 'object' && value !== null && (value as Task)['~task'] === true
}

const KNOWN = [
  'queue',
  'priority',
  'attemptsMax',
  'retry',
  'timeLimit',
  'softTimeLimit',
  'retention',
  'ignoreResult',
  'transactional',
]

function checkDefinition(name: string, options: TaskOptions, handler: unknown): void {
  const refuse = (why: string): never => {
    throw new DefinitionError('RB_TASK_INVALID', `task ${JSON.stringify(name)}: ${why}.`)
  }
  if (typeof name !== 'string' || !TASK_NAME.test(name))
    refuse(`the name must match ${TASK_NAME.source}, as in "orders.send_confirmation"`)
  if (typeof handler !== 'function')
    refuse('the third argument must be its handler, a function of (input, context)')
  const unknown = Object.keys(options).find((key) => !KNOWN.includes(key))
  if (unknown) refuse(`"${unknown}" is no option of a task; known are input, ${KNOWN.join(', ')}`)
  const { queue, priority, attemptsMax, timeLimit, softTimeLimit, retention } = options
  if (queue !== undefined && !QUEUE_NAME.test(queue)) refuse(`the queue must match ${QUEUE_NAME.source}`)
  if (priority !== undefined && !(Number.isInteger(priority) && Math.abs(priority + 0.5) <= 32_767.5)) {
    refuse('the priority must be a whole number from -32768 to 32767, lower runs first')
  }
  if (
    attemptsMax !== undefined &&
    typeof attemptsMax !== 'function' &&
    !(Number.isInteger(attemptsMax) && attemptsMax >= 1 && attemptsMax <= 1_000_000)
  ) {
    refuse('attemptsMax must be a whole number from 1 to 1000000, or a function of the input')
  }
  for (const [key, value] of Object.entries({ timeLimit, softTimeLimit, retention })) {
    if (value !== undefined && parseDuration(value) === null)
      refuse(`${key} must be a duration such as "30s"`)
  }
  if (
    timeLimit !== undefined &&
    softTimeLimit !== undefined &&
    durationMs(softTimeLimit, 'softTimeLimit') > durationMs(timeLimit, 'timeLimit')
  ) {
    refuse('softTimeLimit must not be longer than timeLimit')
  }
  checkRetryPolicy(options.retry, `task ${JSON.stringify(name)}`)
}

/** Tries in all for this input: 1 where nothing is said, 5 for a task with a retry policy. */
export function attemptsOf({ attemptsMax, retry }: TaskOptions, input: unknown): number {
  if (typeof attemptsMax === 'function') return Math.max(1, Math.trunc(Number(attemptsMax(input))) || 1)
  return attemptsMax ?? (retry ? 5 : 1)
}
