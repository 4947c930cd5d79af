/**
 * Who is signed in, and what he may do: for hiding what he may not. Nothing relies on it: each verb checks the scope
 * of its caller itself.
 */
import { ROLE_SCOPES, type Role, type Scope } from '../../../src/auth/scopes.ts'
import { told } from './place.ts'

export interface Me {
  email: string
  role: Role
  may(scope: Scope): boolean
}

export function useMe(): Me {
  return me
}

const email = told.session?.email ?? ''
const role = (told.session?.role ?? 'viewer') as Role
const scopes: readonly string[] = ROLE_SCOPES[role] ?? []

export const me: Me = Object.freeze({
  email,
  role,
  may: (scope: Scope) => scopes.includes('*') || scopes.includes(scope),
})
