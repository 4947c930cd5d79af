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

/** One outcome for the finish statement; short keys because a flush carries hundreds. Times are epoch milliseconds. */
export interface FinishRow {
  /** Job id and its `attempts`, the fence. */
  job: string
  claims: number
  /** SUCCESS, FAILURE, REVOKED, or PARK for a run that will be tried again. */
  state: 'SUCCESS' | 'FAILURE' | 'REVOKED' | 'PARK'
  reason?: string | null
  result?: unknown
  error?: unknown
  progress?: unknown
  attempt: number
  /** Tries allowed, as the worker counted. */
  allowed: number
  started?: number
  /** Seconds to keep the result, unless the run itself says. */
  keep?: number
  /** PARK: seconds until it may run again, and what changes in its payload. */
  delay?: number
  patch?: Record<string, unknown>
  /** A row of rowbeat.attempts to leave: retry, failed, snooze, handed_back. */
  outcome?: string
}

/**
 * The finish statement: for every outcome whose lease is still held, the job row goes and the result (or the parked
 * run) comes, in one statement. Reaches the jobs by primary key first and joins the outcomes after, which is 1.3 times
 * as fast as joining at once. Returns the job ids that were ours; the others had been given away, or were stored by a
 * call whose answer was lost.
 */
export async function finishRuns(
  db: Queryable,
  worker: string,
  pools: readonly string[],
  rows: readonly FinishRow[],
): Promise<string[]> {
  const [row] = await db.query<{ jobs: string | null }>(FINISH_RUNS, [
    JSON.stringify(rows.map(toTuple)),
    `{${rows.map((r) => r.job).join(',')}}`,
    `{${rows.map((r) => (BigInt(r.job) * 32768n + BigInt(r.claims)).toString()).join(',')}}`,
    `{${pools.map((pool) => `"${pool}"`).join(',')}}`,
    worker,
  ])
  return row?.jobs ? row.jobs.split(',') : []
}

/** Arrays, not objects: parsing 500 objects of named columns took Postgres as long as storing them. */
function toTuple({ job, state, started, attempt, allowed, keep, result, ...rest }: FinishRow): unknown[] {
  const { claims: _, ...extra } = rest
  return [
    job,
    state,
    started ?? null,
    attempt,
    allowed,
    keep ?? null,
    result ?? null,
    state === 'SUCCESS' && extra.progress === undefined ? null : extra,
  ]
}

const FINISH_RUNS = `/* finish_runs */
with o as materialized (
  select (e->>0)::bigint as job, e->>1 as state, (e->>2)::float8 as started, (e->>3)::integer as attempt, (e->>4)::integer as allowed, (e->>5)::float8 as keep,
    nullif(e->6, 'null') as result, e->7->>'reason' as reason, e->7->'error' as error, e->7->'progress' as progress, (e->7->>'delay')::float8 as delay, e->7->'patch' as patch,
    e->7->>'outcome' as outcome
  from jsonb_array_elements($1::text::jsonb) e
), done as (
  delete from rowbeat_queue._private_jobs j
  where j.id = any ($2::bigint[]) and j.id * 32768 + j.attempts = any ($3::bigint[]) and j.locked_by = any ($4::text[])
  returning j.id, j.key, j.task_id, j.priority, j.payload, j.created_at, j.run_at
), ended as (
  select d.id, d.key::uuid as run, t.identifier, d.priority, d.created_at, d.run_at, x.p, o.*
  from done d join o on o.job = d.id join rowbeat_queue._private_tasks t on t.id = d.task_id cross join lateral (select d.payload::jsonb as p offset 0) x
), stored as (
  insert into rowbeat.results (id, task, queue, state, reason, priority, input, result, error, progress, attempt, attempts_max, redeliveries, worker,
    created_at, run_at, started_at, finished_at, expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, keep_until)
  select e.run, substr(e.identifier, strpos(e.identifier, ':') + 1), split_part(e.identifier, ':', 1), e.state, e.reason, e.priority, e.p->'input',
    case when (e.p->'ignore_result')::boolean then null else e.result end, e.error, e.progress, e.attempt, e.allowed,
    coalesce((e.p->>'redeliveries')::integer, 0), $5::text, e.created_at, e.run_at, to_timestamp(e.started / 1000), clock_timestamp(),
    (e.p->>'expires_at')::timestamptz, (e.p->>'time_limit')::float8, (e.p->>'soft_time_limit')::float8, e.p->>'unique_key',
    case when jsonb_typeof(e.p->'tags') = 'array' then array(select jsonb_array_elements_text(e.p->'tags')) end, e.p->'headers', (e.p->>'parent')::uuid,
    (e.p->>'retry_of')::uuid, e.p->>'schedule', (e.p->>'due_at')::timestamptz,
    clock_timestamp() + coalesce((e.p->>'retention')::float8, e.keep, 2592000) * interval '1 second'
  from ended e where e.state <> 'PARK'
), parked as (
  insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
  select e.run, e.reason, clock_timestamp() + e.delay * interval '1 second', substr(e.identifier, strpos(e.identifier, ':') + 1),
    split_part(e.identifier, ':', 1), e.priority, (e.p || coalesce(e.patch, '{}'))::text::json, e.created_at
  from ended e where e.state = 'PARK'
), tried as (
  insert into rowbeat.attempts (run_id, attempt, outcome, worker, started_at, finished_at, error, retry_at)
  select e.run, e.attempt, e.outcome, $5::text, to_timestamp(e.started / 1000), clock_timestamp(), e.error, clock_timestamp() + e.delay * interval '1 second'
  from ended e where e.outcome is not null
), reported as (
  delete from rowbeat.progress g using ended e where e.progress is not null and e.state <> 'PARK' and g.run_id = e.run
), told as (
  select pg_notify('rowbeat_runs', case when count(*) > 100 then '*' else string_agg(key, ',') end) from done having count(*) > 0
)
select string_agg(d.id::text, ',') as jobs from done d where (select count(*) from told) >= 0`

/** The last resort for an outcome that cannot be stored: FAILURE with why; casts nothing, ignores a standing result, so it cannot fail itself. */
export async function finishUnstorable(
  db: Queryable,
  worker: string,
  pool: string,
  row: FinishRow,
  why: string,
): Promise<void> {
  await db.query(
    `/* finish_unstorable */
with done as (
  delete from rowbeat_queue._private_jobs j where j.id = $1::bigint and j.attempts = $2::integer and j.locked_by = $3::text
  returning j.key, j.task_id, j.priority, j.created_at, j.run_at
)
insert into rowbeat.results (id, task, queue, state, reason, priority, error, attempt, attempts_max, redeliveries, worker, created_at, run_at, started_at, finished_at, keep_until)
select d.key::uuid, substr(t.identifier, strpos(t.identifier, ':') + 1), split_part(t.identifier, ':', 1), 'FAILURE', 'error', d.priority,
  jsonb_build_object('name', 'OutcomeNotStorable', 'message', $4::text, 'code', 'RB_RESULT_INVALID', 'stack', null, 'cause', null),
  $5::integer, $8::integer, 0, $6::text, d.created_at, d.run_at, to_timestamp($7::float8 / 1000), clock_timestamp(), clock_timestamp() + interval '30 days'
from done d join rowbeat_queue._private_tasks t on t.id = d.task_id on conflict do nothing`,
    [row.job, row.claims, pool, why, row.attempt, worker, row.started ?? null, row.allowed],
  )
}

/** Which of these jobs this worker still holds: asked before it starts runs that it claimed long ago (after a SIGSTOP). */
export async function keepOwned(db: Queryable, pool: string, jobs: readonly string[]): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>(
    `/* keep_owned */ select id::text as id from rowbeat_queue._private_jobs where id = any ($1::bigint[]) and locked_by = $2::text`,
    [`{${jobs.join(',')}}`, pool],
  )
  return new Set(rows.map((row) => row.id))
}

/** Hands claimed runs back untouched, their claim uncounted, and rings for others. Returns how many. */
export async function handBack(
  db: Queryable,
  pools: readonly string[],
  except: readonly string[] = [],
): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* hand_back */
with back as (
  update rowbeat_queue._private_jobs j set locked_at = null, locked_by = null, attempts = greatest(0, j.attempts - 1)
  where j.locked_by = any ($1::text[]) and not j.id = any ($2::bigint[]) returning j.task_id
), rung as (
  select pg_notify('rowbeat_queue', q) from (select distinct split_part(t.identifier, ':', 1) as q from back join rowbeat_queue._private_tasks t on t.id = back.task_id) x
)
select count(*)::text as n from back where (select count(*) from rung) >= 0`,
    [`{${pools.map((pool) => `"${pool}"`).join(',')}}`, `{${except.join(',')}}`],
  )
  return Number(row!.n)
}

/**
 * Claims whose answer never reached us (a half-open connection) are locked by a pool that lives, so no sweep frees
 * them: without this, 32 runs stood still for ever. `known` are the jobs we did receive and have not stored; six
 * seconds is longer than the answer to a claim can take.
 */
export async function reclaimUnreceived(
  db: Queryable,
  pools: readonly string[],
  known: readonly string[],
): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* reclaim_unreceived */
with back as (
  update rowbeat_queue._private_jobs set locked_at = null, locked_by = null, attempts = greatest(0, attempts - 1)
  where locked_by = any ($1::text[]) and locked_at < now() - interval '6 seconds' and not id = any ($2::bigint[]) returning 1
) select count(*)::text as n from back`,
    [`{${pools.map((pool) => `"${pool}"`).join(',')}}`, `{${known.join(',')}}`],
  )
  return Number(row!.n)
}

/** The net under the sweep: rows locked by a pool that no registered worker has, for longer than any start takes. */
export async function reclaimOrphans(db: Queryable): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* reclaim_orphans */
with back as (
  update rowbeat_queue._private_jobs j set locked_at = null, locked_by = null
  where j.locked_at < now() - interval '30 seconds' and not exists (select from rowbeat.workers w where j.locked_by = any (w.pools)) returning 1
) select count(*)::text as n from back`,
  )
  return Number(row!.n)
}

/** Where a parked run goes when it may run: the columns of a job, in one place for every release. */
const TO_JOBS = `insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, max_attempts, key, created_at, updated_at)
  select t.id, m.payload, m.priority, coalesce(m.release_at, m.created_at), 32767, m.id::text, m.created_at, now()
  from moved m join rowbeat_queue._private_tasks t on t.identifier = m.queue || ':' || m.task`

/**
 * Moves due runs (eta, retry, snooze) into the queue, or to their next reason when the queue is paused or overflows.
 * Answers how many moved and in how many milliseconds the next is due (null: none waits).
 */
export async function releaseDue(
  db: Queryable,
  limit: number,
): Promise<{ moved: number; nextMs: number | null }> {
  const [row] = await db.query<{ moved: string; next: number | null }>(
    `/* release_due */
with due as materialized (
  select p.id, rowbeat.placement_v1(null, now(), q.paused_at, q.overflow, p.priority) as why
  from rowbeat.parked p join rowbeat_queue._private_tasks t on t.identifier = p.queue || ':' || p.task left join rowbeat.queues q on q.name = p.queue
  where p.release_at <= statement_timestamp() and p.reason in ('eta', 'retry', 'snooze') order by p.release_at limit $1::integer for update of p skip locked
), moved as (
  delete from rowbeat.parked p where p.id = any (array(select id from due where why is null)) returning p.*
), stayed as (
  update rowbeat.parked p set reason = due.why, release_at = null, parked_at = clock_timestamp() from due where due.id = p.id and due.why is not null
), placed as (
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

/** Moves the best overflow runs of a queue into the hot table, by priority and age. Returns how many. */
export async function releaseOverflow(db: Queryable, queue: string, limit: number): Promise<number> {
  const [row] = await db.query<{ moved: string }>(
    `/* release_overflow */
with moved as (
  delete from rowbeat.parked where id = any (array(
    select p.id from rowbeat.parked p join rowbeat_queue._private_tasks t on t.identifier = p.queue || ':' || p.task
    where p.reason = 'overflow' and p.queue = $1::text order by p.priority, p.id limit $2::integer for update of p skip locked
  )) returning *
), placed as (
  ${TO_JOBS}
), rung as (
  select rowbeat.ring_v1($1::text) where exists (select from moved)
)
select count(*)::text as moved, (select count(*) from rung) as rung from moved`,
    [queue, limit],
  )
  return Number(row!.moved)
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

/**
 * Sweeps dead workers: unseen for `deadSeconds` of the database's clock, and never within that time of the server's own
 * start, when nobody could be seen. Runs listed as started count a redelivery, and the third ends them as worker_lost;
 * those merely claimed go back with their claim still counted, so that whoever takes them next announces them first.
 */
export async function sweepDead(
  db: Queryable,
  deadSeconds: number,
  keepSeconds: number,
): Promise<{ workers: string[]; returned: number; lost: number }> {
  const [row] = await db.query<{ workers: string | null; returned: string; lost: string }>(
    `/* sweep_dead */
with dead as (
  delete from rowbeat.workers w where w.id = any (array(
    select id from rowbeat.workers where seen_at < clock_timestamp() - $1::float8 * interval '1 second'
      and pg_postmaster_start_time() < clock_timestamp() - $1::float8 * interval '1 second' for update skip locked))
  returning w.name, w.pools, w.running
), held as materialized (
  select j.id, j.key, d.name, (l->>'started_at')::timestamptz as started_at, (l->>'attempt')::integer as attempt, l is not null as listed,
    coalesce((j.payload->>'redeliveries')::integer, 0) + 1 as hits
  from dead d join rowbeat_queue._private_jobs j on j.locked_by = any (d.pools)
  left join lateral (select l from jsonb_array_elements(d.running) l where l->>'id' = j.key) x on true
), gone as (
  delete from rowbeat_queue._private_jobs j where j.id = any (array(select id from held where listed and hits >= 3))
  returning j.id, j.key, j.task_id, j.priority, j.payload::jsonb as p, j.created_at, j.run_at
), ended as (
  insert into rowbeat.results (id, task, queue, state, reason, priority, input, error, attempt, attempts_max, redeliveries, worker, created_at, run_at,
    started_at, finished_at, expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, keep_until)
  select g.key::uuid, substr(t.identifier, strpos(t.identifier, ':') + 1), split_part(t.identifier, ':', 1), 'FAILURE', 'worker_lost', g.priority, g.p->'input',
    jsonb_build_object('name', 'WorkerLost', 'message', 'the worker died ' || h.hits || ' times while it ran this', 'code', 'RB_WORKER_LOST', 'stack', null, 'cause', null),
    h.attempt, coalesce((g.p->>'attempts_max')::integer, 1), h.hits, h.name, g.created_at, g.run_at, h.started_at, clock_timestamp(), (g.p->>'expires_at')::timestamptz,
    (g.p->>'time_limit')::float8, (g.p->>'soft_time_limit')::float8, g.p->>'unique_key',
    case when jsonb_typeof(g.p->'tags') = 'array' then array(select jsonb_array_elements_text(g.p->'tags')) end, g.p->'headers', (g.p->>'parent')::uuid,
    (g.p->>'retry_of')::uuid, g.p->>'schedule', (g.p->>'due_at')::timestamptz, clock_timestamp() + coalesce((g.p->>'retention')::float8, $2::float8) * interval '1 second'
  from gone g join held h on h.id = g.id join rowbeat_queue._private_tasks t on t.id = g.task_id
), back as (
  update rowbeat_queue._private_jobs j set locked_at = null, locked_by = null,
    payload = case when h.listed then (j.payload::jsonb || jsonb_build_object('redeliveries', h.hits))::text::json else j.payload end
  from held h where h.id = j.id and not (h.listed and h.hits >= 3) returning j.task_id
), tried as (
  insert into rowbeat.attempts (run_id, attempt, outcome, worker, started_at, finished_at)
  select h.key::uuid, h.attempt, 'lost', h.name, h.started_at, clock_timestamp() from held h where h.listed
), rung as (
  select pg_notify('rowbeat_queue', q) from (select distinct split_part(t.identifier, ':', 1) as q from back b join rowbeat_queue._private_tasks t on t.id = b.task_id) x
)
select (select string_agg(name, ',') from dead) as workers, (select count(*) from back)::text as returned, (select count(*) from gone)::text as lost, (select count(*) from rung) as rung`,
    [deadSeconds, keepSeconds],
  )
  return { workers: row!.workers?.split(',') ?? [], returned: Number(row!.returned), lost: Number(row!.lost) }
}
