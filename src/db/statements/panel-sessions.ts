/**
 * Statements of sign-ins to the panel (drizzle/0013): known by the sha-256 of their cookie, as hex. They end 30 minutes after their last
 * use and 12 hours after their begin; that they were used is written at most once a minute.
 */
import type { Queryable } from '../handle.ts'
import type { SessionRow } from './sessions.ts'

export interface PanelSessionRow extends SessionRow {
  hash: string
  /** Its last use was written more than a minute ago. */
  unmarked: boolean
}

/** The password was right: begins a sign-in with this cookie; null when the person was disabled in between. */
export async function beginPanelSession(
  db: Queryable,
  begun: { userId: string; email: string; address: string; hash: string; earlier: string | null },
): Promise<string | null> {
  const { userId, email, address, hash, earlier } = begun
  const [row] = await db.query<{ id: string | null }>(
    `/* begin_panel_session */ select rowbeat.panel_login_v1($1::uuid, $2::text, $3::text, $4::text, $5::text)::text as id`,
    [userId, email, address, hash, earlier],
  )
  return row!.id
}

/** Sign-ins as they stand, with their people. */
export async function findPanelSessions(
  db: Queryable,
  hashes: readonly string[],
): Promise<PanelSessionRow[]> {
  return await db.query<PanelSessionRow>(
    `/* find_panel_sessions */ select encode(s.cookie_hash, 'hex') as hash, s.id::text as id, u.id::text as "userId", u.email, u.role, u.version,
  (s.ended_at is null and u.disabled_at is null and u.version = s.user_version and s.used_at > clock_timestamp() - interval '30 minutes'
    and s.created_at > clock_timestamp() - interval '12 hours') as live,
  s.used_at < clock_timestamp() - interval '1 minute' as unmarked
from rowbeat.sessions s join rowbeat.users u on u.id = s.user_id
where s.cookie_hash = any (array(select decode(h, 'hex') from jsonb_array_elements_text($1::text::jsonb) h))`,
    [JSON.stringify(hashes)],
  )
}

export async function markPanelSessionUsed(db: Queryable, id: string): Promise<void> {
  await db.query(
    `/* mark_panel_session_used */ update rowbeat.sessions set used_at = clock_timestamp()
where id = $1::uuid and ended_at is null and used_at < clock_timestamp() - interval '1 minute'`,
    [id],
  )
}
