/**
 * What form a JSON Schema asks for. Of what schemas can say a form shows what a person fills in by field: objects, text, numbers,
 * switches, choices, lists of those; anything else (unions, tuples, references that lead nowhere) is a field of JSON. Pure: it
 * judges nothing, since the server checks the input by the same schema, and tells each fault with its pointer.
 */
export interface Schema {
  type?: string | readonly string[]
  title?: string
  description?: string
  properties?: Readonly<Record<string, Schema>>
  required?: readonly string[]
  items?: Schema
  enum?: readonly unknown[]
  const?: unknown
  default?: unknown
  format?: string
  minimum?: number
  maximum?: number
  maxLength?: number
  anyOf?: readonly Schema[]
  oneOf?: readonly Schema[]
  $ref?: string
  $defs?: Readonly<Record<string, Schema>>
  definitions?: Readonly<Record<string, Schema>>
  [word: string]: unknown
}

export type FieldKind = 'text' | 'number' | 'switch' | 'choice' | 'object' | 'list' | 'json'

export interface FormField {
  name: string
  kind: FieldKind
  label: string
  hint: string | null
  isRequired: boolean
  schema: Schema
  /** Null may be given. */
  isNullable: boolean
  /** Of `object`. */
  fields: FormField[]
  /** Of `choice`: any JSON. */
  choices: readonly unknown[]
  isWhole: boolean
}

const DEPTH_MAX = 6

/** Null: nothing to show as fields, so only JSON text will do. */
export function fieldsOf(schema: unknown): FormField[] | null {
  if (typeof schema !== 'object' || schema === null) return null
  const root = schema as Schema
  const { schema: whole } = settle(root, root)
  if (kindOf(whole) !== 'object') return null
  return childrenOf(whole, root, 0)
}

/** Of the items of a list. */
export function itemField(field: FormField, root: unknown): FormField {
  return fieldOf('', field.schema.items ?? {}, true, (root ?? {}) as Schema, DEPTH_MAX - 1)
}

/** What a fresh form holds: defaults where the schema has them. */
export function freshValue(schema: unknown): unknown {
  const fields = fieldsOf(schema)
  if (fields === null) return (schema as Schema | null)?.default ?? {}
  return freshObject(fields)
}

export function freshItem(field: FormField): unknown {
  if (field.schema.default !== undefined) return field.schema.default
  const empty: Record<FieldKind, unknown> = {
    text: '',
    number: 0,
    switch: false,
    choice: field.choices[0],
    object: {},
    list: [],
    json: null,
  }
  return field.kind === 'object' ? freshObject(field.fields) : empty[field.kind]
}

/** A number as typed: nothing typed is nothing; what is no number stays text, and the server says so. */
export function readNumber(text: string): number | string | undefined {
  if (text.trim() === '') return undefined
  const number = Number(text)
  return Number.isFinite(number) ? number : text
}

/** A copy with one field set, or taken out by undefined. */
export function withField(value: unknown, name: string, next: unknown): Record<string, unknown> {
  const { [name]: _gone, ...rest } = isRecord(value) ? value : {}
  if (next === undefined) return rest
  return isRecord(value) && name in value
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, key === name ? next : one]))
    : { ...rest, [name]: next }
}

/** By RFC 6901, as faults point. */
export function pointerTo(base: string, name: string | number): string {
  return `${base}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function freshObject(fields: readonly FormField[]): Record<string, unknown> {
  return Object.fromEntries(
    fields
      .map((field) => [
        field.name,
        field.schema.default ??
          (field.isRequired && field.kind === 'object' ? freshObject(field.fields) : undefined),
      ])
      .filter(([, value]) => value !== undefined),
  ) as Record<string, unknown>
}

function childrenOf(schema: Schema, root: Schema, depth: number): FormField[] {
  return Object.entries(schema.properties ?? {}).map(([name, one]) =>
    fieldOf(name, one, schema.required?.includes(name) ?? false, root, depth),
  )
}

function fieldOf(name: string, given: Schema, isRequired: boolean, root: Schema, depth: number): FormField {
  const { schema, isNullable } = settle(typeof given === 'object' && given !== null ? given : {}, root)
  const kind = depth >= DEPTH_MAX ? 'json' : kindOf(schema)
  return {
    name,
    kind,
    label: schema.title ?? name,
    hint: schema.description ?? null,
    isRequired,
    schema,
    isNullable,
    fields: kind === 'object' ? childrenOf(schema, root, depth + 1) : [],
    choices: schema.enum ?? [],
    isWhole: schema.type === 'integer',
  }
}

/** Without its references, and without the null among its types. */
function settle(given: Schema, root: Schema, depth = 0): { schema: Schema; isNullable: boolean } {
  if (depth > DEPTH_MAX) return { schema: {}, isNullable: false }
  if (typeof given.$ref === 'string') {
    const { $ref, ...beside } = given
    const found = follow($ref, root)
    return found ? settle({ ...found, ...beside }, root, depth + 1) : { schema: beside, isNullable: false }
  }
  const among = given.anyOf ?? given.oneOf
  if (among) {
    const rest = among.filter((one) => one.type !== 'null')
    if (rest.length === 1 && rest.length < among.length) {
      const { anyOf: _any, oneOf: _one, ...beside } = given
      return { ...settle({ ...rest[0]!, ...beside }, root, depth + 1), isNullable: true }
    }
    if (rest.length > 1 && rest.every((one) => one.const !== undefined)) {
      const { anyOf: _any, oneOf: _one, ...beside } = given
      return {
        schema: { ...beside, enum: rest.map((one) => one.const) },
        isNullable: rest.length < among.length,
      }
    }
    return { schema: given, isNullable: false }
  }
  if (Array.isArray(given.type)) {
    const types = (given.type as string[]).filter((type) => type !== 'null')
    if (types.length === 1)
      return { schema: { ...given, type: types[0]! }, isNullable: types.length < given.type.length }
  }
  return { schema: given, isNullable: false }
}

/** Only inside the same document: `#/$defs/Address`. */
function follow(ref: string, root: Schema): Schema | null {
  if (!ref.startsWith('#/')) return null
  let at: unknown = root
  for (const part of ref.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!isRecord(at) || !Object.hasOwn(at, name)) return null
    at = at[name]
  }
  return isRecord(at) ? (at as Schema) : null
}

function kindOf(schema: Schema): FieldKind {
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return 'choice'
  if (schema.anyOf || schema.oneOf) return 'json'
  if (schema.type === 'string') return 'text'
  if (schema.type === 'number' || schema.type === 'integer') return 'number'
  if (schema.type === 'boolean') return 'switch'
  if (schema.type === 'array' && isRecord(schema.items)) return 'list'
  if (schema.properties && (schema.type === 'object' || schema.type === undefined)) return 'object'
  return 'json'
}
