/**
 * How claimed runs come back when they could not be run to their end: handed back by a worker that stops, taken back when
 * the answer to a claim was lost, swept from workers that died.
 */
import type { Queryable } from '../handle.ts'

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

/** Hands some claimed runs back, their claim uncounted, and rings for others. */
export async function handBackJobs(
  db: Queryable,
  pools: readonly string[],
  jobs: readonly string[],
): Promise<void> {
  await db.query(
    `/* hand_back_jobs */
with back as (
  update rowbeat_queue._private_jobs j set locked_at = null, locked_by = null, attempts = greatest(0, j.attempts - 1)
  where j.id = any ($2::bigint[]) and j.locked_by = any ($1::text[]) returning j.task_id
)
select pg_notify('rowbeat_queue', q) from (
  select distinct split_part(t.identifier, ':', 1) as q from back join rowbeat_queue._private_tasks t on t.id = back.task_id) x`,
    [`{${pools.map((pool) => `"${pool}"`).join(',')}}`, `{${jobs.join(',')}}`],
  )
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

/**
 * Says that a worker is dead, for whoever saw its process end: the next sweep need not wait for its silence. By a time that
 * was never seen; -infinity would break every `now() - seen_at` before PostgreSQL 17.
 */
export async function declareDead(
  db: Queryable,
  { name, hostname, pid }: { name: string; hostname: string; pid: number },
): Promise<number> {
  const rows = await db.query(
    `/* declare_dead */ update rowbeat.workers set seen_at = 'epoch' where name = $1::text and hostname = $2::text and pid = $3::integer returning 1 as one`,
    [name, hostname, pid],
  )
  return rows.length
}

/**
 * Sweeps dead workers: declared dead by who saw them end, or unseen for `deadSeconds` of the database's clock, and this
 * never within that time of the server's own start, when nobody could be seen. Runs listed as started count a redelivery, and the third ends them as worker_lost;
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
      and (seen_at = 'epoch' or pg_postmaster_start_time() < clock_timestamp() - $1::float8 * interval '1 second') for update skip locked))
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
    started_at, finished_at, expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, options, keep_until)
  select g.key::uuid, substr(t.identifier, strpos(t.identifier, ':') + 1), split_part(t.identifier, ':', 1), 'FAILURE', 'worker_lost', g.priority, g.p->'input',
    jsonb_build_object('name', 'WorkerLost', 'message', 'the worker died ' || h.hits || ' times while it ran this', 'code', 'RB_WORKER_LOST', 'stack', null, 'cause', null),
    h.attempt, coalesce((g.p->>'attempts_max')::integer, 1), h.hits, h.name, g.created_at, g.run_at, h.started_at, clock_timestamp(), (g.p->>'expires_at')::timestamptz,
    (g.p->>'time_limit')::float8, (g.p->>'soft_time_limit')::float8, g.p->>'unique_key',
    case when jsonb_typeof(g.p->'tags') = 'array' then array(select jsonb_array_elements_text(g.p->'tags')) end, g.p->'headers', (g.p->>'parent')::uuid,
    (g.p->>'retry_of')::uuid, g.p->>'schedule', (g.p->>'due_at')::timestamptz, rowbeat.kept_options_v1(g.p),
    clock_timestamp() + coalesce((g.p->>'retention')::float8, $2::float8) * interval '1 second'
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
select (select string_agg(name, ',') from dead) as workers, (select count(*) from back)::text as returned,
  (select count(*) from gone)::text as lost, (select count(*) from rung) as rung`,
    [deadSeconds, keepSeconds],
  )
  return { workers: row!.workers?.split(',') ?? [], returned: Number(row!.returned), lost: Number(row!.lost) }
}
