/**
 * What has finished in a stretch of time, counted: by slices for a chart, and by queue, task or worker with how long runs
 * waited and took. Results are stored in the order in which they finish, so a BRIN index on `finished_at` (drizzle/0011) finds a
 * stretch by its pages. Spans are counted in classes, each a tenth wider than the one before: a percentile that is read from
 * them is right to a twentieth, and nothing is sorted.
 */
import type { Queryable } from '../handle.ts'

export const STATS_KEYS = ['queue', 'task', 'worker'] as const
export type StatsKey = (typeof STATS_KEYS)[number]

/** How many there were of a slice and a key: by state and what they took, or by what they waited. */
export interface Count {
  /** Beginning of the slice, in seconds since 1970. */
  at: number
  key: string
  by: 'took' | 'waited'
  state: string | null
  /** Class of the span; null for what never started. */
  span: number | null
  n: number
}

/** Milliseconds in the middle of a class; there are ten to every factor of e. */
export function middleMs(index: number): number {
  return Math.exp(index / 10)
}

/** null for what has no beginning or no end. */
const CLASS = (from: string, to: string): string =>
  `case when ${from} is not null and ${to} is not null then round(10 * ln(greatest(date_part('epoch', ${to} - ${from}) * 1000, 1)))::integer end`

/** Counts of what finished from `since` up to `until`, in seconds since 1970, by slices of `step` seconds. */
export async function countFinished(
  db: Queryable,
  key: StatsKey,
  { since, until, step }: { since: number; until: number | null; step: number },
): Promise<Count[]> {
  return await db.query<Count>(
    `/* count_finished */
with f as (
  select floor(date_part('epoch', x.finished_at) / $2::float8) * $2::float8 as at, coalesce(x.${COLUMNS[key]}, '') as key, x.state,
    ${CLASS('x.started_at', 'x.finished_at')} as took, ${CLASS('x.run_at', 'x.started_at')} as waited
  from rowbeat.results x where x.finished_at >= to_timestamp($1::float8) and ($3::float8 is null or x.finished_at < to_timestamp($3::float8))
)
select f.at, f.key, case when grouping(f.waited) = 1 then 'took' else 'waited' end as by, f.state,
  case when grouping(f.waited) = 1 then f.took else f.waited end as span, count(*)::float8 as n
from f group by grouping sets ((f.at, f.key, f.state, f.took), (f.at, f.key, f.waited))`,
    [since, step, until],
  )
}

const COLUMNS: Readonly<Record<StatsKey, string>> = { queue: 'queue', task: 'task', worker: 'worker' }

/** To a millisecond. */
const MS = (seconds: string): string => `round((${seconds})::numeric, 3)::float8`

const MEASURES = (column: string): string => {
  const share = (part: number): string => MS(`percentile_cont(${part}) within group (order by ${column})`)
  return `json_build_object('mean', ${MS(`avg(${column})`)}, 'p50', ${share(0.5)}, 'p95', ${share(0.95)})`
}

/** Rows that are looked at for the figures of one task: its newest. */
export const TASK_SAMPLE = 20_000

/** Figures of one task, of its newest runs that were made from `since` on; the index on task and id lists them. */
export interface TaskFigures {
  finished: number
  succeeded: number
  failed: number
  revoked: number
  /** Seconds. */
  duration: { mean: number | null; p50: number | null; p95: number | null }
  wait: { mean: number | null; p50: number | null; p95: number | null }
}

export async function readTaskFigures(db: Queryable, task: string, since: number): Promise<TaskFigures> {
  const [row] = await db.query<{ figures: string }>(
    `/* read_task_figures */
with f as (
  select x.state, date_part('epoch', x.finished_at - x.started_at) as took, date_part('epoch', x.started_at - x.run_at) as waited
  from rowbeat.results x where x.task = $1::text and x.id >= rowbeat.uuid7_floor_v1(to_timestamp($2::float8)) order by x.id desc limit ${TASK_SAMPLE}
)
select json_build_object('finished', count(*), 'succeeded', count(*) filter (where f.state = 'SUCCESS'), 'failed', count(*) filter (where f.state = 'FAILURE'),
  'revoked', count(*) filter (where f.state = 'REVOKED'),
  'duration', ${MEASURES('f.took')},
  'wait', ${MEASURES('f.waited')})::text as figures
from f`,
    [task, since],
  )
  return JSON.parse(row!.figures) as TaskFigures
}
