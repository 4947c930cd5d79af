/**
 * Documents as AdminJS has records: flat, JSON as pretty text. And back: what a form of its sends is text throughout, and has every
 * column in it, also those that nobody may write; so only fields that may be written are taken, and of an edit only what is other than it
 * stands. Else a form that was open for a while would put old counters back.
 */
import type { Fault } from '../../src/errors.ts'
import { isRecord } from './shape.ts'
import type { FieldSpec, Values } from './source.ts'

export type Flat = Record<string, string | number | boolean | null>

export function toFlat(fields: readonly FieldSpec[], document: object): Flat {
  return Object.fromEntries(fields.map(({ name, type }) => [name, flatten(type, (document as Values)[name])]))
}

/** What may be written of these parameters, each as it is meant; or what is wrong with them. */
export function fromFlat(
  fields: readonly FieldSpec[],
  params: Readonly<Values>,
  purpose: 'new' | 'edit',
): { values: Values; faults: Fault[] } {
  const values: Values = {}
  const faults: Fault[] = []
  for (const field of fields) {
    if (field.write !== 'both' && field.write !== purpose) continue
    const given = gather(params, field.name)
    if (given === undefined || (given === '' && purpose === 'new')) continue
    const read = readValue(field, given)
    if ('value' in read) values[field.name] = read.value
    else faults.push({ pointer: `/${field.name}`, detail: read.fault })
  }
  return { values, faults }
}

/** Those of `values` that are other than `standing` has them. */
export function changesOf(values: Values, standing: Values): Values {
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => canonical(value) !== canonical(standing[name])),
  )
}

function flatten(type: FieldSpec['type'], value: unknown): Flat[string] {
  if (value === undefined || value === null) return null
  if (type === 'json') return JSON.stringify(value, null, 2)
  return typeof value === 'object' ? JSON.stringify(value) : (value as Flat[string])
}

/** AdminJS takes objects apart into `a.b`, so what was sent as JSON and not as text is put together again. */
function gather(params: Readonly<Values>, name: string): unknown {
  if (name in params) return params[name]
  const parts = Object.entries(params).filter(([key]) => key.startsWith(`${name}.`))
  if (parts.length === 0) return undefined
  const whole: Values = {}
  for (const [key, value] of parts) {
    const path = key.slice(name.length + 1).split('.')
    const last = path.pop()!
    let at = whole
    for (const part of path) {
      const inner = Object.hasOwn(at, part) && isRecord(at[part]) ? at[part] : Object.create(null)
      at[part] = inner
      at = inner as Values
    }
    at[last] = value
  }
  return listed(whole)
}

/** `{ 0: a, 1: b }` is what is left of a list. */
function listed(value: unknown): unknown {
  if (!isRecord(value)) return value
  const keys = Object.keys(value)
  const inner = keys.map((key) => listed(value[key]))
  if (keys.every((key, at) => key === String(at))) return inner
  return Object.fromEntries(keys.map((key, at) => [key, inner[at]]))
}

function readValue({ type }: FieldSpec, given: unknown): { value: unknown } | { fault: string } {
  if (given === null) return { value: null }
  if (typeof given !== 'string') return { value: given }
  if (given === '' && type !== 'string') return { value: null }
  if (type === 'boolean')
    return given === 'true' || given === 'false'
      ? { value: given === 'true' }
      : { fault: 'must be true or false' }
  if (type === 'number') {
    // What is no number may be a duration such as "5 min": the verb says.
    const number = Number(given)
    return { value: Number.isFinite(number) ? number : given }
  }
  if (type !== 'json') return { value: given }
  try {
    return { value: JSON.parse(given) as unknown }
  } catch (error) {
    return { fault: `must be JSON: ${(error as Error).message}` }
  }
}

/** A field that is empty says as much as one that is null. */
function canonical(value: unknown): string {
  return JSON.stringify(value === '' ? null : (value ?? null), (_key, one: unknown) =>
    isRecord(one) ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1))) : one,
  )
}
