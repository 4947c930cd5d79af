/**
 * graphile-worker's private tables: every statement of ours that names them is here (and in drizzle/), so that a new
 * version of graphile-worker is one file to check. `checkQueue` compares what is installed with what was tested.
 *
 * A claimed job row is the lease: `locked_by` is the worker's pool, `attempts` counts claims. Whoever wants to end,
 * hand back or keep a run names both, and a row that was given away in the meantime is simply not found.
 */
import { StoreError } from '../../errors.ts'
import type { Queryable } from '../handle.ts'

export const QUEUE_SCHEMA = 'rowbeat_queue'

/** The migration of graphile-worker 0.18.0, the one version this release was tested with. */
export const QUEUE_MIGRATION = 20

const JOB_COLUMNS =
  'attempts,created_at,flags,id,is_available,job_queue_id,key,last_error,locked_at,locked_by,max_attempts,payload,priority,revision,run_at,task_id,updated_at'

/** The number of the newest migration of graphile-worker that ran; 0 when none did. */
export async function readQueueMigration(db: Queryable): Promise<number> {
  const [table] = await db.query<{ there: boolean }>(
    `/* has_queue */ select to_regclass('rowbeat_queue.migrations') is not null as there`,
  )
  if (!table!.there) return 0
  const [row] = await db.query<{ id: number | null }>(
    `/* read_queue_migration */ select max(id) as id from rowbeat_queue.migrations`,
  )
  return row!.id ?? 0
}

/** Refuses a queue whose version or columns are not the ones tested. */
export async function checkQueue(db: Queryable): Promise<void> {
  const migration = await readQueueMigration(db)
  if (migration < QUEUE_MIGRATION) {
    throw new StoreError(
      'RB_SCHEMA_BEHIND',
      `The queue tables are at migration ${migration} and this release needs ${QUEUE_MIGRATION}: run \`rowbeat migrate\`.`,
    )
  }
  const [row] = await db.query<{ columns: string }>(
    `/* read_job_columns */ select string_agg(attname, ',' order by attname) as columns from pg_attribute
     where attrelid = 'rowbeat_queue._private_jobs'::regclass and attnum > 0 and not attisdropped`,
  )
  if (migration > QUEUE_MIGRATION || row!.columns !== JOB_COLUMNS) {
    throw new StoreError(
      'RB_QUEUE_UNKNOWN_VERSION',
      `The queue tables are of a graphile-worker this release was not tested with (migration ${migration}): install the Rowbeat that made them.`,
    )
  }
}

/** A never analysed jobs table gives a long session a bad plan that it keeps (3.7k enqueues/s fell to 1.3k). */
export async function analyzeStore(db: Queryable): Promise<void> {
  for (const table of [
    'rowbeat_queue._private_jobs',
    'rowbeat_queue._private_tasks',
    'rowbeat.parked',
    'rowbeat.queues',
    'rowbeat.tasks',
  ]) {
    await db.query(`/* analyze */ analyze ${table}`)
  }
}

/** Makes `queue:task` identifiers, so that no enqueue inside a long transaction is the first and makes others wait. */
export async function makeIdentifiers(db: Queryable, identifiers: readonly string[]): Promise<void> {
  await db.query(
    `/* make_identifiers */ insert into rowbeat_queue._private_tasks (identifier)
     select i from jsonb_array_elements_text($1::text::jsonb) i where not exists (select from rowbeat_queue._private_tasks t where t.identifier = i)
     order by i on conflict do nothing`,
    [JSON.stringify(identifiers)],
  )
}

/**
 * A run whose identifier somebody cleaned away waits (the worker that knows its task makes it again) instead of being lost. A
 * subquery, not a join: a join is planned from the side of the identifiers, and sorts all that is parked to take a few.
 */
const HAS_IDENTIFIER = `(select t.id from rowbeat_queue._private_tasks t where t.identifier = p.queue || ':' || p.task) is not null`

/** Where a parked run goes when it may run: the columns of a job, in one place for every release. */
const TO_JOBS = `insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, max_attempts, key, created_at, updated_at)
  select t.id, m.payload, m.priority, coalesce(m.release_at, m.created_at), 32767, m.id::text, m.created_at, now()
  from moved m join rowbeat_queue._private_tasks t on t.identifier = m.queue || ':' || m.task order by m.priority, m.id`

/** The first limit that a run `p` stands at, with its task `d` and queue `q`; null where there is none. */
const FIRST_GATE = `case when d.concurrency is not null or d.rate is not null or q.concurrency is not null or q.rate is not null or p.payload->>'concurrency_key' is not null
    then (rowbeat.gates_v1(d, q, p.task, p.queue, p.payload->>'concurrency_key', p.payload->>'rate_key'))[1] end`

/** Who came to a gate knocks there. */
const KNOCKED = `insert into rowbeat.knocks (gate) select distinct gate from placed where gate is not null`

/**
 * Moves due runs (eta, retry, snooze) into the queue, or to their next reason when the queue is paused or overflows, or
 * a limit is before them. Answers how many moved and in how many milliseconds the next is due (null: none waits).
 */
export async function releaseDue(
  db: Queryable,
  limit: number,
): Promise<{ moved: number; nextMs: number | null }> {
  const [row] = await db.query<{ moved: string; next: number | null }>(
    `/* release_due */
with due as materialized (
  select p.id, p.task, p.queue, p.priority, p.payload from rowbeat.parked p
  where p.release_at <= statement_timestamp() and p.reason in ('eta', 'retry', 'snooze') and ${HAS_IDENTIFIER} order by p.release_at limit $1::integer for update of p skip locked
), placed as materialized (
  select p.id, case when w.why = 'paused' then w.why else coalesce(rowbeat.reason_v1(g.gate), w.why) end as why, case when w.why is distinct from 'paused' then g.gate end as gate
  from due p left join rowbeat.queues q on q.name = p.queue left join rowbeat.tasks d on d.name = p.task
  cross join lateral (select rowbeat.placement_v1(null, now(), q.paused_at, q.overflow, p.priority) as why) w cross join lateral (select ${FIRST_GATE} as gate) g
), moved as (
  delete from rowbeat.parked p where p.id = any (array(select id from placed where why is null)) returning p.*
), stayed as (
  update rowbeat.parked p set reason = k.why, gate = k.gate, release_at = null, parked_at = clock_timestamp() from placed k where k.id = p.id and k.why is not null
), knocked as (
  ${KNOCKED}
), hot as (
  ${TO_JOBS}
), rung as (
  select rowbeat.ring_v1(q) from (select distinct queue as q from moved) x
)
select count(*)::text as moved, (select count(*) from rung) as rung,
  (select extract(epoch from min(p.release_at) - clock_timestamp())::float8 * 1000 from rowbeat.parked p where p.release_at > clock_timestamp()) as next
from moved`,
    [limit],
  )
  return { moved: Number(row!.moved), nextMs: row!.next === null ? null : Math.max(0, Number(row!.next)) }
}

/**
 * Moves the best waiting runs of a queue (overflow, and paused ones once it is resumed) into the hot table, by priority and
 * age, or to the limit before them. While a queue drains, what came meanwhile stays paused. `below`: only better ones than that.
 * One dispatcher at a time for each queue: two would hand out the best and the next best in either order.
 */
export async function releaseBacklog(
  db: Queryable,
  queue: string,
  limit: number,
  drains: boolean,
  below: number | null = null,
): Promise<{ hot: number; gated: number }> {
  const [row] = await db.query<{ hot: string; gated: string }>(
    `/* release_backlog */
with best as materialized (
  select p.id, p.task, p.queue, p.payload from rowbeat.parked p
  where p.reason in ('overflow', 'paused') and p.queue = $1::text and (p.reason = 'overflow' or not $3::boolean)
    and ($4::integer is null or p.priority < $4::integer) and ${HAS_IDENTIFIER}
    and (select pg_try_advisory_xact_lock(hashtextextended('rowbeat.backlog:' || $1::text, 0)))
  order by p.priority, p.id limit $2::integer for update of p skip locked
), placed as materialized (
  select p.id, ${FIRST_GATE} as gate from best p left join rowbeat.queues q on q.name = p.queue left join rowbeat.tasks d on d.name = p.task
), moved as (
  delete from rowbeat.parked where id = any (array(select id from placed where gate is null)) returning *
), stayed as (
  update rowbeat.parked p set reason = rowbeat.reason_v1(k.gate), gate = k.gate from placed k where k.id = p.id and k.gate is not null returning 1
), knocked as (
  ${KNOCKED}
), hot as (
  ${TO_JOBS}
), rung as (
  select rowbeat.ring_v1($1::text) where exists (select from moved)
)
select count(*)::text as hot, (select count(*) from rung) as rung, (select count(*) from stayed)::text as gated from moved`,
    [queue, limit, drains, below],
  )
  return { hot: Number(row!.hot), gated: Number(row!.gated) }
}

/**
 * Parks hot rows that are worse than the mark, the worst first: what is better than they are is parked too, and would
 * be overtaken. Those that have passed a limit stay. Answers how many.
 */
export async function trimHot(db: Queryable, queue: string, mark: number, limit: number): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* trim_hot */
with worse as materialized (
  select j.id from rowbeat_queue._private_jobs j where j.is_available and j.priority > $2::integer and j.payload->>'gated' is null
    and j.task_id = any (array(select id from rowbeat_queue._private_tasks where split_part(identifier, ':', 1) = $1::text))
  order by j.priority desc limit $3::integer for update of j skip locked
), gone as (
  delete from rowbeat_queue._private_jobs j where j.id = any (array(select id from worse))
  returning j.key, j.priority, j.payload, j.created_at, (select t.identifier from rowbeat_queue._private_tasks t where t.id = j.task_id) as identifier
), kept as (
  insert into rowbeat.parked (id, reason, task, queue, priority, payload, created_at)
  select g.key::uuid, 'overflow', substr(g.identifier, strpos(g.identifier, ':') + 1), $1::text, g.priority, g.payload, g.created_at from gone g
)
select count(*)::text as n from gone`,
    [queue, mark, limit],
  )
  return Number(row!.n)
}

/** Hot rows of a queue that wait to be claimed, counted up to `limit`. */
export async function countHot(db: Queryable, queue: string, limit: number): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* count_hot */ select count(*)::text as n from (
       select from rowbeat_queue._private_jobs where is_available and task_id = any (array(
         select id from rowbeat_queue._private_tasks where split_part(identifier, ':', 1) = $1::text)) limit $2::integer) x`,
    [queue, limit],
  )
  return Number(row!.n)
}
