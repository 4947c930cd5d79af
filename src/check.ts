/**
 * Checks of single values that the bodies of several nouns share (runs, schedules): each says what is wrong with a
 * value and what is allowed, in words that follow a pointer ("/queue must match …"), or null.
 */
import { parseDuration } from './duration.ts'
import { isInstant } from './instant.ts'

/** JSON Schema, 2020-12. */
export type Schema = Readonly<Record<string, unknown>>

/** What is wrong with a value, or null; and what may be right with it, for who reads the API's description. */
export interface Check {
  (value: unknown): string | null
  /** Whatever the check passes is valid by it; it may take more, where JSON Schema has no words for a rule. */
  readonly schema: Schema
}

export function check(schema: Schema, judge: (value: unknown) => string | null): Check {
  return Object.freeze(Object.assign((value: unknown) => judge(value), { schema }))
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value)

export const uuid = check({ type: 'string', format: 'uuid' }, (value) =>
  isUuid(value) ? null : 'must be a UUID',
)

export const flag = check({ type: 'boolean' }, (value) =>
  typeof value === 'boolean' ? null : 'must be true or false',
)

const DURATION: Schema = {
  title: 'Duration',
  description: 'Seconds as a number, or text such as "30s", "10 minutes"',
  anyOf: [
    { type: 'number', minimum: 0, maximum: 3_162_240_000 },
    {
      type: 'string',
      pattern:
        '^\\s*\\d+(\\.\\d+)? ?(ms|milliseconds?|s|seconds?|m|minutes?|h|hours?|d|days?|w|weeks?)?\\s*$',
    },
  ],
}
export const duration = check(DURATION, (value) =>
  parseDuration(value) === null
    ? 'must be a duration: seconds as a number, or text such as "30s", "10 minutes"'
    : null,
)

const INSTANT: Schema = { type: 'string', format: 'date-time' }
export const instant = check(INSTANT, (value) =>
  isInstant(value) ? null : 'must be an instant such as "2026-01-31T12:00:00Z"',
)

export const text = (max: number, min = 1): Check =>
  check({ type: 'string', minLength: min, maxLength: max }, (value) => {
    // Characters as PostgreSQL counts them; a text that cannot be short enough is not counted.
    const length = typeof value === 'string' ? Array.from(value.slice(0, 2 * max + 1)).length : -1
    return length >= min && length <= max ? null : `must be text of ${min} to ${max} characters`
  })

export const integer = (min: number, max: number): Check =>
  check({ type: 'integer', minimum: min, maximum: max }, (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? null
      : `must be a whole number from ${min} to ${max}`,
  )

export const pattern = (expression: RegExp): Check =>
  check({ type: 'string', pattern: expression.source }, (value) =>
    typeof value === 'string' && expression.test(value) ? null : `must match ${expression.source}`,
  )

export const oneOf = (...words: readonly string[]): Check =>
  check({ type: 'string', enum: words }, (value) =>
    words.includes(value as string) ? null : `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
  )

export const priority: Check = integer(-32_768, 32_767)

const tag = text(64)
export const tags = check({ type: 'array', maxItems: 20, items: tag.schema }, (value) =>
  Array.isArray(value) && value.length <= 20 && value.every((item) => tag(item) === null)
    ? null
    : 'must be at most 20 texts of 1 to 64 characters',
)

export const headers = check({ type: 'object' }, (value) =>
  isObject(value) && JSON.stringify(value).length <= 65_536 ? null : 'must be an object of at most 64 KiB',
)

/**
 * The schema of an object whose fields are read by a table of checks: no other field is taken, and null is the same as
 * leaving one out, but for those that are needed. A field that has no check takes any JSON.
 */
export function objectSchema(
  fields: Readonly<Record<string, Check | Schema | null>>,
  needed: readonly string[] = [],
): Schema {
  const properties = Object.entries(fields).map(([name, field]) => {
    const schema = typeof field === 'function' ? (field as Check).schema : ((field ?? {}) as Schema)
    return [name, needed.includes(name) ? schema : orNull(schema)]
  })
  return {
    type: 'object',
    properties: Object.fromEntries(properties) as Schema,
    ...(needed.length > 0 ? { required: needed } : {}),
    additionalProperties: false,
  }
}

/** The same schema, and null. */
export function orNull(schema: Schema): Schema {
  const { type } = schema
  if (type === undefined && Object.keys(schema).length === 0) return schema
  if (typeof type !== 'string' || schema.title !== undefined) return { anyOf: [schema, { type: 'null' }] }
  const words = schema.enum as readonly unknown[] | undefined
  return { ...schema, type: [type, 'null'], ...(words ? { enum: [...words, null] } : {}) }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A key as one step of a JSON pointer. */
export function pointerStep(key: string): string {
  return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
}
