/**
 * Schemas of what is answered. `document` asks for a schema for each key of the type that is answered, so that a key that
 * is added, renamed or dropped does not compile until the description says so; that the values are as described is found
 * out by the fuzzer (test/api/fuzz.ts). Whoever reads an answer has to bear keys that a later release adds.
 */
import { orNull, uuid, type Schema } from '../../check.ts'

export const ANY: Schema = { description: 'Any JSON' }
export const TEXT: Schema = { type: 'string' }
export const MAYBE_TEXT = orNull(TEXT)
export const ID = uuid.schema
export const MAYBE_ID = orNull(ID)
export const FLAG: Schema = { type: 'boolean' }
export const NUMBER: Schema = { type: 'number' }
export const MAYBE_NUMBER = orNull(NUMBER)
export const INTEGER: Schema = { type: 'integer' }
export const MAYBE_INTEGER = orNull(INTEGER)
export const COUNT: Schema = { type: 'integer', minimum: 0 }
export const MAYBE_COUNT = orNull(COUNT)
/** As it is answered: in UTC with milliseconds. */
export const MOMENT: Schema = { type: 'string', format: 'date-time' }
export const MAYBE_MOMENT = orNull(MOMENT)
export const OBJECT: Schema = { type: 'object' }

export const listOf = (items: Schema): Schema => ({ type: 'array', items })
export const mapOf = (values: Schema): Schema => ({ type: 'object', additionalProperties: values })
export const words = (...known: readonly string[]): Schema => ({ type: 'string', enum: known })

/** An object of which every key is always there. */
export function keysOf<Document extends object>(properties: {
  readonly [Key in keyof Required<Document>]: Schema
}): Schema {
  return { type: 'object', properties, required: Object.keys(properties) }
}

/** The same under a name of its own. */
export function document<Document extends object>(
  title: string,
  properties: { readonly [Key in keyof Required<Document>]: Schema },
): Schema {
  return { title, ...keysOf<Document>(properties) }
}

/** A list that has pages: `next` is the cursor of the one behind, or null. */
export const pageOf = (items: Schema): Schema =>
  keysOf<{ items: unknown; next: unknown }>({ items: listOf(items), next: MAYBE_TEXT })
