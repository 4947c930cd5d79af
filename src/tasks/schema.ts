/**
 * What a task accepts: any Standard Schema (zod, valibot, ArkType: https://standardschema.dev), or a JSON Schema
 * object (typebox), compiled by ajv. One `InputCheck` hides which; it answers the parsed value or the faults.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Fault } from '../errors.ts'
import { DefinitionError } from '../errors.ts'

/** The part of the Standard Schema interface that is used; version 1. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    readonly jsonSchema?: { readonly input?: (options: { target: string }) => Record<string, unknown> }
  }
}
type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        message: string
        path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined
      }[]
    }

/** A JSON Schema (draft 2020-12) object, written by hand or by typebox. */
export type JsonSchema = object

/** The type a JSON Schema describes, as far as its TypeScript type tells; typebox's own types tell all of it. */
export type FromJsonSchema<S> = S extends { static: infer Static }
  ? Static
  : S extends { '~unsafe': infer Unsafe }
    ? Unsafe
    : S extends { const: infer Value }
      ? Value
      : S extends { enum: readonly (infer Value)[] }
        ? Value
        : S extends { anyOf: readonly (infer Option)[] } | { oneOf: readonly (infer Option)[] }
          ? FromOption<Option>
          : S extends { allOf: infer Parts extends readonly unknown[] }
            ? FromParts<Parts>
            : S extends { type: infer Type }
              ? FromType<S, Type>
              : unknown
type FromOption<S> = S extends unknown ? FromJsonSchema<S> : never
type FromParts<S extends readonly unknown[]> = S extends readonly [infer First, ...infer Rest]
  ? FromJsonSchema<First> & FromParts<Rest>
  : unknown
type FromType<S, Type> = Type extends 'string'
  ? string
  : Type extends 'number' | 'integer'
    ? number
    : Type extends 'boolean'
      ? boolean
      : Type extends 'null'
        ? null
        : Type extends 'array'
          ? FromItems<S>
          : Type extends 'object'
            ? FromProperties<S>
            : Type extends readonly (infer One)[]
              ? One extends unknown
                ? FromType<S, One>
                : never
              : unknown
type FromItems<S> = S extends { items: infer Items }
  ? Items extends readonly unknown[]
    ? { -readonly [K in keyof Items]: FromJsonSchema<Items[K]> }
    : FromJsonSchema<Items>[]
  : unknown[]
type FromProperties<S> = S extends { properties: infer Properties }
  ? Flat<
      { -readonly [K in keyof Properties & RequiredOf<S>]: FromJsonSchema<Properties[K]> } & {
        -readonly [K in Exclude<keyof Properties, RequiredOf<S>>]?: FromJsonSchema<Properties[K]>
      }
    >
  : S extends { patternProperties: infer Patterns }
    ? Record<string, FromJsonSchema<Patterns[keyof Patterns]>>
    : S extends { additionalProperties: infer Value extends object }
      ? Record<string, FromJsonSchema<Value>>
      : Record<string, unknown>
type RequiredOf<S> = S extends { required: readonly (infer Key)[] } ? Key : never
type Flat<T> = { [K in keyof T]: T[K] }

export type Checked = { value: unknown } | { faults: Fault[] }

export interface InputCheck {
  check(value: unknown): Checked | Promise<Checked>
  /** For rowbeat.tasks and forms; null when the schema cannot be told as JSON Schema. */
  readonly jsonSchema: JsonSchema | null
}

/** Makes the check of a task's schema. Throws DefinitionError when a JSON Schema does not compile. */
export function compileSchema(schema: StandardSchema | JsonSchema, what: string): InputCheck {
  return isStandard(schema) ? standardCheck(schema) : jsonSchemaCheck(schema, what)
}

function isStandard(schema: StandardSchema | JsonSchema): schema is StandardSchema {
  return typeof (schema as StandardSchema)['~standard']?.validate === 'function'
}

function standardCheck(schema: StandardSchema): InputCheck {
  const read = (result: StandardResult<unknown>): Checked =>
    result.issues
      ? {
          faults: result.issues.map((issue) => ({
            pointer: pointer(issue.path ?? []),
            detail: issue.message,
          })),
        }
      : { value: result.value }
  return {
    check(value) {
      const result = schema['~standard'].validate(value)
      return result instanceof Promise ? result.then(read) : read(result)
    },
    jsonSchema: describe(schema),
  }
}

function describe(schema: StandardSchema): JsonSchema | null {
  try {
    return schema['~standard'].jsonSchema?.input?.({ target: 'draft-2020-12' }) ?? null
  } catch {
    return null // a schema with transforms has no JSON Schema; the check itself works all the same
  }
}

function jsonSchemaCheck(schema: JsonSchema, what: string): InputCheck {
  const ajv = new Ajv2020({ allErrors: true, strict: false })
  addFormats.default(ajv)
  let validate: ReturnType<typeof ajv.compile>
  try {
    validate = ajv.compile(JSON.parse(JSON.stringify(schema)) as object)
  } catch (cause) {
    throw new DefinitionError(
      'RB_TASK_INVALID',
      `${what}: its JSON Schema does not compile: ${(cause as Error).message}.`,
      { cause },
    )
  }
  return {
    check(value) {
      if (validate(value)) return { value }
      const faults = (validate.errors ?? []).map((error) => ({
        pointer: `/input${error.keyword === 'required' ? `${error.instancePath}/${error.params.missingProperty}` : error.instancePath}`,
        detail: error.message ?? 'is not valid',
      }))
      return { faults }
    },
    jsonSchema: schema as Readonly<Record<string, unknown>>,
  }
}

function pointer(path: readonly (PropertyKey | { key: PropertyKey })[]): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return ['/input', ...keys.map((key) => key.replaceAll('~', '~0').replaceAll('/', '~1'))].join('/')
}
