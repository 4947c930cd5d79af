/**
 * The registry of live processes, the tasks and queues they bring, and what was stored in a worker's name.
 */
import type { Queryable } from '../handle.ts'

/** A run listed as running: durable at most a second after it began. */
export interface Listed {
  id: string
  started_at: string
  attempt: number
}

export interface WorkerRow {
  id: string
  name: string
  kind: 'worker' | 'beat' | 'api'
  hostname: string
  pid: number
  pools: string[]
  queues: Record<string, number>
  tasks: string[]
  version: string
  /** What it was started with, of what is set. */
  limits?: Record<string, number>
}

export async function registerWorker(db: Queryable, row: WorkerRow): Promise<void> {
  await db.query(
    `/* register_worker */
insert into rowbeat.workers (id, name, kind, hostname, pid, pools, queues, tasks, version, limits, started_at, seen_at)
select w.id, w.name, w.kind, w.hostname, w.pid, w.pools, w.queues, w.tasks, w.version, coalesce(w.limits, '{}'), clock_timestamp(), clock_timestamp()
from jsonb_to_record($1::text::jsonb) as w(id text, name text, kind text, hostname text, pid integer, pools text[], queues jsonb, tasks text[], version text, limits jsonb)
on conflict (id) do update set pools = excluded.pools, queues = excluded.queues, tasks = excluded.tasks, seen_at = excluded.seen_at`,
    [JSON.stringify(row)],
  )
}

/** Others that live under the same name. */
export async function countNamesakes(db: Queryable, id: string, name: string): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    `/* count_namesakes */ select count(*)::text as n from rowbeat.workers
     where name = $2::text and id <> $1::text and kind = 'worker' and seen_at > clock_timestamp() - interval '10 seconds'`,
    [id, name],
  )
  return Number(row!.n)
}

/** Says which pools claim for this worker. False: its row is gone, it was declared dead; an upsert would bring it back unnoticed. */
export async function updatePools(db: Queryable, id: string, pools: readonly string[]): Promise<boolean> {
  const rows = await db.query(
    `/* update_pools */ update rowbeat.workers set pools = array(select jsonb_array_elements_text($2::text::jsonb)) where id = $1::text returning 1 as one`,
    [id, JSON.stringify(pools)],
  )
  return rows.length > 0
}

export interface Beat {
  running: Listed[] | null
  rssBytes: number
  loopLagMs: number
  skewMs: number
  stopping: boolean
  /** What may change while it runs; left out, the row keeps what it has. */
  facts?: WorkerFacts
}

export interface WorkerFacts {
  /** Queue -> runs at once. */
  queues: Record<string, number>
  autoscale: Record<string, { max: number; min: number }>
  quiet: boolean
  processed: Record<string, number>
  /** Whether notifications reach it; null while that is not known. */
  listening?: boolean | null
}

export interface Beaten {
  nowMs: number
  /** Whether there are revocations to look at. */
  revoked: boolean
  /** Of what this worker is told: statements/control.ts. */
  digest: string | null
  /** Commands that ask for the stack of its main thread. */
  dumps: string[]
}

/** A sign of life, and the list of running runs when it changed, which whoever watches is told of (api/live.ts). null: the row is gone, this worker was declared dead. */
export async function beatWorker(db: Queryable, id: string, beat: Beat): Promise<Beaten | null> {
  const [row] = await db.query<{
    now: number | string
    revoked: boolean
    digest: string | null
    dumps: string
  }>(
    `/* beat_worker */
update rowbeat.workers w set seen_at = clock_timestamp(), running = coalesce($2::text::jsonb, w.running), rss_bytes = $3::bigint, loop_lag_ms = $4::float8,
  clock_skew_ms = $5::float8, stopping = $6::boolean, queues = coalesce(f.queues, w.queues), autoscale = coalesce(f.autoscale, w.autoscale),
  quiet = coalesce(f.quiet, w.quiet), processed = coalesce(f.processed, w.processed), listening = coalesce(f.listening, w.listening)
from jsonb_to_record(coalesce($7::text::jsonb, '{}')) as f(queues jsonb, autoscale jsonb, quiet boolean, processed jsonb, listening boolean)
where w.id = $1::text returning extract(epoch from clock_timestamp())::float8 * 1000 as now, exists (select from rowbeat.revocations) as revoked,
  rowbeat.control_digest_v1(w.name) as digest, array_to_string(array(
    select c.id from rowbeat.commands c where c.command = 'dump_stacks' and c.expires_at > clock_timestamp() and c.created_at >= w.started_at
      and (c.workers is null or w.name = any (c.workers)) and not exists (select from rowbeat.replies r where r.command_id = c.id and r.worker = w.name)), ',') as dumps`,
    [
      id,
      beat.running && JSON.stringify(beat.running),
      Math.round(beat.rssBytes),
      beat.loopLagMs,
      beat.skewMs,
      beat.stopping,
      beat.facts ? JSON.stringify(beat.facts) : null,
    ],
  )
  if (!row) return null
  const { now, revoked, digest, dumps } = row
  return { nowMs: Number(now), revoked, digest, dumps: dumps === '' ? [] : dumps.split(',') }
}

export async function removeWorker(db: Queryable, id: string): Promise<void> {
  await db.query(`/* remove_worker */ delete from rowbeat.workers where id = $1::text`, [id])
}

/** What the code declares of a task; durations are seconds. */
export interface TaskRow {
  name: string
  queue: string | null
  priority: number | null
  attempts_max: number | null
  retry: unknown
  time_limit: number | null
  soft_time_limit: number | null
  retention: number | null
  ignore_result: boolean
  concurrency: number | null
  concurrency_strategy: string
  rate: string | null
  rate_burst: number | null
  /** JSON Schema of its input; null when it takes anything. */
  input_schema: unknown
}

/** Writes tasks as the code declares them; the newest process wins. Sorted, so that processes starting together do not deadlock. */
export async function registerTasks(db: Queryable, tasks: readonly TaskRow[]): Promise<void> {
  await db.query(
    `/* register_tasks */
insert into rowbeat.tasks as t (name, queue, priority, attempts_max, retry, time_limit, soft_time_limit, retention, ignore_result, concurrency, concurrency_strategy, rate,
  rate_burst, input_schema, seen_at)
select x.name, x.queue, x.priority, x.attempts_max, x.retry, x.time_limit, x.soft_time_limit, x.retention, x.ignore_result, x.concurrency,
  x.concurrency_strategy, x.rate, x.rate_burst, x.input_schema, now()
from jsonb_to_recordset($1::text::jsonb) as x(name text, queue text, priority smallint, attempts_max integer, retry jsonb, time_limit float8,
  soft_time_limit float8, retention float8, ignore_result boolean, concurrency integer, concurrency_strategy text, rate text, rate_burst integer,
  input_schema jsonb) order by x.name
on conflict (name) do update set queue = excluded.queue, priority = excluded.priority, attempts_max = excluded.attempts_max, retry = excluded.retry,
  time_limit = excluded.time_limit, soft_time_limit = excluded.soft_time_limit, retention = excluded.retention, ignore_result = excluded.ignore_result,
  concurrency = excluded.concurrency, concurrency_strategy = excluded.concurrency_strategy, rate = excluded.rate, rate_burst = excluded.rate_burst,
  input_schema = excluded.input_schema, seen_at = excluded.seen_at`,
    [JSON.stringify(tasks)],
  )
}

export async function registerQueues(db: Queryable, names: readonly string[]): Promise<void> {
  await db.query(
    `/* register_queues */ insert into rowbeat.queues (name) select n from jsonb_array_elements_text($1::text::jsonb) n order by n on conflict do nothing`,
    [JSON.stringify(names)],
  )
}

/** Which of these runs have an outcome that this worker stored: asked when the answer to a flush was lost. */
export async function findStored(
  db: Queryable,
  worker: string,
  runs: readonly string[],
): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>(
    `/* find_stored */
select id::text as id from rowbeat.results where id = any ($1::uuid[]) and worker = $2::text
union all select run_id::text from rowbeat.attempts where run_id = any ($1::uuid[]) and worker = $2::text and finished_at > now() - interval '10 minutes'
  and outcome in ('retry', 'snooze')`,
    [`{${runs.join(',')}}`, worker],
  )
  return new Set(rows.map((row) => row.id))
}

/** Says that workers look by themselves at these queues for `ms`, so that an enqueue need not ring. */
export async function keepHot(db: Queryable, queue: string, ms: number): Promise<void> {
  await db.query(
    `/* keep_hot */ update rowbeat.queues set hot_until = greatest(hot_until, clock_timestamp() + $2::float8 * interval '1 millisecond') where name = $1::text`,
    [queue, ms],
  )
}

/** A transaction's number that is higher than that of any which wrote something before. A snapshot's xmax is not: it leaves out those that are open. */
export async function noteHorizon(db: Queryable): Promise<bigint> {
  const [row] = await db.query<{ xid: string }>(`/* note_horizon */ select pg_current_xact_id()::text as xid`)
  return BigInt(row!.xid)
}

/** Whether the queue is cold, and the oldest transaction that is still open: all that began before a horizon are over once this is above it. */
export async function readHorizon(db: Queryable, queue: string): Promise<{ cold: boolean; xmin: bigint }> {
  const [row] = await db.query<{ cold: boolean; xmin: string }>(
    `/* read_horizon */ select coalesce((select hot_until <= clock_timestamp() from rowbeat.queues where name = $1::text), true) as cold,
       pg_snapshot_xmin(pg_current_snapshot())::text as xmin`,
    [queue],
  )
  return { cold: row!.cold, xmin: BigInt(row!.xmin) }
}

export interface ProgressRow {
  run: string
  current: number
  total: number | null
  meta: unknown
}

/** Writes the latest progress of runs and tells those who watch. */
export async function saveProgress(db: Queryable, rows: readonly ProgressRow[]): Promise<void> {
  await db.query(
    `/* save_progress */
with saved as (
  insert into rowbeat.progress as g (run_id, current, total, meta, at)
  select p.run, p.current, p.total, p.meta, clock_timestamp() from jsonb_to_recordset($1::text::jsonb) as p(run uuid, current float8, total float8, meta jsonb) order by p.run
  on conflict (run_id) do update set current = excluded.current, total = excluded.total, meta = excluded.meta, at = excluded.at returning run_id
)
select pg_notify('rowbeat_runs', case when count(*) > 100 then '*' else string_agg(run_id::text, ',') end) from saved having count(*) > 0`,
    [JSON.stringify(rows)],
  )
}

export interface LogRow {
  run: string
  at: number
  attempt: number
  level: string
  message: string
  data: unknown
}

export async function saveLogs(db: Queryable, rows: readonly LogRow[]): Promise<void> {
  await db.query(
    `/* save_logs */
insert into rowbeat.logs (run_id, at, attempt, level, message, data)
select l.run, to_timestamp(l.at / 1000), l.attempt, l.level, l.message, l.data
from jsonb_to_recordset($1::text::jsonb) as l(run uuid, at float8, attempt integer, level text, message text, data jsonb)`,
    [JSON.stringify(rows)],
  )
}

/** Leaves a trace of runs that a stopping worker gives back unfinished; they do not count as tries. */
export async function recordHandedBack(
  db: Queryable,
  worker: string,
  runs: readonly Listed[],
): Promise<void> {
  await db.query(
    `/* record_handed_back */
insert into rowbeat.attempts (run_id, attempt, outcome, worker, started_at, finished_at)
select r.id, r.attempt, 'handed_back', $2::text, r.started_at, clock_timestamp()
from jsonb_to_recordset($1::text::jsonb) as r(id uuid, attempt integer, started_at timestamptz)`,
    [JSON.stringify(runs), worker],
  )
}
