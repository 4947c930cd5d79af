/**
 * Who asks and what they may do. A caller is what any way of proving oneself (an API key today) comes down
 * to, so whatever checks a right needs not know how it was proven.
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
] as const

/** One right. A caller holds some of them, or `*`, which is all of them, those of later releases too. */
export type Scope = (typeof SCOPES)[number]

export interface Caller {
  readonly kind: 'key' | 'process'
  readonly id: string
  readonly name: string
  readonly scopes: readonly string[]
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
