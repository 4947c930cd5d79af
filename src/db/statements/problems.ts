/**
 * Facts from which problems are told (control/problems.ts): who lives, what waits for nobody, which schedules and operations do not
 * move. One statement over tables that stay small: the hot jobs, the registry, schedules by their partial indexes.
 */
import type { Queryable } from '../handle.ts'

export interface ProblemFacts {
  processes: {
    name: string
    kind: 'worker' | 'beat' | 'api'
    /** Seconds since its last sign of life. */
    unseen: number
    stopping: boolean
    version: string
    lag_ms: number | null
    skew_ms: number | null
    /** Whether notifications reach it; null where that is not known. */
    listening: boolean | null
    queues: string[]
    tasks: string[]
  }[]
  /** Runs in the hot table that nobody has claimed, by queue and task. `age` of the oldest, in seconds. */
  waiting: { queue: string; task: string; n: number; age: number; known: boolean }[]
  /** Parked ones, by queue: what is not in the hot table has tasks that nobody looks at. */
  backlog: { queue: string; n: number }[]
  queues: { name: string; paused_at: string | null; pause_reason: string | null; draining: boolean }[]
  schedules: {
    id: string
    name: string
    enabled: boolean
    error: string | null
    failures: number
    late: number | null
  }[]
  /** Enabled ones. */
  enabled: number
  operations: { id: string; kind: string; late: number; error: string | null }[]
  /** By task: runs that a worker died of, that wait for another try or were given up in the last hour. */
  poison: { task: string; waiting: number; lost: number }[]
  /** Seconds since upkeep of results last began, and since the first of the oldest results expired; null where none did. */
  upkeep: { unseen: number | null; expired: number | null }
}

/** Schedules and operations that are told by name at most; and parked rows that are counted of a queue. */
const TOLD_MAX = 50
const BACKLOG_MAX = 10_000
/** The newest failures, and the oldest results, that are looked at. */
const FAILURES_MAX = 500
const OLDEST_MAX = 200

export async function readProblemFacts(db: Queryable): Promise<ProblemFacts> {
  const [row] = await db.query<{ facts: string }>(
    `/* read_problem_facts */ select json_build_object(
  'processes', (select coalesce(json_agg(json_build_object('name', w.name, 'kind', w.kind, 'unseen', date_part('epoch', clock_timestamp() - w.seen_at), 'stopping', w.stopping,
      'version', w.version, 'lag_ms', w.loop_lag_ms, 'skew_ms', w.clock_skew_ms, 'listening', w.listening,
      'queues', array(select jsonb_object_keys(w.queues)), 'tasks', w.tasks) order by w.name), '[]')
    from rowbeat.workers w),
  'waiting', (select coalesce(json_agg(json_build_object('queue', split_part(t.identifier, ':', 1), 'task', split_part(t.identifier, ':', 2), 'n', j.n,
      'age', date_part('epoch', clock_timestamp() - j.oldest),
      'known', exists (select from rowbeat.tasks d where d.name = split_part(t.identifier, ':', 2))) order by t.identifier), '[]')
    from (select x.task_id, count(*) as n, min(x.run_at) as oldest from rowbeat_queue._private_jobs x where x.is_available group by x.task_id) j
    join rowbeat_queue._private_tasks t on t.id = j.task_id),
  'backlog', (select coalesce(json_agg(json_build_object('queue', b.name, 'n', b.n) order by b.name), '[]') from (
      select q.name, (select count(*) from (select from rowbeat.parked p where p.queue = q.name and p.reason in ('overflow', 'paused') limit ${BACKLOG_MAX}) y) as n
      from (select q.name from rowbeat.queues q union select split_part(t.identifier, ':', 1) from rowbeat_queue._private_tasks t) q) b where b.n > 0),
  'queues', (select coalesce(json_agg(json_build_object('name', q.name, 'paused_at', to_char(q.paused_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'pause_reason', q.pause_reason, 'draining', q.draining_at is not null)), '[]') from rowbeat.queues q where q.paused_at is not null or q.draining_at is not null),
  'schedules', (select coalesce(json_agg(s), '[]') from (
      (select s.id, s.name, s.enabled, s.error, s.failures, date_part('epoch', clock_timestamp() - s.next_run_at) as late from rowbeat.schedules s
        where s.enabled and s.next_run_at < clock_timestamp() - interval '1 minute' order by s.next_run_at limit ${TOLD_MAX})
      union all (select s.id, s.name, s.enabled, s.error, s.failures, null from rowbeat.schedules s
        where s.error is not null or not s.enabled and s.failures_max is not null and s.failures >= s.failures_max limit ${TOLD_MAX})) s),
  'enabled', (select count(*) from ((select from rowbeat.schedules s where s.enabled and s.next_run_at is not null limit 1000)
    union all (select from rowbeat.schedules s where s.enabled and s.next_run_at is null and s.error is null limit 1000)) s),
  'operations', (select coalesce(json_agg(json_build_object('id', o.id, 'kind', o.kind, 'late', date_part('epoch', clock_timestamp() - o.next_at), 'error', o.error)), '[]')
    from (select * from rowbeat.operations o where o.state = 'running' and o.next_at < clock_timestamp() - interval '30 seconds' order by o.next_at limit ${TOLD_MAX}) o),
  'poison', (select coalesce(json_agg(p order by p.task), '[]') from (
      select h.task, count(*) filter (where h.is_waiting) as waiting, count(*) filter (where not h.is_waiting) as lost from (
      select split_part(t.identifier, ':', 2) as task, true as is_waiting from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id
        where j.attempts > 0 and j.is_available and (j.payload->>'redeliveries')::integer > 0
      union all select f.task, false from (select x.task, x.reason, x.finished_at from rowbeat.results x where x.state = 'FAILURE' order by x.id desc limit ${FAILURES_MAX}) f
        where f.reason = 'worker_lost' and f.finished_at > clock_timestamp() - interval '1 hour') h group by h.task limit ${TOLD_MAX}) p),
  'upkeep', (select json_build_object('unseen', case when isfinite(u.taken_at) then date_part('epoch', clock_timestamp() - u.taken_at) end,
      'expired', (select date_part('epoch', clock_timestamp() - min(o.keep_until))
      from (select x.keep_until from rowbeat.results x order by x.id limit ${OLDEST_MAX}) o where o.keep_until < clock_timestamp())) from rowbeat.upkeep u)
)::text as facts`,
  )
  return JSON.parse(row!.facts) as ProblemFacts
}
