/**
 * What keys and people are made of, as it is asked for: read strictly, every wrong place told at once. One reading for REST, panel
 * and command line.
 */
import {
  check,
  duration,
  flag,
  instant,
  isObject,
  objectSchema,
  oneOf,
  pointerStep,
  text,
  type Check,
} from '../check.ts'
import { parseDuration } from '../duration.ts'
import { AccessError, type Fault } from '../errors.ts'
import { findUnstorable } from '../json.ts'
import { parseInstant } from '../instant.ts'
import { findWeakness, PASSWORD_MAX, PASSWORD_MIN } from '../auth/password-rules.ts'
import { isScope, ROLES, SCOPES, type Role } from '../auth/scopes.ts'

const SPAN_MAX_MS = 3_155_760_000_000
const EMAIL = /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]{1,190}$/u

const WORDS = ['*', ...SCOPES]
const scopes = check(
  { type: 'array', items: { enum: WORDS }, minItems: 1, maxItems: WORDS.length, uniqueItems: true },
  (value) => {
    if (!Array.isArray(value) || value.length === 0) return `must be a list of some of ${WORDS.join(', ')}`
    const wrong = value.find((item) => typeof item !== 'string' || !isScope(item)) as unknown
    if (wrong !== undefined)
      return `has ${JSON.stringify(wrong)}, which is no scope; give some of ${WORDS.join(', ')}`
    return new Set(value).size === value.length ? null : 'names a scope twice'
  },
)
const span = check(
  duration.schema,
  (value) =>
    duration(value) ??
    (parseDuration(value)! > 0 && parseDuration(value)! <= SPAN_MAX_MS
      ? null
      : 'must be longer than 0, at most 100 years'),
)
const email = check({ type: 'string', format: 'email', maxLength: 255 }, (value) =>
  typeof value === 'string' && EMAIL.test(value) && value.isWellFormed() ? null : 'must be an e-mail address',
)
const password = check({ type: 'string', minLength: PASSWORD_MIN, maxLength: PASSWORD_MAX }, (value) =>
  typeof value === 'string' ? null : `must be text of ${PASSWORD_MIN} to ${PASSWORD_MAX} characters`,
)
const KEY = { name: text(200), scopes, expires_at: instant, expires_in: span }
const USER = { email, role: oneOf(...ROLES), password }
const USER_EDIT = { role: oneOf(...ROLES), password, disabled: flag }

/** Schemas of the bodies, for the description of the API. */
export const KEY_BODY = objectSchema(KEY, ['name', 'scopes'])
export const USER_BODY = objectSchema(USER, ['email', 'role'])
export const USER_EDIT_BODY = objectSchema(USER_EDIT)

export interface KeyDraft {
  name: string
  scopes: readonly string[]
  /** RFC 3339, or null: it does not expire. */
  expiresAt: string | null
}

/** Throws RB_ACCESS_INVALID. */
export function readKeyDraft(body: unknown, nowMs: number): KeyDraft {
  const given = readFields(body, KEY, ['name', 'scopes'])
  const { expires_at: at, expires_in: after } = given
  if (at !== undefined && after !== undefined)
    throw refuse([
      { pointer: '/expires_in', detail: 'says when it expires, as expires_at does: give one of the two' },
    ])
  const untilMs =
    after !== undefined
      ? nowMs + parseDuration(after)!
      : at !== undefined
        ? parseInstant(at as string)!
        : null
  if (untilMs !== null && untilMs <= nowMs) throw refuse([{ pointer: '/expires_at', detail: 'is past' }])
  return {
    name: given.name as string,
    scopes: given.scopes as string[],
    expiresAt: untilMs === null ? null : new Date(untilMs).toISOString(),
  }
}

export interface UserDraft {
  email: string
  role: Role
  /** undefined: make one. */
  password?: string
}

/** Throws RB_ACCESS_INVALID, for a weak password too. */
export function readUserDraft(body: unknown): UserDraft {
  const given = readFields(body, USER, ['email', 'role']) as unknown as UserDraft
  const draft = { ...given, email: given.email.toLowerCase() }
  if (draft.password !== undefined) refuseWeak(draft.password, draft.email)
  return draft
}

export interface UserEdit {
  role?: Role
  password?: string
  disabled?: boolean
}

export function readUserEdit(body: unknown): UserEdit {
  return readFields(body, USER_EDIT) as UserEdit
}

/** Throws RB_ACCESS_INVALID. */
export function refuseWeak(given: string, address: string): void {
  const weakness = findWeakness(given, address)
  if (weakness) throw refuse([{ pointer: '/password', detail: weakness }])
}

export function refuse(faults: readonly Fault[]): AccessError {
  const [first] = faults as [Fault]
  return new AccessError(
    'RB_ACCESS_INVALID',
    `This is refused: ${`${first.pointer} ${first.detail}`.trim()}.`,
    faults,
  )
}

/** What is given of these fields; null says nothing. */
export function readFields(
  body: unknown,
  fields: Readonly<Record<string, Check>>,
  required: readonly string[] = [],
): Record<string, unknown> {
  const known = Object.keys(fields).join(', ')
  if (!isObject(body)) throw refuse([{ pointer: '', detail: `must be an object; its fields are ${known}` }])
  const faults: Fault[] = []
  for (const [name, value] of Object.entries(body)) {
    const judge = Object.hasOwn(fields, name) ? fields[name]! : null
    if (value === null && judge) continue
    const unstorable = findUnstorable(value, pointerStep(name))
    const detail = judge ? judge(value) : `is not known here; known are ${known}`
    if (unstorable && judge) faults.push(unstorable)
    else if (detail) faults.push({ pointer: pointerStep(name), detail })
  }
  for (const name of required)
    if ((body[name] ?? null) === null) faults.push({ pointer: `/${name}`, detail: 'is missing' })
  if (faults.length > 0) throw refuse(faults)
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
}
