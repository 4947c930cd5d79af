/**
 * What finished, counted once and kept (drizzle/0014): minutes, half hours and days by queue, task and worker. `rollUp` counts
 * what is new; `readRollups` adds up stretches of them. Which rows serve a stretch best is chosen by control/stats-cover.ts.
 */
import type { Queryable } from '../handle.ts'
import type { StatsKey } from './stats.ts'

/** Seconds of a row. */
export type RollupStep = 60 | 1800 | 86_400

/** Up to when each kind of rows holds all that finished, in seconds since 1970; -Infinity before the first count. */
export type Rolled = Readonly<Record<RollupStep, number>>

/** Rows of a kind that begin in this stretch of time. */
export interface Stretch {
  step: RollupStep
  since: number
  until: number
}

export interface RollupFigures {
  /** Beginning of a slice, in seconds since 1970, and what ended in it: succeeded, failed, revoked. */
  slices: [at: number, succeeded: number, failed: number, revoked: number][]
  groups: {
    name: string
    succeeded: number
    failed: number
    revoked: number
    /** Classes of spans and how many are in each; see `middleMs`. */
    took: [span: number, n: number][]
    waited: [span: number, n: number][]
  }[]
}

/**
 * Counts what finished in the next `spanSeconds` after the last count, unless that was less than `everyMs` ago. Answers how many
 * seconds are left to be counted; null when somebody else is at it.
 */
export async function rollUp(db: Queryable, spanSeconds: number, everyMs: number): Promise<number | null> {
  const [row] = await db.query<{ behind: number | null }>(
    `/* roll_up */ select rowbeat.roll_up_v1($1::float8 * interval '1 second', $2::float8 * interval '1 millisecond') as behind`,
    [spanSeconds, everyMs],
  )
  return row!.behind
}

export async function readRolled(db: Queryable): Promise<Rolled> {
  const [row] = await db.query<{ minutes: number; halves: number; days: number }>(
    `/* read_rolled */ select date_part('epoch', r.done_at) as minutes, date_part('epoch', r.half_at) as halves, date_part('epoch', r.day_at) as days from rowbeat.rolled r`,
  )
  return { 60: row!.minutes, 1800: row!.halves, 86400: row!.days }
}

/** A stretch at a time, by the primary key: the planner cannot know how few rows that is. */
const rowsOf = (stretches: string): string => `
  select r.* from unnest((${stretches}->>'steps')::integer[], (${stretches}->>'since')::float8[], (${stretches}->>'until')::float8[]) p(step, since, until)
  cross join lateral (select * from rowbeat.rollups y where y.step = p.step and y.by = $1::text and y.at >= to_timestamp(p.since) and y.at < to_timestamp(p.until) offset 0) r`

/** Slices of `step` seconds from some stretches, the busiest `most` groups from others. */
export async function readRollups(
  db: Queryable,
  by: StatsKey,
  { step, slices, groups, most }: { step: number; slices: Stretch[]; groups: Stretch[]; most: number },
): Promise<RollupFigures> {
  const [row] = await db.query<{ figures: string }>(
    `/* read_rollups */
with q as (select $2::text::json as slices, $3::text::json as groups),
s as (
  select floor(date_part('epoch', r.at) / $4::float8) * $4::float8 as at, sum(r.succeeded)::float8 as succeeded, sum(r.failed)::float8 as failed, sum(r.revoked)::float8 as revoked
  from q cross join lateral (${rowsOf('q.slices')}) r group by 1
), r as materialized (select r.* from q cross join lateral (${rowsOf('q.groups')}) r),
g as (
  select r.name, sum(r.succeeded)::float8 as succeeded, sum(r.failed)::float8 as failed, sum(r.revoked)::float8 as revoked
  from r group by r.name order by sum(r.succeeded + r.failed + r.revoked) desc, r.name limit $5::integer
), c as (
  select x.name, x.kind, json_agg(json_build_array(x.class, x.n)) as classes from (
    select r.name, k.kind, v & 255 as class, sum(v >> 8)::float8 as n
    from r join g using (name) cross join lateral (values ('took', r.took), ('waited', r.waited)) k(kind, classes) cross join lateral unnest(k.classes) v
    group by 1, 2, 3) x group by 1, 2
)
select json_build_object('slices', (select coalesce(json_agg(json_build_array(s.at, s.succeeded, s.failed, s.revoked)), '[]') from s),
  'groups', (select coalesce(json_agg(json_build_object('name', g.name, 'succeeded', g.succeeded, 'failed', g.failed, 'revoked', g.revoked,
    'took', coalesce((select c.classes from c where c.name = g.name and c.kind = 'took'), '[]'),
    'waited', coalesce((select c.classes from c where c.name = g.name and c.kind = 'waited'), '[]'))), '[]') from g))::text as figures`,
    [by, arraysOf(slices), arraysOf(groups), step, most],
  )
  return JSON.parse(row!.figures) as RollupFigures
}

function arraysOf(stretches: readonly Stretch[]): string {
  const list = (key: keyof Stretch): string => `{${stretches.map((stretch) => stretch[key]).join(',')}}`
  return JSON.stringify({ steps: list('step'), since: list('since'), until: list('until') })
}
