/**
 * A task is a value: a name, what it accepts, how it is to be run, a handler. It is bound to no database and no
 * process, so it can be imported anywhere and its handler tested as the plain function it is.
 */
import { pathToFileURL } from 'node:url'
import { getCallSites } from 'node:util'
import type { Jsonified, Storable } from '../json.ts'
import type { Context } from './context.ts'
import { checkDefinition, type TaskOptions } from './options.ts'
import {
  compileSchema,
  type FromJsonSchema,
  type InputCheck,
  type JsonSchema,
  type StandardSchema,
} from './schema.ts'

export { attemptsOf, QUEUE_NAME, TASK_NAME, type TaskOptions } from './options.ts'
/** Any database handle; the precise kinds are in db/handle.ts, which tasks know nothing of. */
export type DatabaseHandleLike = any

export interface Task<Input = any, Output = any, Name extends string = string> {
  readonly name: Name
  readonly options: Readonly<TaskOptions>
  readonly input: InputCheck | null
  readonly handler: (input: any, context: Context) => Output | Promise<Output>
  /** Of an isolated task: file URLs of the modules that may export it, from which its thread or process imports it. */
  readonly modules: readonly string[]
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
    modules: Object.freeze(rest.isolate ? modulesOf(rest) : []),
    '~task': true as const,
  })
}

export function isTask(value: unknown): value is Task {
  return typeof value === 'object' && value !== null && (value as Task)['~task'] === true
}

/** The module that was named; else the files on the stack, the nearest first: whoever exports a task is waiting for it. */
function modulesOf({ module }: TaskOptions): string[] {
  if (module !== undefined) return [toFileUrl(String(module))]
  const here = fileOf(import.meta.url)
  const files = getCallSites(64)
    .map(({ scriptName }) => scriptName)
    .filter((name) => name !== '' && !/^(node:|evalmachine|\[eval)/.test(name))
    .map(toFileUrl)
  return [...new Set(files)].filter((file) => fileOf(file) !== here)
}

/** Loaders mark the modules they load with a query; the file is what is before it. */
function fileOf(url: string): string {
  return url.replace(/[?#].*$/, '')
}

function toFileUrl(place: string): string {
  return /^[a-z][a-z0-9+.-]+:/i.test(place) ? place : pathToFileURL(place).href
}
