/**
 * What operators change of queues. Each is a plain UPDATE or one of the functions of drizzle/0005; what follows from it (runs
 * that are parked or released, workers that are told) is done by the triggers there, whoever wrote the row.
 */
import type { Queryable } from '../handle.ts'

/** What a queue may be told to hold to; null takes a limit away. */
export interface QueueLimits {
  concurrency: number | null
  rate: string | null
  rate_burst: number | null
  hot_limit: number
}

/** Makes the row of a queue; false where it stands. */
export async function insertQueue(db: Queryable, name: string): Promise<boolean> {
  const rows = await db.query(
    `/* insert_queue */ insert into rowbeat.queues (name) values ($1::text) on conflict do nothing returning 1`,
    [name],
  )
  return rows.length > 0
}

/** Sets what is given, and only that; false where there is no such row. */
export async function updateQueue(
  db: Queryable,
  name: string,
  changes: Partial<QueueLimits>,
): Promise<boolean> {
  const rows = await db.query(
    `/* update_queue */ update rowbeat.queues q set
  concurrency = case when c ? 'concurrency' then (c->>'concurrency')::integer else q.concurrency end,
  rate = case when c ? 'rate' then c->>'rate' else q.rate end,
  rate_burst = case when c ? 'rate_burst' then (c->>'rate_burst')::integer else q.rate_burst end,
  hot_limit = case when c ? 'hot_limit' then (c->>'hot_limit')::integer else q.hot_limit end
from (select $2::text::jsonb as c) given where q.name = $1::text returning 1`,
    [name, JSON.stringify(changes)],
  )
  return rows.length > 0
}

/** Until an instant, for so many seconds by the database's clock, or until it is resumed. Errors of PostgreSQL: P0002, 22023. */
export async function pauseQueue(
  db: Queryable,
  name: string,
  reason: string | null,
  until: string | number | null,
): Promise<void> {
  const [at, seconds] = typeof until === 'number' ? [null, until] : [until, null]
  await db.query(
    `/* pause_queue */ select rowbeat.pause_queue($1::text, $2::text, coalesce($3::text::timestamptz, clock_timestamp() + $4::float8 * interval '1 second'))`,
    [name, reason, at, seconds],
  )
}

/** Errors of PostgreSQL: P0002. */
export async function resumeQueue(db: Queryable, name: string): Promise<void> {
  await db.query(`/* resume_queue */ select rowbeat.resume_queue($1::text)`, [name])
}

/** Errors of PostgreSQL: P0002, 55000 it is paused. */
export async function drainQueue(db: Queryable, name: string): Promise<void> {
  await db.query(`/* drain_queue */ select rowbeat.drain_queue($1::text)`, [name])
}

/** Deletes the row of a queue that no live worker serves; false where one does, or no row is. Errors of PostgreSQL: 55006 runs wait. */
export async function deleteQueue(db: Queryable, name: string): Promise<boolean> {
  const rows = await db.query(
    `/* delete_queue */ delete from rowbeat.queues q where q.name = $1::text and not exists (select from rowbeat.workers w
  where w.kind = 'worker' and w.seen_at > clock_timestamp() - interval '10 seconds' and w.queues ? q.name) returning 1`,
    [name],
  )
  return rows.length > 0
}
