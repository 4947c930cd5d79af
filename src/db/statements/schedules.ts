/**
 * Statements that read schedules and their firings. A schedule comes as JSON text, made here and nowhere else: the columns
 * that REST answers, in their order, durations as seconds, instants in RFC 3339 UTC with milliseconds. Clients parse
 * timestamps and intervals each in their own way; text they all leave alone.
 */
import type { Parameter, Queryable } from '../handle.ts'

/** What a schedule has for whoever reads it; `since_at` and the like are the beat's own. */
const COLUMNS = [
  'id name task input schedule kind enabled queue priority tags headers expires one_off start_at end_at jitter',
  'overlap catch_up catch_up_window firings_max pause_reason resume_at failures_max failures origin edited_at version',
  'anchor_at next_run_at last_run_at firings_total error description created_at updated_at',
].flatMap((line) => line.split(' '))
const SPANS = ['expires', 'jitter', 'catch_up_window']

export const instant = (column: string, digits = 'MS'): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.${digits}"Z"')`
const seconds = (column: string): string => `extract(epoch from ${column})::float8`

/** JSON text of the schedule `s`. */
export const SCHEDULE_JSON = `json_build_object(${COLUMNS.map((name) => {
  const column = `s.${name}`
  const value = SPANS.includes(name) ? seconds(column) : name.endsWith('_at') ? instant(column) : column
  return `'${name}', ${value}`
}).join(', ')})::text`

/** JSON text of the firing `f`. */
export const FIRING_JSON = `json_build_object('schedule_id', f.schedule_id, 'due_at', ${instant('f.due_at')}, 'state', f.state, 'reason', f.reason, 'run_id', f.run_id,
  'fired_at', ${instant('f.fired_at')}, 'lateness', ${seconds('f.lateness')}, 'version', f.version, 'count', f.count, 'until_at', ${instant('f.until_at')})::text`

/** The database's clock. */
export async function readClock(db: Queryable): Promise<number> {
  const [row] = await db.query<{ now: number }>(
    `/* read_clock */ select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
  )
  return row!.now
}

/** The schedule with this id and the database's clock; null when there is none. */
export async function readSchedule(
  db: Queryable,
  id: string,
): Promise<{ schedule: string; nowMs: number } | null> {
  const [row] = await db.query<{ schedule: string; nowMs: number }>(
    `/* read_schedule */ select ${SCHEDULE_JSON} as schedule, floor(extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"
from rowbeat.schedules s where s.id = $1::uuid`,
    [id],
  )
  return row ?? null
}

/** The id of the schedule that is named so, or null. */
export async function findScheduleId(db: Queryable, name: string): Promise<string | null> {
  const [row] = await db.query<{ id: string }>(
    `/* find_schedule_id */ select id::text as id from rowbeat.schedules where name = $1::text`,
    [name],
  )
  return row?.id ?? null
}

export interface ScheduleFilter {
  name?: string
  /** Part of a name or of a task's, in any case. */
  search?: string
  task?: string
  queue?: string
  kind?: 'crontab' | 'interval' | 'solar' | 'clocked'
  origin?: 'user' | 'code'
  tag?: string
  enabled?: boolean
  /** true: only those that cannot fire, and say why. */
  error?: boolean
}

export interface SchedulePlace {
  /** newest: by id, downwards; name: by name, upwards. Both are indexes. */
  order: 'newest' | 'name'
  /** The id or name of the last one of the page before. */
  after?: string
  limit: number
}

/** Schedules that pass the filter, at most `limit`. A filter that no index serves looks through the table, which is small. */
export async function listSchedules(
  db: Queryable,
  filter: ScheduleFilter,
  { order, after, limit }: SchedulePlace,
): Promise<string[]> {
  const parameters: Parameter[] = []
  const bind = (value: Parameter): string => `$${parameters.push(value)}`
  const conditions = conditionsOf(filter, bind)
  if (after !== undefined)
    conditions.push(order === 'name' ? `s.name > ${bind(after)}::text` : `s.id < ${bind(after)}::uuid`)
  const rows = await db.query<{ schedule: string }>(
    `/* list_schedules */ select ${SCHEDULE_JSON} as schedule from rowbeat.schedules s${whereAll(conditions)}
order by ${order === 'name' ? 's.name' : 's.id desc'} limit ${bind(limit)}::integer`,
    parameters,
  )
  return rows.map((row) => row.schedule)
}

function conditionsOf(
  { enabled, error, tag, search, ...texts }: ScheduleFilter,
  bind: (value: Parameter) => string,
): string[] {
  const conditions = Object.entries(texts)
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => `s.${column} = ${bind(value)}::text`)
  if (enabled !== undefined) conditions.push(`s.enabled = ${bind(enabled)}::boolean`)
  if (search !== undefined)
    conditions.push(`strpos(lower(s.name || ' ' || s.task), lower(${bind(search)}::text)) > 0`)
  if (tag !== undefined) conditions.push(`s.tags @> array[${bind(tag)}::text]`)
  if (error !== undefined) conditions.push(`s.error is ${error ? 'not null' : 'null'}`)
  return conditions
}

export interface FiringQuery {
  states?: readonly string[]
  /** Only instants before this one, as `place` of a firing says it. */
  before?: string
  limit: number
}

/** Firings of a schedule, latest due instant first, by the primary key; `place` is where the next page goes on. */
export async function listFirings(
  db: Queryable,
  id: string,
  { states, before, limit }: FiringQuery,
): Promise<{ firing: string; place: string }[]> {
  return await db.query<{ firing: string; place: string }>(
    `/* list_firings */ select ${FIRING_JSON} as firing, ${instant('f.due_at', 'US')} as place
from rowbeat.firings f
where f.schedule_id = $1::uuid and f.due_at < coalesce($2::text::timestamptz, 'infinity') and ($3::text is null or f.state = any (string_to_array($3::text, ',')))
order by f.due_at desc limit $4::integer`,
    [id, before ?? null, states?.join(',') ?? null, limit],
  )
}

/** Which of these instants (RFC 3339) the schedule has fired, as it answers them. */
export async function findFired(db: Queryable, id: string, instants: readonly string[]): Promise<string[]> {
  const rows = await db.query<{ at: string }>(
    `/* find_fired */ select ${instant('f.due_at')} as at from rowbeat.firings f
where f.schedule_id = $1::uuid and f.due_at = any ($2::text::timestamptz[]) and f.state = 'fired'`,
    [id, `{${instants.join(',')}}`],
  )
  return rows.map((row) => row.at)
}

/** Schedules that code once declared and is not among `names`. */
export async function listOrphans(db: Queryable, names: readonly string[]): Promise<string[]> {
  const rows = await db.query<{ schedule: string }>(
    `/* list_orphans */ select ${SCHEDULE_JSON} as schedule from rowbeat.schedules s
where s.origin = 'code' and s.name <> all (array(select jsonb_array_elements_text($1::text::jsonb))) order by s.name`,
    [JSON.stringify(names)],
  )
  return rows.map((row) => row.schedule)
}

function whereAll(conditions: readonly string[]): string {
  return conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''
}
