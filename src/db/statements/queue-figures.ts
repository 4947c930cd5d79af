/**
 * Queues as operators see them: their limits, whether they are held up, and what waits and runs on them as of now. A queue is
 * told that was defined, that runs are on, or that a live worker serves.
 *
 * Nothing is kept for these figures, so nothing can be wrong with them; each is counted, up to COUNT_MAX: a million
 * parked rows cost what so many entries of an index cost, and pages that are open ask every few seconds.
 */
import type { Queryable } from '../handle.ts'

export const COUNT_MAX = 20_000

/** Why runs wait: `hot` may start as soon as a worker has room. */
export const PLACES = [
  'hot',
  'overflow',
  'paused',
  'rate',
  'concurrency',
  'flow',
  'eta',
  'retry',
  'snooze',
] as const

export type Place = (typeof PLACES)[number]

/** All keys are always present; instants are RFC 3339 UTC with milliseconds, durations seconds. */
export interface QueueDocument {
  name: string
  /** Runs at once over all workers; null is no limit. */
  concurrency: number | null
  /** Starts in a time over all workers, as in `10/m`; null is no limit. */
  rate: string | null
  rate_burst: number | null
  /** Runs that may wait in the hot table; the rest overflows. */
  hot_limit: number
  state: 'open' | 'paused' | 'draining'
  paused_at: string | null
  pause_reason: string | null
  resume_at: string | null
  draining_at: string | null
  waiting: Record<Place, number>
  /** One of the counts is COUNT_MAX, where counting ends: so many wait at least. */
  capped: boolean
  running: number
  /** Seconds since the oldest was enqueued of those that wait for a worker or for the queue itself. */
  oldest_age: number | null
  /** Live ones that serve it, and how many runs at once each takes. */
  workers: { name: string; slots: number }[]
  slots: number
}

const instant = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const QUEUES = `
with live as materialized (
  select w.name, w.queues, w.running from rowbeat.workers w where w.kind = 'worker' and w.seen_at > clock_timestamp() - interval '10 seconds'
), known as (
  select q.name from rowbeat.queues q union select split_part(t.identifier, ':', 1) from rowbeat_queue._private_tasks t
  union select jsonb_object_keys(l.queues) from live l
), started as materialized (
  select split_part(t.identifier, ':', 1) as queue, count(*)::integer as n
  from live l cross join lateral jsonb_array_elements(l.running) r join rowbeat_queue._private_jobs j on j.key = r->>'id' join rowbeat_queue._private_tasks t on t.id = j.task_id
  where j.locked_at is not null group by 1
)
select json_build_object('name', k.name, 'concurrency', q.concurrency, 'rate', q.rate, 'rate_burst', q.rate_burst, 'hot_limit', coalesce(q.hot_limit, 5000),
  'state', case when q.paused_at is not null then 'paused' when q.draining_at is not null then 'draining' else 'open' end,
  'paused_at', ${instant('q.paused_at')}, 'pause_reason', q.pause_reason, 'resume_at', ${instant('q.resume_at')}, 'draining_at', ${instant('q.draining_at')},
  'waiting', c.waiting, 'capped', c.capped, 'running', coalesce((select s.n from started s where s.queue = k.name), 0),
  'oldest_age', round(extract(epoch from clock_timestamp() - c.oldest)::numeric, 3)::float8, 'workers', w.workers, 'slots', w.slots)::text as queue
from known k left join rowbeat.queues q on q.name = k.name
cross join lateral (
  select json_object_agg(n.place, n.n order by array_position('{${PLACES.join(',')}}', n.place)) as waiting, bool_or(n.n >= ${COUNT_MAX}) as capped,
    min(n.oldest) as oldest, sum(n.n) as total from rowbeat.count_waiting_v1(k.name, ${COUNT_MAX}) n
) c
cross join lateral (
  select coalesce(json_agg(json_build_object('name', l.name, 'slots', (l.queues->>k.name)::integer) order by l.name), '[]') as workers,
    coalesce(sum((l.queues->>k.name)::integer), 0) as slots from live l where l.queues ? k.name
) w
where (q.name is not null or w.slots > 0 or c.total > 0 or exists (select from started s where s.queue = k.name))`

/** All of them, by name. */
export async function listQueues(db: Queryable): Promise<QueueDocument[]> {
  const rows = await db.query<{ queue: string }>(`/* list_queues */ ${QUEUES} order by k.name`)
  return rows.map(({ queue }) => JSON.parse(queue) as QueueDocument)
}

/** One of them, or null. */
export async function readQueue(db: Queryable, name: string): Promise<QueueDocument | null> {
  const [row] = await db.query<{ queue: string }>(`/* read_queue */ ${QUEUES} and k.name = $1::text`, [name])
  return row ? (JSON.parse(row.queue) as QueueDocument) : null
}
