/**
 * The audit log (drizzle/0009). Triggers write it; here is how a transaction says who acts in it, the one row of a verb that
 * changes no audited table, and how the log is read.
 */
import type { Queryable } from '../handle.ts'

/** Who acts, for the rest of the transaction: JSON that rowbeat.audit_v1 reads. */
export async function setActor(tx: Queryable, actor: object): Promise<void> {
  await tx.query(`/* set_actor */ select set_config('rowbeat.actor', $1::text, true)`, [
    JSON.stringify(actor),
  ])
}

export interface AuditNote {
  action: string
  targetKind: string
  target: string | null
  before?: object | null
  after?: object | null
  reason?: string | null
}

export async function writeAudit(db: Queryable, note: AuditNote): Promise<void> {
  const { action, targetKind, target, before = null, after = null, reason = null } = note
  await db.query(
    `/* write_audit */ select rowbeat.audit_v1($1::text, $2::text, $3::text, $4::text::jsonb, $5::text::jsonb, $6::text)`,
    [action, targetKind, target, before && JSON.stringify(before), after && JSON.stringify(after), reason],
  )
}

/** A row of the log, as REST answers it. */
export interface AuditDocument {
  id: string
  at: string
  actor: string
  actor_kind: 'key' | 'user' | 'process' | 'database'
  actor_id: string | null
  via: 'rest' | 'cli' | 'panel' | 'sql'
  action: string
  target_kind: string
  target: string | null
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  reason: string | null
  request_id: string | null
  address: string | null
  db_user: string
}

export interface AuditQuery {
  /** Rows below this id. */
  before?: string
  limit: number
  actor?: string
  via?: AuditDocument['via']
  action?: string
  targetKind?: string
  target?: string
  requestId?: string
  /** Milliseconds since 1970. */
  fromMs?: number
  untilMs?: number
}

/** Latest first. */
export async function listAudit(db: Queryable, query: AuditQuery): Promise<AuditDocument[]> {
  const { before = null, limit, actor, via, action, targetKind, target, requestId, fromMs, untilMs } = query
  const rows = await db.query<{ row: string }>(
    `/* list_audit */ select (to_jsonb(a) || jsonb_build_object('at', rowbeat.told_v1(a.at)))::text as row
from rowbeat.audit_log a, (select $3::text::jsonb as q) x
where ($1::uuid is null or a.id < $1::uuid)
  and (x.q->>'actor' is null or a.actor = x.q->>'actor') and (x.q->>'via' is null or a.via = x.q->>'via')
  and (x.q->>'action' is null or a.action = x.q->>'action') and (x.q->>'requestId' is null or a.request_id = x.q->>'requestId')
  and (x.q->>'targetKind' is null or a.target_kind = x.q->>'targetKind') and (x.q->>'target' is null or a.target = x.q->>'target')
  and ($4::float8 is null or a.at >= to_timestamp($4::float8 / 1000)) and ($5::float8 is null or a.at < to_timestamp($5::float8 / 1000))
order by a.id desc limit $2::integer`,
    [
      before,
      limit,
      JSON.stringify({ actor, via, action, targetKind, target, requestId }),
      fromMs ?? null,
      untilMs ?? null,
    ],
  )
  return rows.map(({ row }) => JSON.parse(row) as AuditDocument)
}

export async function readAudit(db: Queryable, id: string): Promise<AuditDocument | null> {
  const [row] = await db.query<{ row: string }>(
    `/* read_audit */ select (to_jsonb(a) || jsonb_build_object('at', rowbeat.told_v1(a.at)))::text as row from rowbeat.audit_log a where a.id = $1::uuid`,
    [id],
  )
  return row ? (JSON.parse(row.row) as AuditDocument) : null
}

/** Deletes rows older than this many days; answers how many. */
export async function cleanAudit(db: Queryable, days: number): Promise<number> {
  const [row] = await db.query<{ gone: number }>(
    `/* clean_audit */ select rowbeat.clean_audit_log_v1($1::integer * interval '1 day')::integer as gone`,
    [days],
  )
  return row!.gone
}
