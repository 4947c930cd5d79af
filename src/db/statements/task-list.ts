/**
 * Tasks as operators see them: what the code declared (rowbeat.tasks), which live workers have them now, and which schedules
 * ask for them.
 */
import type { Queryable } from '../handle.ts'
import type { TaskRow } from './workers.ts'

const instant = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** All keys are always present; instants are RFC 3339 UTC with milliseconds, durations seconds. */
export interface TaskDocument extends TaskRow {
  /** When a process that has it last started. */
  seen_at: string
  /** Live ones that have it. */
  workers: string[]
  schedules: { id: string; name: string; enabled: boolean; next_run_at: string | null }[]
}

/** All of them by name, or the one of this name. */
export async function listTasks(db: Queryable, name: string | null): Promise<TaskDocument[]> {
  const rows = await db.query<{ task: string }>(
    `/* list_tasks */
with has as materialized (
  select w.name as worker, u.task from rowbeat.workers w cross join lateral unnest(w.tasks) as u(task)
  where w.kind = 'worker' and w.seen_at > clock_timestamp() - interval '10 seconds' and not w.stopping
)
select json_build_object('name', t.name, 'queue', t.queue, 'priority', t.priority, 'attempts_max', t.attempts_max, 'retry', t.retry, 'time_limit', t.time_limit,
  'soft_time_limit', t.soft_time_limit, 'retention', t.retention, 'ignore_result', t.ignore_result, 'concurrency', t.concurrency,
  'concurrency_strategy', t.concurrency_strategy, 'rate', t.rate, 'rate_burst', t.rate_burst, 'input_schema', t.input_schema, 'seen_at', ${instant('t.seen_at')},
  'workers', (select coalesce(json_agg(h.worker order by h.worker), '[]') from has h where h.task = t.name),
  'schedules', (select coalesce(json_agg(json_build_object('id', s.id, 'name', s.name, 'enabled', s.enabled, 'next_run_at', ${instant('s.next_run_at')}) order by s.name), '[]')
    from rowbeat.schedules s where s.task = t.name))::text as task
from rowbeat.tasks t where $1::text is null or t.name = $1::text order by t.name`,
    [name],
  )
  return rows.map(({ task }) => JSON.parse(task) as TaskDocument)
}
