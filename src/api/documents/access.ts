/** Keys, people, tokens and the audit log, as REST tells them. */
import { ROLES } from '../../auth/scopes.ts'
import type { NewKeyDocument } from '../../control/keys.ts'
import type { TokenDocument } from '../../control/sessions.ts'
import type { NewUserDocument } from '../../control/users.ts'
import type { AuditDocument } from '../../db/statements/audit.ts'
import type { KeyDocument } from '../../db/statements/keys.ts'
import type { UserDocument } from '../../db/statements/users.ts'
import { orNull } from '../../check.ts'
import {
  COUNT,
  document,
  ID,
  listOf,
  MAYBE_MOMENT,
  MAYBE_TEXT,
  MOMENT,
  OBJECT,
  pageOf,
  TEXT,
  words,
} from './document.ts'

const KEY_KEYS = {
  id: ID,
  name: TEXT,
  prefix: TEXT,
  scopes: listOf(TEXT),
  created_at: MOMENT,
  created_by: MAYBE_TEXT,
  expires_at: MAYBE_MOMENT,
  last_used_at: MAYBE_MOMENT,
  revoked_at: MAYBE_MOMENT,
}
export const KEY = document<KeyDocument>('Key', KEY_KEYS)
export const NEW_KEY = document<NewKeyDocument>('NewKey', { ...KEY_KEYS, key: TEXT })
export const KEY_PAGE = pageOf(KEY)

const USER_KEYS = {
  id: ID,
  email: TEXT,
  role: words(...ROLES),
  created_at: MOMENT,
  created_by: MAYBE_TEXT,
  updated_at: MOMENT,
  signed_in_at: MAYBE_MOMENT,
  disabled_at: MAYBE_MOMENT,
}
export const USER = document<UserDocument>('User', USER_KEYS)
export const NEW_USER = document<NewUserDocument>('NewUser', { ...USER_KEYS, password: MAYBE_TEXT })
export const USER_PAGE = pageOf(USER)

export const TOKENS = document<TokenDocument>('Tokens', {
  access_token: TEXT,
  token_type: words('Bearer'),
  expires_in: COUNT,
  refresh_token: TEXT,
  scope: TEXT,
})

/** Who asks. */
export interface MeDocument {
  kind: 'key' | 'user'
  id: string
  name: string
  role: 'viewer' | 'operator' | 'admin' | null
  scopes: readonly string[]
}
export const ME = document<MeDocument>('Me', {
  kind: words('key', 'user'),
  id: ID,
  name: TEXT,
  role: orNull(words(...ROLES)),
  scopes: listOf(TEXT),
})

export const AUDIT = document<AuditDocument>('AuditRow', {
  id: ID,
  at: MOMENT,
  actor: TEXT,
  actor_kind: words('key', 'user', 'process', 'database'),
  actor_id: MAYBE_TEXT,
  via: words('rest', 'cli', 'panel', 'sql'),
  action: TEXT,
  target_kind: TEXT,
  target: MAYBE_TEXT,
  before: orNull(OBJECT),
  after: orNull(OBJECT),
  reason: MAYBE_TEXT,
  request_id: MAYBE_TEXT,
  address: MAYBE_TEXT,
  db_user: TEXT,
})
export const AUDIT_PAGE = pageOf(AUDIT)
