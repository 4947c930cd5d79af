/**
 * What a beat asks and tells. It reads rows, decides outside the database (time zones and crontab live in src/schedules),
 * and hands its decisions to a function that takes each row only if it is still as it was read: no lock and no
 * transaction outlives a statement, so a beat may be killed or frozen anywhere.
 *
 * Instants travel as epoch milliseconds one way and RFC 3339 text the other.
 */
import type { Queryable } from '../handle.ts'

export interface BeatFacts {
  rssBytes: number
  loopLagMs: number
  skewMs: number
}

/** What there is to do. */
export interface Prospect {
  /** false: this beat's row is gone from the registry. */
  known: boolean
  nowMs: number
  /** Milliseconds until the next due instant, negative when it has passed; null when there is none. */
  dueMs: number | null
  unarmed: boolean
  resumable: boolean
  buffered: boolean
  watched: boolean
}

/**
 * A sign of life, once a second at most, and a look at what there is to do: the only statement of an idle poll.
 */
export async function lookAhead(db: Queryable, id: string, facts: BeatFacts): Promise<Prospect> {
  const [row] = await db.query<{
    known: boolean
    now: number
    due: number | null
    unarmed: boolean
    resumable: boolean
    buffered: boolean
    watched: boolean
  }>(
    `/* look_ahead */
with alive as (
  update rowbeat.workers set seen_at = clock_timestamp(), rss_bytes = $2::bigint, loop_lag_ms = $3::float8, clock_skew_ms = $4::float8
  where id = $1::text and seen_at < clock_timestamp() - interval '800 milliseconds'
)
select exists (select from rowbeat.workers where id = $1::text) as known, p.* from rowbeat.prospect_v1() p`,
    [id, Math.round(facts.rssBytes), facts.loopLagMs, facts.skewMs],
  )
  const { now, due, ...rest } = row!
  return { ...rest, nowMs: now, dueMs: due }
}

/** The timing of a schedule. */
interface Timed {
  id: string
  version: number
  /** since_at, exactly as stored: it comes back with the decision. */
  since: string
  /** JSON text of the schedule object. */
  schedule: string
  anchorMs: number
  startMs: number | null
  endMs: number | null
}

export interface DueRow extends Timed {
  dueMs: number
  nowMs: number
  overlap: 'allow' | 'skip' | 'buffer_one' | 'cancel_other'
  catchUp: 'skip' | 'last' | 'all'
  windowMs: number | null
  oneOff: boolean
  /** Firings it may still have; null: no limit. */
  left: number | null
}

const TIMING = `s.id::text as id, s.version, to_json(s.since_at) #>> '{}' as since, s.schedule::text as schedule,
  floor(extract(epoch from s.anchor_at) * 1000)::float8 as "anchorMs",
  floor(extract(epoch from s.start_at) * 1000)::float8 as "startMs", floor(extract(epoch from s.end_at) * 1000)::float8 as "endMs"`

/**
 * Rows whose next instant has come, the longest due first, without the first `pass`. An index is not asked by
 * clock_timestamp(), which may differ from row to row.
 */
export async function readDue(db: Queryable, limit: number, pass = 0): Promise<DueRow[]> {
  return await db.query<DueRow>(
    `/* read_due */
select ${TIMING}, floor(extract(epoch from s.next_run_at) * 1000)::float8 as "dueMs", (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
  s.overlap, s.catch_up as "catchUp", (extract(epoch from s.catch_up_window) * 1000)::float8 as "windowMs", s.one_off as "oneOff",
  (s.firings_max - s.firings_total)::float8 as left
from rowbeat.schedules s where s.enabled and s.next_run_at <= statement_timestamp() order by s.next_run_at limit $1::integer offset $2::integer`,
    [limit, pass],
  )
}

export interface UnarmedRow extends Timed {
  sinceMs: number
  left: number | null
}

/** Rows that are new or were edited: their next instant is not known yet. */
export async function readUnarmed(db: Queryable, limit: number): Promise<UnarmedRow[]> {
  return await db.query<UnarmedRow>(
    `/* read_unarmed */
select ${TIMING}, floor(extract(epoch from s.since_at) * 1000)::float8 as "sinceMs",
  (s.firings_max - s.firings_total)::float8 as left
from rowbeat.schedules s where s.enabled and s.next_run_at is null and s.error is null order by s.id limit $1::integer`,
    [limit],
  )
}

/** What to do with a due row. Instants are RFC 3339. */
export interface Decision {
  id: string
  version: number
  since: string
  /** The next_run_at it was made for. */
  seen: string
  fire: string[]
  /** A stretch that is not fired; `count` null: more than anybody counts. */
  missed: { due_at: string; until_at: string; count: number | null; reason: 'catch_up' | 'window' } | null
  /** null: this was the last. */
  next: string | null
}

export interface Fired {
  /** Rows that were still as they were read, and in nobody else's hands. */
  taken: number
  fired: number
  skipped: number
}

/** Firings, their runs and the next instants, in one transaction. */
export async function fireSchedules(db: Queryable, decisions: readonly Decision[]): Promise<Fired> {
  const [row] = await db.query<Fired>(
    `/* fire_schedules */ select taken, fired, skipped from rowbeat.fire_v1($1::text::jsonb)`,
    [JSON.stringify(decisions)],
  )
  return row!
}

export interface Arming {
  id: string
  version: number
  since: string
  next: string | null
  error: string | null
}

/** Writes first instants, or why there is none; answers how many rows were still as they were read. */
export async function armSchedules(db: Queryable, armings: readonly Arming[]): Promise<number> {
  const [row] = await db.query<{ armed: number }>(
    `/* arm_schedules */ select rowbeat.arm_v1($1::text::jsonb) as armed`,
    [JSON.stringify(armings)],
  )
  return row!.armed
}

/** Marks a row that cannot be fired as it is; it waits for an edit. */
export async function markSchedule(db: Queryable, id: string, version: number, why: string): Promise<void> {
  await db.query(`/* mark_schedule */ select rowbeat.mark_schedule_v1($1::uuid, $2::integer, $3::text)`, [
    id,
    version,
    why,
  ])
}

/** Enables what was paused until now. */
export async function resumeSchedules(db: Queryable): Promise<number> {
  const rows = await db.query(
    `/* resume_schedules */
update rowbeat.schedules s set enabled = true
where s.id = any (array(select id from rowbeat.schedules where not enabled and resume_at <= statement_timestamp() limit 1000 for update skip locked)) returning 1 as one`,
  )
  return rows.length
}

/** Fires what overlap `buffer_one` kept back, where nothing is in its way any more. */
export async function fireBuffered(db: Queryable): Promise<number> {
  const [row] = await db.query<{ fired: number }>(
    `/* fire_buffered */ select rowbeat.fire_buffered_v1() as fired`,
  )
  return row!.fired
}

/** Pauses schedules whose last `failures_max` runs failed; answers how many. */
export async function pauseFailing(db: Queryable): Promise<number> {
  const [row] = await db.query<{ paused: number }>(
    `/* pause_failing */ select rowbeat.pause_failing_v1() as paused`,
  )
  return row!.paused
}

export type DeclarationOutcome = 'made' | 'updated' | 'unchanged' | 'edited' | 'taken'

/** Declares the schedules of the code; what became of each. */
export async function declareDefinitions(
  db: Queryable,
  definitions: readonly object[],
): Promise<{ name: string; outcome: DeclarationOutcome }[]> {
  return await db.query(
    `/* declare_schedules */ select name, outcome from rowbeat.declare_v1($1::text::jsonb)`,
    [JSON.stringify(definitions)],
  )
}
