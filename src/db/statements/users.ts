/**
 * Statements of the people who may open the panel. Emails are kept in lower case, so each names one person.
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
