/**
 * What may be done with the people who may sign in, for REST, panel and command line alike: each verb checks the caller's scope, then
 * acts. A change of role or password, and being disabled, end every sign-in of the person within a second: the database
 * counts the person's version (drizzle/0009), and a sign-in holds only while that is what it was. The database also keeps the last admin.
 *
 * Nobody makes, or changes, somebody who may do more than himself: else a right to write users would be every right.
 */
import { hashPassword, makePassword } from '../auth/password.ts'
import { findExcess, requireScope, ROLE_SCOPES, type Caller, type Role } from '../auth/scopes.ts'
import { isUuid } from '../check.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import {
  deleteUser,
  findUser,
  insertUser,
  listUsers,
  readUser,
  updateUser,
  type UserDocument,
  type UserQuery,
} from '../db/statements/users.ts'
import { AccessError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { readUserDraft, readUserEdit, refuseWeak } from './access-draft.ts'
import { acting } from './acting.ts'

export type { UserDocument, UserQuery } from '../db/statements/users.ts'

/** With the password when none was given: shown once. */
export type NewUserDocument = UserDocument & { password: string | null }

/** Each verb throws AccessError: RB_SCOPE_MISSING; those with an id RB_USER_NOT_FOUND. */
export interface UserControl {
  /** Newest first; `before` is the id to go on below, null at the end. */
  list(caller: Caller, query: UserQuery): Promise<{ items: UserDocument[]; before: string | null }>
  read(caller: Caller, id: string): Promise<UserDocument>
  /** The id of an e-mail address. */
  find(caller: Caller, email: string): Promise<string>
  /** `{ email, role, password? }`; without a password one is made. Throws RB_ACCESS_INVALID with its faults, RB_USER_DUPLICATE. */
  create(caller: Caller, body: unknown): Promise<NewUserDocument>
  /** `{ role?, password?, disabled? }`. Throws RB_ACCESS_INVALID with its faults, RB_LAST_ADMIN. */
  edit(caller: Caller, id: string, body: unknown): Promise<UserDocument>
  /** Throws RB_LAST_ADMIN. Answers the person as it was. */
  remove(caller: Caller, id: string): Promise<UserDocument>
}

export function createUserControl(rowbeat: Pick<Rowbeat, 'db'>): UserControl {
  const db = toQueryable(rowbeat.db)
  const require = async (id: string): Promise<UserDocument> => {
    const user = isUuid(id) ? await readUser(db, id).catch(explain) : null
    if (user) return user
    throw unknownUser(`has the id ${id}`)
  }
  return Object.freeze({
    async list(caller: Caller, query: UserQuery) {
      requireScope(caller, 'users:read')
      const rows = await listUsers(db, { ...query, limit: query.limit + 1 }).catch(explain)
      const items = rows.slice(0, query.limit)
      return { items, before: rows.length > query.limit ? items.at(-1)!.id : null }
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'users:read')
      return await require(id)
    },
    async find(caller: Caller, email: string) {
      requireScope(caller, 'users:read')
      const user = await findUser(db, email).catch(explain)
      if (user) return user.id
      throw unknownUser(`has the e-mail address ${JSON.stringify(email)}`)
    },
    async create(caller: Caller, body: unknown) {
      requireScope(caller, 'users:write')
      const { email, role, password } = readUserDraft(body)
      requireRole(caller, role)
      const made = password ?? makePassword()
      const passwordHash = await hashPassword(made)
      const user = await acting(rowbeat.db, caller, {}, (inside) =>
        insertUser(inside.db, { email, passwordHash, role, createdBy: caller.name }),
      ).catch(explain)
      if (user) return { ...user, password: password === undefined ? made : null }
      throw new AccessError('RB_USER_DUPLICATE', `${email} has an account already: change that one.`)
    },
    async edit(caller: Caller, id: string, body: unknown) {
      requireScope(caller, 'users:write')
      const { role, password, disabled } = readUserEdit(body)
      const standing = await require(id)
      requireRole(caller, standing.role)
      if (role !== undefined) requireRole(caller, role)
      if (password !== undefined) refuseWeak(password, standing.email)
      const passwordHash = password === undefined ? undefined : await hashPassword(password)
      const edited = await acting(rowbeat.db, caller, {}, (inside) =>
        updateUser(inside.db, id, { role, passwordHash, disabled }),
      ).catch(explain)
      return edited ?? (await require(id))
    },
    async remove(caller: Caller, id: string) {
      requireScope(caller, 'users:write')
      const standing = await require(id)
      requireRole(caller, standing.role)
      const gone = await acting(rowbeat.db, caller, {}, (inside) => deleteUser(inside.db, id)).catch(explain)
      return gone ? standing : await require(id)
    },
  })
}

function requireRole(caller: Caller, role: Role): void {
  const excess = findExcess(caller, ROLE_SCOPES[role])
  if (excess.length === 0) return
  throw new AccessError(
    'RB_SCOPE_MISSING',
    `"${caller.name}" cannot make or change an account of the role ${role}, which may do more than it: ${excess.join(', ')}.`,
  )
}

function unknownUser(which: string): AccessError {
  return new AccessError('RB_USER_NOT_FOUND', `Nobody ${which}: the account was never made, or is gone.`)
}

function explain(error: unknown): never {
  const { code, message } = error as { code?: string; message: string }
  if (code === '55006')
    throw new AccessError('RB_LAST_ADMIN', `${message[0]!.toUpperCase()}${message.slice(1)}.`, [], {
      cause: error,
    })
  throw explainDatabaseError(error)
}
