/**
 * Statements of failures in groups (drizzle/0015): counting what failed since the last look, and reading the groups of a period.
 */
import type { Queryable } from '../handle.ts'

const instant = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** What failures have in common, and the latest of them. */
export interface FailureGroup {
  /** The same for the same task, error and place; also a term of a search, as in `failure:07f084e13b478401`. */
  fingerprint: string
  task: string
  /** Of the error. */
  name: string
  code: string | null
  /** Where it was thrown, as in `parseRow (src/csv.ts)`; empty when the error has no stack. */
  frame: string
  /** Of the latest. */
  message: string
  /** The latest, which may have been deleted since. */
  run_id: string
  first_at: string
  last_at: string
}

export interface CountedGroup extends FailureGroup {
  /** In the period. */
  count: number
  /** Number of the slice, from 0 -> how many failed in it. */
  slices: Readonly<Record<string, number>>
}

export interface FailurePeriod {
  /** Seconds since 1970, and of a slice: a multiple of ten minutes, as what is counted is. */
  since: number
  step: number
}

/** False when it is not this process's turn. */
export async function countFailures(db: Queryable, everyMs: number): Promise<boolean> {
  const [row] = await db.query<{ counted: boolean }>(
    `/* count_failures */ select rowbeat.count_failures_v1($1::float8 * interval '1 millisecond') as counted`,
    [everyMs],
  )
  return row!.counted
}

export async function cleanFailures(db: Queryable, days: number): Promise<void> {
  await db.query(`/* clean_failures */ select rowbeat.clean_failures_v1($1::integer * interval '1 day')`, [
    days,
  ])
}

/** Up to when failures have been counted. */
export async function readFailuresUntil(db: Queryable): Promise<string> {
  const [row] = await db.query<{ at: string }>(
    `/* read_failures_until */ select ${instant('r.until_at')} as at from rowbeat.failures_read r`,
  )
  return row!.at
}

/** Groups of a period, the largest first. */
export async function listFailures(
  db: Queryable,
  { since, step }: FailurePeriod,
  { task, limit }: { task?: string; limit: number },
): Promise<CountedGroup[]> {
  const rows = await db.query<{ group: string }>(
    `/* list_failures */
with c as materialized (
  select x.fingerprint, floor((date_part('epoch', x.at) - $1::float8) / $2::float8)::integer as slice, sum(x.n)::integer as n
  from rowbeat.failure_counts x where x.at >= to_timestamp($1::float8) group by 1, 2
), top as (
  select g.*, t.n from (select c.fingerprint, sum(c.n)::integer as n from c group by 1) t join rowbeat.failure_groups g on g.fingerprint = t.fingerprint
  where $3::text is null or g.task = $3::text order by t.n desc, g.last_at desc limit $4::integer
), s as (
  select c.fingerprint, json_object_agg(c.slice, c.n) as slices from c where c.fingerprint in (select fingerprint from top) group by 1
)
select json_build_object('fingerprint', t.fingerprint, 'task', t.task, 'name', t.name, 'code', t.code, 'frame', t.frame, 'message', t.message, 'run_id', t.run_id,
  'first_at', ${instant('t.first_at')}, 'last_at', ${instant('t.last_at')}, 'count', t.n, 'slices', s.slices)::text as "group"
from top t join s on s.fingerprint = t.fingerprint order by t.n desc, t.last_at desc`,
    [since, step, task ?? null, limit],
  )
  return rows.map(({ group }) => JSON.parse(group) as CountedGroup)
}
