/**
 * How runs end: the finish statement, and the last resort for an outcome that it refuses. The claimed job row is the
 * lease, and this is the only place of the project that deletes one for having run.
 */
import type { Queryable } from '../handle.ts'

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
  /** It passed a limit: its permits come free. */
  gated?: boolean
  /** A row of rowbeat.attempts to leave: retry, failed, snooze, lost. */
  outcome?: string
}

export interface Finished {
  /** Jobs that were ours; the others had been given away, or were stored by a call whose answer was lost. */
  readonly ours: readonly string[]
  /** Those of them that were to be tried again, but had been revoked in the meantime: they ended as REVOKED. */
  readonly revoked: readonly string[]
}

/**
 * The finish statement: for every outcome whose lease is still held, the job row goes and the result (or the parked
 * run) comes, in one statement. Reaches the jobs by primary key first and joins the outcomes after, which is 1.3 times
 * as fast as joining at once.
 */
export async function finishRuns(
  db: Queryable,
  worker: string,
  pools: readonly string[],
  rows: readonly FinishRow[],
): Promise<Finished> {
  const [row] = await db.query<{ jobs: string | null; revoked?: string | null }>(
    rows.every(isPlain) ? FINISH_RUNS : FINISH_AND_PARK,
    [
      JSON.stringify(rows.map(toTuple)),
      `{${rows.map((r) => r.job).join(',')}}`,
      `{${rows.map((r) => (BigInt(r.job) * 32768n + BigInt(r.claims)).toString()).join(',')}}`,
      `{${pools.map((pool) => `"${pool}"`).join(',')}}`,
      worker,
    ],
  )
  return { ours: row?.jobs?.split(',') ?? [], revoked: row?.revoked?.split(',') ?? [] }
}

/** Most batches only end runs: without the parts that park, note tries, clear progress and free permits the statement is a tenth cheaper. */
function isPlain({ state, outcome, progress, gated }: FinishRow): boolean {
  return state !== 'PARK' && outcome === undefined && progress === undefined && !gated
}

/** Arrays, not objects: parsing 500 objects of named columns took Postgres as long as storing them. */
function toTuple({ job, state, started, attempt, allowed, keep, result, ...rest }: FinishRow): unknown[] {
  const { claims: _, gated: __, ...extra } = rest
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

/** What differs where runs may be parked: each part is SQL. */
interface Parts {
  name: string
  /** Columns of the outcome `o`, and what else is joined to it. */
  outcome: string
  joined: string
  beside: string
  told: string
}

const finishText = ({ name, outcome, joined, beside, told }: Parts): string => `/* ${name} */
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
  select d.id, d.key::uuid as run, t.identifier, d.priority, d.created_at, d.run_at, x.p, ${outcome}
  from done d join o on o.job = d.id join rowbeat_queue._private_tasks t on t.id = d.task_id${joined} cross join lateral (select d.payload::jsonb as p offset 0) x
), stored as (
  insert into rowbeat.results (id, task, queue, state, reason, priority, input, result, error, progress, attempt, attempts_max, redeliveries, worker,
    created_at, run_at, started_at, finished_at, expires_at, time_limit, soft_time_limit, unique_key, tags, headers, parent, retry_of, schedule, due_at, options, keep_until)
  select e.run, substr(e.identifier, strpos(e.identifier, ':') + 1), split_part(e.identifier, ':', 1), e.state, e.reason, e.priority, e.p->'input',
    case when (e.p->'ignore_result')::boolean then null else e.result end, e.error, e.progress, e.attempt, e.allowed,
    coalesce((e.patch->>'redeliveries')::integer, (e.p->>'redeliveries')::integer, 0), $5::text, e.created_at, e.run_at, to_timestamp(e.started / 1000), clock_timestamp(),
    (e.p->>'expires_at')::timestamptz, (e.p->>'time_limit')::float8, (e.p->>'soft_time_limit')::float8, e.p->>'unique_key',
    case when jsonb_typeof(e.p->'tags') = 'array' then array(select jsonb_array_elements_text(e.p->'tags')) end, e.p->'headers', (e.p->>'parent')::uuid,
    (e.p->>'retry_of')::uuid, e.p->>'schedule', (e.p->>'due_at')::timestamptz, rowbeat.kept_options_v1(e.p),
    clock_timestamp() + coalesce((e.p->>'retention')::float8, e.keep, 2592000) * interval '1 second'
  from ended e where e.state <> 'PARK'
${beside}), told as (
  select pg_notify('rowbeat_runs', case when count(*) > 100 then '*' else string_agg(key, ',') end) from done having count(*) > 0
)
select string_agg(d.id::text, ',') as jobs${told} from done d where (select count(*) from told) >= 0`

const BESIDE = `), parked as (
  insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
  select e.run, e.reason, clock_timestamp() + e.delay * interval '1 second', substr(e.identifier, strpos(e.identifier, ':') + 1),
    split_part(e.identifier, ':', 1), e.priority, (e.p || coalesce(e.patch, '{}'))::text::json, e.created_at
  from ended e where e.state = 'PARK'
), tried as (
  insert into rowbeat.attempts (run_id, attempt, outcome, worker, started_at, finished_at, error, retry_at)
  select e.run, e.attempt, e.outcome, $5::text, to_timestamp(e.started / 1000), clock_timestamp(), e.error, clock_timestamp() + e.delay * interval '1 second'
  from ended e where e.outcome is not null
), freed as (
  delete from rowbeat.permits x using done d where x.run_id = d.key::uuid returning x.gate
), knocked as (
  insert into rowbeat.knocks (gate) select distinct gate from freed
), reported as (
  delete from rowbeat.progress g using ended e where e.progress is not null and e.state <> 'PARK' and g.run_id = e.run
`
const FINISH_RUNS = finishText({ name: 'finish_runs', outcome: 'o.*', joined: '', beside: '', told: '' })

/** A revocation lets no try be parked for another. One that is committed while this statement runs finds the run parked, and ends it there. */
const FINISH_AND_PARK = finishText({
  name: 'finish_and_park_runs',
  outcome: `v.run_id is not null as stopped, o.job, o.started, o.attempt, o.allowed, o.keep, o.result, o.progress, o.delay, o.patch,
    case when v.run_id is null then o.state else 'REVOKED' end as state, case when v.run_id is null then o.reason else 'revoked' end as reason,
    case when v.run_id is null then o.error else rowbeat.revoked_error_v1(v.reason, o.error) end as error, case when v.run_id is null then o.outcome end as outcome`,
  joined: ` left join rowbeat.revocations v on o.state = 'PARK' and v.run_id = d.key::uuid and d.created_at <= v.at`,
  beside: BESIDE,
  told: `, (select string_agg(e.id::text, ',') from ended e where e.stopped) as revoked`,
})

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
