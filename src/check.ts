/**
 * Checks of single values that the bodies of several nouns share (runs, schedules): each says what is wrong with a
 * value and what is allowed, in words that follow a pointer ("/queue must match …"), or null.
 */
import { parseDuration } from './duration.ts'
import { isInstant } from './instant.ts'

/** What is wrong with a value, or null. */
export type Check = (value: unknown) => string | null

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value)

export const uuid: Check = (value) => (isUuid(value) ? null : 'must be a UUID')

export const flag: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false')

export const duration: Check = (value) =>
  parseDuration(value) === null
    ? 'must be a duration: seconds as a number, or text such as "30s", "10 minutes"'
    : null

export const instant: Check = (value) =>
  isInstant(value) ? null : 'must be an instant such as "2026-01-31T12:00:00Z"'

export const text =
  (max: number, min = 1): Check =>
  (value) => {
    // Characters as PostgreSQL counts them; a text that cannot be short enough is not counted.
    const length = typeof value === 'string' ? Array.from(value.slice(0, 2 * max + 1)).length : -1
    return length >= min && length <= max ? null : `must be text of ${min} to ${max} characters`
  }

export const integer =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? null
      : `must be a whole number from ${min} to ${max}`

export const pattern =
  (expression: RegExp): Check =>
  (value) =>
    typeof value === 'string' && expression.test(value) ? null : `must match ${expression.source}`

export const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string) ? null : `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`

export const priority: Check = integer(-32_768, 32_767)

const tag = text(64)
export const tags: Check = (value) =>
  Array.isArray(value) && value.length <= 20 && value.every((item) => tag(item) === null)
    ? null
    : 'must be at most 20 texts of 1 to 64 characters'

export const headers: Check = (value) =>
  isObject(value) && JSON.stringify(value).length <= 65_536 ? null : 'must be an object of at most 64 KiB'

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A key as one step of a JSON pointer. */
export function pointerStep(key: string): string {
  return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
}
