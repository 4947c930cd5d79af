/**
 * Statements of sign-ins. What several API processes must agree on at the same moment (who may try a password, which refresh token
 * is spent) are functions in SQL, drizzle/0009. Of a token only the sha-256 is ever here, as hex.
 */
import type { Queryable } from '../handle.ts'

export interface LoginTicket {
  /** Seconds to wait; 0: one password may be compared. */
  wait: number
  /** null: nobody who may sign in has this address. */
  userId: string | null
  passwordHash: string | null
}

/** Leave to compare one password; it counts as a failure until `passLogin`. */
export async function takeLoginTicket(db: Queryable, email: string, address: string): Promise<LoginTicket> {
  const [row] = await db.query<LoginTicket>(
    `/* take_login_ticket */ select t.wait::float8 as wait, t.user_id::text as "userId", t.password_hash as "passwordHash" from rowbeat.login_ticket_v1($1::text, $2::text) t`,
    [email, address],
  )
  return row!
}

/** The password was right: begins a sign-in with this refresh token; null when the person was disabled in between. */
export async function passLogin(
  db: Queryable,
  { userId, email, address, hash }: { userId: string; email: string; address: string; hash: string },
): Promise<string | null> {
  const [row] = await db.query<{ id: string | null }>(
    `/* pass_login */ select rowbeat.login_passed_v1($1::uuid, $2::text, $3::text, $4::text)::text as id`,
    [userId, email, address, hash],
  )
  return row!.id
}

/** Spends a refresh token for its successor and answers its sign-in; null where it is not accepted. */
export async function refreshSession(db: Queryable, hash: string, successor: string): Promise<string | null> {
  const [row] = await db.query<{ id: string | null }>(
    `/* refresh_session */ select r.session_id::text as id from rowbeat.refresh_session_v1($1::text, $2::text) r`,
    [hash, successor],
  )
  return row!.id
}

/** The sign-in that a live refresh token belongs to, whose it is; null: there is none. */
export async function findSession(
  db: Queryable,
  hash: string,
): Promise<{ id: string; userId: string; email: string } | null> {
  const [row] = await db.query<{ id: string; userId: string; email: string }>(
    `/* find_session */ select s.id::text as id, u.id::text as "userId", u.email from rowbeat.refresh_tokens r join rowbeat.sessions s on s.id = r.session_id
join rowbeat.users u on u.id = s.user_id where r.hash = decode($1::text, 'hex') and s.ended_at is null`,
    [hash],
  )
  return row ?? null
}

export async function endSession(db: Queryable, id: string): Promise<boolean> {
  const rows = await db.query(
    `/* end_session */ update rowbeat.sessions set ended_at = clock_timestamp(), end_reason = 'signed_out' where id = $1::uuid and ended_at is null returning 1`,
    [id],
  )
  return rows.length > 0
}

export interface SessionRow {
  id: string
  userId: string
  email: string
  role: 'viewer' | 'operator' | 'admin'
  version: number
  /** Neither ended nor superseded by a change of its user. */
  live: boolean
}

/** Sign-ins as they stand, with their people. */
export async function findSessions(db: Queryable, ids: readonly string[]): Promise<SessionRow[]> {
  return await db.query<SessionRow>(
    `/* find_sessions */ select s.id::text as id, u.id::text as "userId", u.email, u.role, u.version,
  (s.ended_at is null and u.disabled_at is null and u.version = s.user_version) as live
from rowbeat.sessions s join rowbeat.users u on u.id = s.user_id
where s.id = any (array(select i::uuid from jsonb_array_elements_text($1::text::jsonb) i))`,
    [JSON.stringify(ids)],
  )
}

/** A secret of the API, as hex: the one that stands, or else `made` from now on. */
export async function shareSecret(db: Queryable, name: string, made: string): Promise<string> {
  const read = `select encode(value, 'hex') as value from rowbeat.secrets where name = $1::text`
  const [standing] = await db.query<{ value: string }>(`/* read_secret */ ${read}`, [name])
  if (standing) return standing.value
  await db.query(
    `/* make_secret */ insert into rowbeat.secrets (name, value) values ($1::text, decode($2::text, 'hex')) on conflict do nothing`,
    [name, made],
  )
  const [row] = await db.query<{ value: string }>(`/* read_secret */ ${read}`, [name])
  return row!.value
}
