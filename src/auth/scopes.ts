/**
 * Who asks and what they may do. A caller is what any way of proving oneself (an API key, a sign-in) comes down
 * to, so whatever checks a right needs not know how it was proven. A person has a role, and a role is a set of scopes:
 * nothing beyond this file knows of roles what it could not ask of scopes.
 */
import { AccessError } from '../errors.ts'

export const SCOPES = [
  'runs:read',
  'runs:write',
  'schedules:read',
  'schedules:write',
  'workers:read',
  'workers:write',
  'queues:read',
  'queues:write',
  'tasks:read',
  'keys:read',
  'keys:write',
  'users:read',
  'users:write',
  'audit:read',
  'webhooks:read',
  'webhooks:write',
] as const

/** One right. A caller holds some of them, or `*`, which is all of them, those of later releases too. */
export type Scope = (typeof SCOPES)[number]

export const ROLES = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof ROLES)[number]

const VIEWER: readonly Scope[] = ['runs:read', 'schedules:read', 'workers:read', 'queues:read', 'tasks:read']
const OPERATOR: readonly Scope[] = [
  ...VIEWER,
  'runs:write',
  'schedules:write',
  'queues:write',
  'workers:write',
  'webhooks:read',
]

/** What each role may do. */
export const ROLE_SCOPES: Readonly<Record<Role, readonly string[]>> = Object.freeze({
  viewer: Object.freeze(VIEWER),
  operator: Object.freeze(OPERATOR),
  admin: Object.freeze(['*']),
})

export interface Caller {
  readonly kind: 'key' | 'user' | 'process'
  /** Of the key or the person. */
  readonly id: string
  /** Of a key its name, of a person the e-mail address. */
  readonly name: string
  readonly scopes: readonly string[]
  /** Of a person. */
  readonly role?: Role
  /** The request it comes with, for the audit log. */
  readonly origin?: Origin
}

/** Whence somebody asks. */
export interface Origin {
  readonly via: 'rest' | 'cli' | 'panel'
  readonly requestId?: string
  readonly address?: string
}

/** This process itself: the command line, the panel's own work. It may do everything. */
export const PROCESS: Caller = Object.freeze({
  kind: 'process',
  id: 'process',
  name: 'this process',
  scopes: Object.freeze(['*']),
})

export function isScope(text: string): text is Scope | '*' {
  return text === '*' || (SCOPES as readonly string[]).includes(text)
}

export function mayDo(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes('*') || caller.scopes.includes(scope)
}

/** Throws RB_SCOPE_MISSING, naming the scope that is missing. */
export function requireScope(caller: Caller, scope: Scope): void {
  if (mayDo(caller, scope)) return
  throw new AccessError(
    'RB_SCOPE_MISSING',
    `"${caller.name}" lacks the scope ${scope}: use a key that has it, or give it to this one.`,
  )
}

/** What of these a caller does not have itself: nobody gives more than he has. */
export function findExcess(caller: Caller, scopes: readonly string[]): string[] {
  if (caller.scopes.includes('*')) return []
  return scopes.filter((scope) => !caller.scopes.includes(scope))
}
