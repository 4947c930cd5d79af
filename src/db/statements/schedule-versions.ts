/**
 * Statements over what a schedule was and what it would do (drizzle/0016): its versions, told from the audit log; going back to
 * one of them, column by column inside the database, so that a number too large for JavaScript comes back as it was; a firing
 * that is only rehearsed; and the soonest and the latest of many schedules at once.
 */
import type { Queryable } from '../handle.ts'
import { SCHEDULE_COLUMNS } from './schedule-edits.ts'
import { FIRING_JSON, SCHEDULE_JSON } from './schedules.ts'

export interface VersionRow {
  version: number
  /** RFC 3339; null where the log does not reach back so far, as are the rest. */
  at: string | null
  action: string | null
  actor: string | null
  actor_kind: 'key' | 'user' | 'process' | 'database' | null
  via: 'rest' | 'cli' | 'panel' | 'sql' | null
  reason: string | null
  /** Columns that its edit changed; null of the first. */
  changed: string[] | null
}

/** Versions below this one, latest first: who made each, and the schedule as it was, as JSON text. */
export async function listVersions(
  db: Queryable,
  id: string,
  { below, limit }: { below: number | null; limit: number },
): Promise<{ made: VersionRow; schedule: string }[]> {
  const rows = await db.query<{ made: string; schedule: string }>(
    `/* list_versions */ select json_build_object('version', v.number, 'at', rowbeat.told_v1(v.at), 'action', v.action, 'actor', v.actor, 'actor_kind', v.actor_kind,
  'via', v.via, 'reason', v.reason, 'changed', v.changed)::text as made, ${SCHEDULE_JSON} as schedule
from rowbeat.schedule_versions_v1($1::uuid, $2::integer, $3::integer) v cross join lateral (select (v.schedule).*) s order by v.number desc`,
    [id, below, limit],
  )
  return rows.map(({ made, schedule }) => ({ made: JSON.parse(made) as VersionRow, schedule }))
}

/** What a person wrote of it, as it was at `target`; whether it is switched on stays. null: it is not at this version any more, or never was at the other. */
export async function restoreVersion(
  db: Queryable,
  id: string,
  version: number,
  target: number,
): Promise<string | null> {
  const set = SCHEDULE_COLUMNS.filter((name) => name !== 'enabled').map(
    (name) => `${name} = (v.schedule).${name}`,
  )
  const [row] = await db.query<{ schedule: string }>(
    `/* restore_version */ update rowbeat.schedules s set ${set.join(', ')}
from rowbeat.schedule_versions_v1($1::uuid, $3::integer + 1, 1) v
where s.id = $1::uuid and s.version = $2::integer and v.number = $3::integer returning ${SCHEDULE_JSON} as schedule`,
    [id, version, target],
  )
  return row?.schedule ?? null
}

/** Enqueues what a firing at `due` (RFC 3339) would, and tells the run and what of the schedule has not ended. For a transaction that is rolled back. */
export async function rehearseSchedule(
  db: Queryable,
  id: string,
  due: string,
): Promise<{ run: string; live: string[] }> {
  const [row] = await db.query<{ run: string; live: string }>(
    `/* rehearse_schedule */ select run, to_json(live)::text as live from rowbeat.rehearse_schedule_v1($1::uuid, $2::text::timestamptz)`,
    [id, due],
  )
  return { run: row!.run, live: JSON.parse(row!.live) as string[] }
}

/** Schedules that may fire before `until` (RFC 3339), soonest first; those no beat has armed yet come before. */
export async function listSoonest(db: Queryable, until: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ schedule: string }>(
    `/* list_soonest */ select ${SCHEDULE_JSON} as schedule from rowbeat.schedules s
where s.enabled and s.error is null and (s.next_run_at is null or s.next_run_at < $1::text::timestamptz) order by s.next_run_at nulls first, s.id limit $2::integer`,
    [until, limit],
  )
  return rows.map((row) => row.schedule)
}

/** The latest firings of each of these schedules, and what became of their runs, as JSON text; by index in every place. */
export async function listRecentFirings(
  db: Queryable,
  ids: readonly string[],
  count: number,
): Promise<string[]> {
  const rows = await db.query<{ firing: string }>(
    `/* list_recent_firings */ select (${FIRING_JSON}::jsonb || jsonb_build_object(
  'run_state', coalesce(r.state, case when f.run_id is not null and rowbeat.is_live_v1(f.run_id) then 'PENDING' end), 'run_seconds', r.seconds))::text as firing
from unnest($1::text::uuid[]) i(id)
cross join lateral (select * from rowbeat.firings x where x.schedule_id = i.id order by x.due_at desc limit $2::integer) f
left join lateral (select x.state, extract(epoch from x.finished_at - x.started_at)::float8 as seconds from rowbeat.results x where x.id = f.run_id) r on true
order by f.schedule_id, f.due_at desc`,
    [`{${ids.join(',')}}`, count],
  )
  return rows.map((row) => row.firing)
}
