/**
 * Schemas with a `title` become components under that name, and are pointed to wherever they stand: so a document has each
 * of them once, and what is made from it has a type for it. Two schemas of one name that differ are a fault of ours.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Schema } from '../../check.ts'
import { InvariantError } from '../../errors.ts'

/** What stands in these is data and no schema. */
const DATA: readonly string[] = ['const', 'default', 'enum', 'examples', 'required', 'type']

export interface Components {
  /** The same schema, with each named one in it replaced by a reference. */
  hoist(schema: Schema): Schema
  /** What was hoisted, by name. */
  list(): Record<string, Schema>
}

export function createComponents(): Components {
  const found = new Map<string, Schema>()
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit)
    return typeof value === 'object' && value !== null ? hoist(value as Schema) : value
  }
  const hoist = (schema: Schema): Schema => {
    const entries = Object.entries(schema).map(([key, value]) => [
      key,
      DATA.includes(key) ? value : visit(value),
    ])
    const walked = Object.fromEntries(entries) as Schema
    const { title } = walked
    if (typeof title !== 'string') return walked
    const known = found.get(title)
    if (known && !isDeepStrictEqual(known, walked))
      throw new InvariantError(`two schemas that differ are both named ${title}`)
    found.set(title, walked)
    return { $ref: `#/components/schemas/${title}` }
  }
  return Object.freeze({
    hoist,
    list: () => Object.fromEntries([...found].toSorted(([one], [other]) => (one < other ? -1 : 1))),
  })
}
