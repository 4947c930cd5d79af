/**
 * Firings of all schedules together. Their key begins with the schedule, and what orders all of them by time is a BRIN of due_at, which
 * finds a stretch and no order: so the look is at one stretch at a time (control/firings.ts), each sorted by itself.
 */
import type { Parameter, Queryable } from '../handle.ts'
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

/** Those of one stretch, latest first. What is told of each is made of the page alone, not of all that were sorted. */
export async function listFiringFeed(
  db: Queryable,
  { states, schedule, task }: FiringFilter,
  { fromMs, before }: Stretch,
  limit: number,
): Promise<FeedRow[]> {
  const parameters: Parameter[] = []
  const bind = (value: Parameter): string => `$${parameters.push(value)}`
  const at = `${bind(before.at)}::text::timestamptz`
  const conditions = [
    `f.due_at <= ${at}`,
    `(f.due_at, f.schedule_id) < (${at}, ${bind(before.schedule)}::uuid)`,
  ]
  if (fromMs !== null) conditions.push(`f.due_at >= to_timestamp(${bind(fromMs)}::float8 / 1000)`)
  if (states) conditions.push(`f.state = any (string_to_array(${bind(states.join(','))}::text, ','))`)
  // By the index of those that did not fire (drizzle/0018).
  if (states && !states.includes('fired')) conditions.push(`f.state <> 'fired'`)
  if (schedule !== undefined)
    conditions.push(
      `f.schedule_id = (select n.id from rowbeat.schedules n where n.name = ${bind(schedule)}::text)`,
    )
  if (task !== undefined)
    conditions.push(
      `f.schedule_id in (select n.id from rowbeat.schedules n where n.task = ${bind(task)}::text)`,
    )
  return await db.query<FeedRow>(
    `/* list_firing_feed */ with page as materialized (
  select f.* from rowbeat.firings f where ${conditions.join(' and ')} order by f.due_at desc, f.schedule_id desc limit ${bind(limit)}::integer)
select ${ROW} from page f left join rowbeat.schedules s on s.id = f.schedule_id order by f.due_at desc, f.schedule_id desc`,
    parameters,
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
