/**
 * What may be stored: JSON, and only what comes back as it went in. PostgreSQL refuses U+0000 in jsonb, silently turns
 * lone surrogates into U+FFFD in text, and dies of nesting; JSON.stringify drops functions and undefined, turns NaN
 * into null and a Map into {}. Each of these is refused here, before anything is written, with the path of the place.
 * Errors, logs and progress are never refused for such a thing: `storable` repairs their text instead.
 */
import type { Fault } from './errors.ts'

export const DEPTH_MAX = 64
export const BYTES_MAX = 1_048_576

/** What JSON gives back for a value: a Date as text, undefined and void as null, functions never. */
export type Jsonified<T> = unknown extends T
  ? unknown
  : T extends string | number | boolean | null
    ? T
    : T extends undefined | void
      ? null
      : T extends Date
        ? string
        : T extends bigint | symbol | ((...args: never[]) => unknown) | Map<unknown, unknown> | Set<unknown>
          ? never
          : T extends { toJSON(): infer J }
            ? Jsonified<J>
            : T extends readonly unknown[]
              ? { [K in keyof T]: Jsonified<T[K]> }
              : T extends object
                ? {
                    [K in keyof T as T[K] extends symbol | ((...args: never[]) => unknown) ? never : K]:
                      Jsonified<Exclude<T[K], undefined>> | (undefined extends T[K] ? undefined : never)
                  }
                : never

/** What may be given as input: a Date, a Map, a bigint or a function in it does not compile, since JSON would lose it. */
export type Storable<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined | void
    ? T
    : T extends
          | Date
          | bigint
          | symbol
          | ((...args: never[]) => unknown)
          | ReadonlyMap<unknown, unknown>
          | ReadonlySet<unknown>
          | Promise<unknown>
      ? never
      : T extends object
        ? { [K in keyof T]: Storable<T[K]> }
        : never

/** The first place of `value` that cannot be stored, as a fault below `root` (a JSON pointer), or null. */
export function findUnstorable(value: unknown, root: string): Fault | null {
  return visit(value, root, 0, [])
}

/** JSON text of a value that `findUnstorable` passed, or a fault when it is larger than `limit` bytes of UTF-8. */
export function storableText(
  value: unknown,
  root: string,
  limit: number = BYTES_MAX,
): { text: string } | { fault: Fault } {
  const fault = findUnstorable(value, root)
  if (fault) return { fault }
  const text = JSON.stringify(value) ?? 'null'
  if (text.length * 3 > limit && Buffer.byteLength(text) > limit) {
    return {
      fault: {
        pointer: root,
        detail: `is larger than ${limit} bytes; store it elsewhere and pass a reference`,
      },
    }
  }
  return { text }
}

/** Text that any column takes: NUL and lone surrogates become U+FFFD, and it is cut at `limit` characters. */
export function storable(text: string, limit = 65_536): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}… (${text.length - limit} more characters)` : text
  return cut.includes('\u0000') || !cut.isWellFormed()
    ? cut.replaceAll('\u0000', '\ufffd').toWellFormed()
    : cut
}

/** A value for logs and progress: itself when it can be stored, else a text that says what it was. */
export function storableValue(value: unknown, limit = 65_536): unknown {
  if (value === undefined || value === null) return null
  const checked = storableText(value, '', limit)
  return 'text' in checked
    ? value
    : { unstorable: storable(`${checked.fault.pointer} ${checked.fault.detail}`.trim()) }
}

function visit(value: unknown, path: string, depth: number, above: readonly object[]): Fault | null {
  switch (typeof value) {
    case 'string':
      if (value.includes('\u0000'))
        return { pointer: path, detail: 'has the character U+0000, which PostgreSQL cannot store; remove it' }
      return value.isWellFormed()
        ? null
        : { pointer: path, detail: 'has a lone surrogate, which is no text; use toWellFormed()' }
    case 'boolean':
      return null
    case 'number':
      return Number.isFinite(value)
        ? null
        : { pointer: path, detail: `is ${value}, which JSON has no word for; use null or text` }
    case 'undefined':
      return depth === 0 ? null : { pointer: path, detail: 'is undefined inside an array; use null' }
    case 'object':
      return value === null ? null : visitObject(value, path, depth, above)
    default:
      return {
        pointer: path,
        detail: `is a ${typeof value}, which JSON cannot hold; ${typeof value === 'bigint' ? 'use a number or text' : 'remove it'}`,
      }
  }
}

function visitObject(value: object, path: string, depth: number, above: readonly object[]): Fault | null {
  if (depth >= DEPTH_MAX)
    return { pointer: path, detail: `is nested deeper than ${DEPTH_MAX} levels; flatten it` }
  if (above.includes(value)) return { pointer: path, detail: 'refers to itself; JSON cannot hold a cycle' }
  const toJSON = (value as { toJSON?: () => unknown }).toJSON
  if (typeof toJSON === 'function') {
    if (value instanceof Date && Number.isNaN(value.getTime()))
      return { pointer: path, detail: 'is an invalid Date' }
    return visit(toJSON.call(value), path, depth + 1, above)
  }
  if (loses(value)) {
    const name = value.constructor?.name || 'value of a class'
    return { pointer: path, detail: `is a ${name}, which JSON would lose; use an array or object` }
  }
  const chain = [...above, value]
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = visit(value[i], `${path}/${i}`, depth + 1, chain)
      if (fault) return fault
    }
    return null
  }
  for (const key of Object.keys(value)) {
    const entry = (value as Record<string, unknown>)[key]
    if (entry === undefined) continue
    const place = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const fault = visit(key, place, depth + 1, chain) ?? visit(entry, place, depth + 1, chain)
    if (fault) return fault
  }
  return null
}

/** What JSON.stringify would turn into {} without a word: a Map, an Error, a Promise somebody forgot to await. */
function loses(value: object): boolean {
  if (Array.isArray(value)) return false
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) return true
  const prototype = Object.getPrototypeOf(value) as unknown
  // A plain object of another realm has a prototype of its own, whose prototype is null.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null
  return !isPlain && Object.keys(value).length === 0
}
