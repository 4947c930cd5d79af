/**
 * Firings of all schedules together. Their key begins with the schedule, and what orders all of them by time is a BRIN of due_at, which
 * finds a stretch and no order: so the look is at one stretch at a time (control/firings.ts), each sorted by itself.
 */
import type { Queryable } from '../handle.ts'
import { FIRING_JSON, instant } from './schedules.ts'

export interface FiringFilter {
  states?: readonly string[]
  /** The schedule's name. */
  schedule?: string
  task?: string
}

export interface Stretch {
  /** Milliseconds since 1970; null: from the first there is. */
  fromMs: number | null
  /** Before this place, which is an instant to the microsecond and the schedule's id. */
  before: FiringPlace
}

export interface FiringPlace {
  at: string
  schedule: string
}

export interface FeedRow {
  firing: string
  schedule: string | null
  task: string | null
  at: string
}

const ROW = `${FIRING_JSON} as firing, s.name as schedule, s.task as task, ${instant('f.due_at', 'US')} as at`

/** Those of one stretch, latest first. */
export async function listFiringFeed(
  db: Queryable,
  { states, schedule, task }: FiringFilter,
  { fromMs, before }: Stretch,
  limit: number,
): Promise<FeedRow[]> {
  return await db.query<FeedRow>(
    `/* list_firing_feed */ select ${ROW}
from rowbeat.firings f left join rowbeat.schedules s on s.id = f.schedule_id
where f.due_at <= $1::text::timestamptz and (f.due_at, f.schedule_id) < ($1::text::timestamptz, $2::uuid)
  and f.due_at >= coalesce(to_timestamp($3::float8 / 1000), '-infinity')
  and ($4::text is null or f.state = any (string_to_array($4::text, ','))) and ($5::text is null or s.task = $5::text)
  and ($6::text is null or f.schedule_id = (select n.id from rowbeat.schedules n where n.name = $6::text))
order by f.due_at desc, f.schedule_id desc limit $7::integer`,
    [before.at, before.schedule, fromMs, states?.join(',') ?? null, task ?? null, schedule ?? null, limit],
  )
}

/** The one of this schedule in this millisecond. */
export async function readFiring(db: Queryable, schedule: string, dueMs: number): Promise<FeedRow | null> {
  const [row] = await db.query<FeedRow>(
    `/* read_firing */ select ${ROW}
from rowbeat.firings f left join rowbeat.schedules s on s.id = f.schedule_id
where f.schedule_id = $1::uuid and f.due_at >= to_timestamp($2::float8 / 1000) and f.due_at < to_timestamp($2::float8 / 1000) + interval '1 millisecond'
order by f.due_at limit 1`,
    [schedule, dueMs],
  )
  return row ?? null
}
