/**
 * Statements that change schedules. Each is one statement, and each is made for a version and changes the row only if it
 * still has it: of two editors at the same moment one finds no row, and is told. The triggers of the table do the rest
 * (the version, what an edit of the timing means, the notice to beats); a beat's own writes leave the version alone.
 *
 * A definition travels as one JSON object; here is how each column is read from it.
 */
import type { Queryable } from '../handle.ts'
import { SCHEDULE_JSON } from './schedules.ts'

type Read = (d: string, key: string) => string
const text: Read = (d, key) => `${d}->>'${key}'`
const json: Read = (d, key) => `${d}->'${key}'`
const as =
  (type: string): Read =>
  (d, key) =>
    `(${d}->>'${key}')::${type}`
const span: Read = (d, key) => `(${d}->>'${key}')::float8 * interval '1 second'`

/** Every column that a definition has. */
const COLUMNS: Readonly<Record<string, Read>> = {
  name: text,
  task: text,
  input: json,
  schedule: json,
  enabled: as('boolean'),
  queue: text,
  priority: as('smallint'),
  tags: (d, key) => `array(select jsonb_array_elements_text(${d}->'${key}'))`,
  headers: json,
  expires: span,
  one_off: as('boolean'),
  start_at: as('timestamptz'),
  end_at: as('timestamptz'),
  jitter: span,
  overlap: text,
  catch_up: text,
  catch_up_window: span,
  firings_max: as('integer'),
  failures_max: as('integer'),
  anchor_at: as('timestamptz'),
  description: text,
}
/** The names of those columns. */
export const SCHEDULE_COLUMNS: readonly string[] = Object.keys(COLUMNS)
const LIST = SCHEDULE_COLUMNS.join(', ')

/** An anchor that is not given stays what it was. */
function assign(name: string, d: string): string {
  const value = COLUMNS[name]!(d, name)
  return name === 'anchor_at' ? `${name} = coalesce(${value}, s.${name})` : `${name} = ${value}`
}
const assignAll = (d: string): string => SCHEDULE_COLUMNS.map((name) => assign(name, d)).join(', ')
const readAll = (d: string): string => SCHEDULE_COLUMNS.map((name) => COLUMNS[name]!(d, name)).join(', ')

/** Writes of code: they leave `edited_at` as it is. The setting ends with the statement. */
const AS_CODE = `select set_config('rowbeat.writer', 'code', true)`
const AS_ANYBODY = `set_config('rowbeat.writer', '', true) is not null`

/** `definition` is whole. Answers the schedule as JSON text. */
export async function insertSchedule(db: Queryable, definition: object): Promise<string> {
  const [row] = await db.query<{ schedule: string }>(
    `/* insert_schedule */ insert into rowbeat.schedules as s (${LIST}) select ${readAll('x.d')} from (select $1::text::jsonb as d) x
returning ${SCHEDULE_JSON} as schedule`,
    [JSON.stringify(definition)],
  )
  return row!.schedule
}

/** Changes what `changes` names and nothing else. null: no schedule with this id and version. */
export async function updateSchedule(
  db: Queryable,
  id: string,
  version: number,
  changes: object,
): Promise<string | null> {
  const given = SCHEDULE_COLUMNS.filter((name) => Object.hasOwn(changes, name))
  // An update that sets nothing is none in SQL; the version then says whether there is such a row.
  const set = given.length > 0 ? given.map((name) => assign(name, 'x.d')).join(', ') : 'version = s.version'
  const [row] = await db.query<{ schedule: string }>(
    `/* update_schedule */ update rowbeat.schedules s set ${set} from (select $3::text::jsonb as d) x
where s.id = $1::uuid and s.version = $2::integer returning ${SCHEDULE_JSON} as schedule`,
    [id, version, JSON.stringify(changes)],
  )
  return row?.schedule ?? null
}

/** Answers the schedule as it was, null when there is none of this id and version. */
export async function deleteSchedule(db: Queryable, id: string, version: number): Promise<string | null> {
  const [row] = await db.query<{ schedule: string }>(
    `/* delete_schedule */ delete from rowbeat.schedules s where s.id = $1::uuid and s.version = $2::integer
returning ${SCHEDULE_JSON} as schedule`,
    [id, version],
  )
  return row?.schedule ?? null
}

export interface Pause {
  reason: string | null
  /** RFC 3339, or seconds from now by the database's clock; null: until somebody resumes it. */
  until: string | number | null
}

export async function pauseSchedule(
  db: Queryable,
  id: string,
  version: number,
  { reason, until }: Pause,
): Promise<string | null> {
  const [row] = await db.query<{ schedule: string }>(
    `/* pause_schedule */ update rowbeat.schedules s set enabled = false, pause_reason = $3::text,
  resume_at = coalesce($4::text::timestamptz, clock_timestamp() + $5::float8 * interval '1 second')
where s.id = $1::uuid and s.version = $2::integer returning ${SCHEDULE_JSON} as schedule`,
    [id, version, reason, typeof until === 'string' ? until : null, typeof until === 'number' ? until : null],
  )
  return row?.schedule ?? null
}

export async function resumeSchedule(db: Queryable, id: string, version: number): Promise<string | null> {
  const [row] = await db.query<{ schedule: string }>(
    `/* resume_schedule */ update rowbeat.schedules s set enabled = true
where s.id = $1::uuid and s.version = $2::integer returning ${SCHEDULE_JSON} as schedule`,
    [id, version],
  )
  return row?.schedule ?? null
}

/** Gives a schedule back to the code that declared it, as it declared it last. null also when no code ever did. */
export async function revertSchedule(db: Queryable, id: string, version: number): Promise<string | null> {
  const [row] = await db.query<{ schedule: string }>(
    `/* revert_schedule */ with writer as (${AS_CODE}), reverted as (
  update rowbeat.schedules s set ${assignAll('s.declared')}, edited_at = null from writer
  where s.id = $1::uuid and s.declared is not null and s.version = $2::integer returning s.*
) select ${SCHEDULE_JSON} as schedule from reverted s where ${AS_ANYBODY}`,
    [id, version],
  )
  return row?.schedule ?? null
}

/** Enqueues a run as a firing would; `more` are fields of POST /v1/runs that win over the schedule's. Raises P0002. */
export async function runSchedule(
  db: Queryable,
  id: string,
  asOf: string | null,
  more: object,
): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `/* run_schedule */ select rowbeat.run_schedule_v1($1::uuid, $2::text::timestamptz, $3::text::jsonb)::text as id`,
    [id, asOf, JSON.stringify(more)],
  )
  return row!.id
}

/** Fires these instants (RFC 3339) where they were not; answers the runs it made. Raises P0002. */
export async function backfillSchedule(
  db: Queryable,
  id: string,
  instants: readonly string[],
): Promise<{ at: string; runId: string }[]> {
  return await db.query<{ at: string; runId: string }>(
    `/* backfill_schedule */ select to_char(due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, run_id::text as "runId"
from rowbeat.backfill_v1($1::uuid, $2::text::timestamptz[]) order by due_at`,
    [id, `{${instants.join(',')}}`],
  )
}

/** Which of these names stand. */
export async function findScheduleNames(db: Queryable, names: readonly string[]): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    `/* find_schedule_names */ select name from rowbeat.schedules where name = any (array(select jsonb_array_elements_text($1::text::jsonb)))`,
    [JSON.stringify(names)],
  )
  return rows.map((row) => row.name)
}

export type ImportOutcome = 'created' | 'replaced' | 'skipped'

/** Writes whole definitions, all or none. Those whose name stands are replaced, or skipped. */
export async function importSchedules(
  db: Queryable,
  definitions: readonly object[],
  replace: boolean,
): Promise<{ name: string; outcome: ImportOutcome }[]> {
  return await db.query<{ name: string; outcome: ImportOutcome }>(
    `/* import_schedules */ with given as materialized (
  select g.d, g.ordinal, exists (select from rowbeat.schedules s where s.name = g.d->>'name') as stands
  from jsonb_array_elements($1::text::jsonb) with ordinality g(d, ordinal)
), replaced as (
  update rowbeat.schedules s set ${assignAll('g.d')} from given g where $2::boolean and g.stands and s.name = g.d->>'name' returning s.name
), created as (
  insert into rowbeat.schedules (${LIST}) select ${readAll('g.d')} from given g where not g.stands returning name
)
select g.d->>'name' as name, case when not g.stands then 'created' when $2::boolean then 'replaced' else 'skipped' end as outcome
from given g order by g.ordinal`,
    [JSON.stringify(definitions), replace],
  )
}
