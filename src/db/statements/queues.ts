/**
 * Queues as the dispatcher sees them.
 */
import type { Queryable } from '../handle.ts'

export interface OverflowRow {
  queue: string
  hotLimit: number
  /** Whether runs wait as overflow; when none does, the flag is to be taken down. */
  waiting: boolean
}

/** Queues that overflow, by flag or by rows: a run may be parked just after the flag was taken down. */
export async function readOverflow(db: Queryable): Promise<OverflowRow[]> {
  const rows = await db.query<{ name: string; hot_limit: number; waiting: boolean; overflow: number | null }>(
    `/* read_overflow */
select q.name, q.hot_limit, q.overflow, w.waiting from rowbeat.queues q
cross join lateral (select exists (select from rowbeat.parked p where p.reason = 'overflow' and p.queue = q.name) as waiting) w
where (q.overflow is not null or w.waiting) and q.paused_at is null`,
  )
  return rows.map((row) => ({ queue: row.name, hotLimit: row.hot_limit, waiting: row.waiting }))
}

export async function clearOverflow(db: Queryable, queue: string): Promise<void> {
  await db.query(
    `/* clear_overflow */ update rowbeat.queues set overflow = null
     where name = $1::text and not exists (select from rowbeat.parked where reason = 'overflow' and queue = $1::text)`,
    [queue],
  )
}
