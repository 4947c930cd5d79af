/**
 * Queues as the dispatcher sees them.
 */
import type { Queryable } from '../handle.ts'

export interface BacklogRow {
  queue: string
  hotLimit: number
  /** The best priority that waits parked; null: none waits, and the mark is to be taken down. */
  best: number | null
  /** New runs of this priority or a worse one are parked; null: none are. */
  overflow: number | null
  drains: boolean
}

const BEST = `(select p.priority from rowbeat.parked p where p.reason in ('overflow', 'paused') and p.queue = q.name
  and (p.reason = 'overflow' or q.draining_at is null) order by p.priority, p.id limit 1)`

/** Queues with a backlog, by mark or by rows: a run may be parked just after the mark was taken down. */
export async function readBacklogs(db: Queryable): Promise<BacklogRow[]> {
  return await db.query<BacklogRow>(
    `/* read_backlogs */
select q.name as queue, q.hot_limit as "hotLimit", w.best::integer as best, q.overflow::integer as overflow, q.draining_at is not null as drains
from rowbeat.queues q cross join lateral (select ${BEST} as best) w
where (q.overflow is not null or w.best is not null) and q.paused_at is null`,
  )
}

/**
 * Sets the mark to the best that still waits parked, so that whatever is better goes straight into the queue and whatever
 * is not comes behind it. Whoever has the row just now (a transaction that set the mark) is not waited for.
 */
export async function raiseOverflow(db: Queryable, queue: string): Promise<void> {
  await db.query(
    `/* raise_overflow */ update rowbeat.queues u set overflow = b.best
     from (select q.name, ${BEST} as best from rowbeat.queues q where q.name = $1::text for update skip locked) b
     where u.name = b.name and b.best is not null and u.overflow is distinct from b.best`,
    [queue],
  )
}

export interface QueueRow {
  name: string
  concurrency: number | null
  rate: string | null
  rate_burst: number | null
}

/** Writes what the code defines where the row says nothing: what an operator set stands. A rate and its burst go together. */
export async function defineQueues(db: Queryable, rows: readonly QueueRow[]): Promise<void> {
  if (rows.length === 0) return
  await db.query(
    `/* define_queues */
insert into rowbeat.queues as q (name, concurrency, rate, rate_burst)
select x.name, x.concurrency, x.rate, x.rate_burst from jsonb_to_recordset($1::text::jsonb) as x(name text, concurrency integer, rate text, rate_burst integer) order by x.name
on conflict (name) do update set concurrency = coalesce(q.concurrency, excluded.concurrency),
  rate_burst = case when q.rate is null and q.rate_burst is null then excluded.rate_burst else q.rate_burst end, rate = coalesce(q.rate, excluded.rate)
where (q.concurrency is null and excluded.concurrency is not null) or (q.rate is null and excluded.rate is not null)`,
    [JSON.stringify(rows)],
  )
}

export async function clearOverflow(db: Queryable, queue: string): Promise<void> {
  await db.query(
    `/* clear_overflow */ update rowbeat.queues q set overflow = null
     where name = $1::text and not exists (select from rowbeat.parked where reason in ('overflow', 'paused') and queue = $1::text
       and (reason = 'overflow' or q.draining_at is null))`,
    [queue],
  )
}

/** Parks what came into the queue of a paused one: handed back by a worker, or enqueued by a transaction older than the pause. */
export async function holdPaused(db: Queryable): Promise<void> {
  await db.query(`/* hold_paused */ select rowbeat.hold_paused_v1()`)
}

/** Ends pauses whose time has come; answers how many. */
export async function resumeDue(db: Queryable): Promise<number> {
  const [row] = await db.query<{ n: number }>(`/* resume_due */ select rowbeat.resume_due_v1() as n`)
  return row!.n
}
