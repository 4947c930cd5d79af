/**
 * Statements of the people who may sign in. Emails are kept in lower case, so each names one person.
 */
import type { Queryable } from '../handle.ts'

export interface UserRow {
  id: string
  email: string
  passwordHash: string
  role: string
  disabled: boolean
}

/** By the unique index on the email, whatever its case. */
export async function findUser(db: Queryable, email: string): Promise<UserRow | null> {
  const [row] = await db.query<UserRow>(
    `/* find_user */ select id::text as id, email, password_hash as "passwordHash", role, disabled_at is not null as disabled
     from rowbeat.users where email = lower($1::text)`,
    [email],
  )
  return row ?? null
}

/** Adds a person; one who is there gets the new password and keeps role and state. */
export async function saveUser(
  db: Queryable,
  user: { email: string; passwordHash: string; role: string },
): Promise<void> {
  await db.query(
    `/* save_user */ insert into rowbeat.users (email, password_hash, role) values (lower($1::text), $2::text, $3::text)
     on conflict (email) do update set password_hash = excluded.password_hash`,
    [user.email, user.passwordHash, user.role],
  )
}

/** A person as REST answers one. */
export interface UserDocument {
  id: string
  email: string
  role: 'viewer' | 'operator' | 'admin'
  created_at: string
  created_by: string | null
  updated_at: string
  signed_in_at: string | null
  disabled_at: string | null
}

const USER_JSON = `jsonb_build_object('id', u.id, 'email', u.email, 'role', u.role, 'created_at', rowbeat.told_v1(u.created_at), 'created_by', u.created_by,
  'updated_at', rowbeat.told_v1(u.updated_at), 'signed_in_at', rowbeat.told_v1(u.signed_in_at), 'disabled_at', rowbeat.told_v1(u.disabled_at))::text`

export interface UserQuery {
  /** Rows below this id. */
  before?: string
  limit: number
}

/** Newest first. */
export async function listUsers(db: Queryable, { before, limit }: UserQuery): Promise<UserDocument[]> {
  const rows = await db.query<{ person: string }>(
    `/* list_users */ select ${USER_JSON} as person from rowbeat.users u where $1::uuid is null or u.id < $1::uuid order by u.id desc limit $2::integer`,
    [before ?? null, limit],
  )
  return rows.map(({ person }) => JSON.parse(person) as UserDocument)
}

export async function readUser(db: Queryable, id: string): Promise<UserDocument | null> {
  const [row] = await db.query<{ person: string }>(
    `/* read_user */ select ${USER_JSON} as person from rowbeat.users u where u.id = $1::uuid`,
    [id],
  )
  return row ? (JSON.parse(row.person) as UserDocument) : null
}

/** null: the address is taken. */
export async function insertUser(
  db: Queryable,
  user: { email: string; passwordHash: string; role: string; createdBy: string },
): Promise<UserDocument | null> {
  const [row] = await db.query<{ person: string }>(
    `/* insert_user */ insert into rowbeat.users as u (email, password_hash, role, created_by) values (lower($1::text), $2::text, $3::text, $4::text)
on conflict (email) do nothing returning ${USER_JSON} as person`,
    [user.email, user.passwordHash, user.role, user.createdBy],
  )
  return row ? (JSON.parse(row.person) as UserDocument) : null
}

export interface UserChanges {
  role?: string
  passwordHash?: string
  disabled?: boolean
}

/** Only what is given. null: unknown. Errors of PostgreSQL: 55006, it is the last admin. */
export async function updateUser(
  db: Queryable,
  id: string,
  { role, passwordHash, disabled }: UserChanges,
): Promise<UserDocument | null> {
  const [row] = await db.query<{ person: string }>(
    `/* update_user */ update rowbeat.users u set role = coalesce($2::text, u.role), password_hash = coalesce($3::text, u.password_hash),
  disabled_at = case $4::boolean when true then coalesce(u.disabled_at, now()) when false then null else u.disabled_at end
where u.id = $1::uuid returning ${USER_JSON} as person`,
    [id, role ?? null, passwordHash ?? null, disabled ?? null],
  )
  return row ? (JSON.parse(row.person) as UserDocument) : null
}

/** Errors of PostgreSQL: 55006, it is the last admin. */
export async function deleteUser(db: Queryable, id: string): Promise<boolean> {
  const rows = await db.query(`/* delete_user */ delete from rowbeat.users where id = $1::uuid returning 1`, [
    id,
  ])
  return rows.length > 0
}
