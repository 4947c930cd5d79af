/**
 * For rowbeat/testing: claims by somebody who is no worker, and a look at everything that was enqueued. Written for a
 * test's few runs, and to work inside a transaction of the test, where now() stands still.
 */
import type { Queryable } from '../handle.ts'

/** Claims the best runs of these tasks, of these queues (null: of any): the rows of a worker's claim as JSON texts. */
export async function claimForDrain(
  db: Queryable,
  pool: string,
  tasks: readonly string[],
  queues: readonly string[] | null,
  limit: number,
): Promise<string[]> {
  const rows = await db.query<{ job: string }>(
    `/* claim_for_drain */
with kinds as materialized (
  select t.id, t.identifier from rowbeat_queue._private_tasks t
  where substr(t.identifier, strpos(t.identifier, ':') + 1) in (select jsonb_array_elements_text($2::text::jsonb))
    and ($3::text is null or split_part(t.identifier, ':', 1) in (select jsonb_array_elements_text($3::text::jsonb)))
), claimed as (
  update rowbeat_queue._private_jobs j set attempts = j.attempts + 1, locked_by = $1::text, locked_at = now()
  where j.id = any (array(
    select w.id from rowbeat_queue._private_jobs w where w.is_available and w.run_at <= clock_timestamp() and w.task_id in (select id from kinds)
    order by w.priority, w.run_at, w.id limit $4::integer for update skip locked))
  returning j.*
)
select json_build_object('id', c.id::text, 'payload', c.payload, 'priority', c.priority, 'attempts', c.attempts, 'key', c.key, 'created_at', c.created_at::text,
  'task_identifier', k.identifier)::text as job
from claimed c join kinds k on k.id = c.task_id order by c.priority, c.run_at, c.id`,
    [pool, JSON.stringify(tasks), queues && JSON.stringify(queues), limit],
  )
  return rows.map(({ job }) => job)
}

/** Makes parked runs of these tasks due now that wait for one of these reasons; answers how many. */
export async function hastenParked(
  db: Queryable,
  tasks: readonly string[],
  queues: readonly string[] | null,
  reasons: readonly string[],
): Promise<number> {
  const rows = await db.query(
    `/* hasten_parked */ update rowbeat.parked p set release_at = clock_timestamp()
     where p.task in (select jsonb_array_elements_text($1::text::jsonb)) and ($2::text is null or p.queue in (select jsonb_array_elements_text($2::text::jsonb)))
       and p.reason in (select jsonb_array_elements_text($3::text::jsonb)) and p.release_at > clock_timestamp() returning 1 as one`,
    [JSON.stringify(tasks), queues && JSON.stringify(queues), JSON.stringify(reasons)],
  )
  return rows.length
}

export interface RunCount {
  state: string
  reason: string | null
  count: number
}

/** How many runs of these tasks there are of each state and reason. */
export async function countRuns(db: Queryable, tasks: readonly string[]): Promise<RunCount[]> {
  return await db.query<RunCount>(
    `/* count_runs */ select r.state, r.reason, count(*)::integer as count from rowbeat.runs r
     where r.task in (select jsonb_array_elements_text($1::text::jsonb)) group by 1, 2`,
    [JSON.stringify(tasks)],
  )
}

/** Runs of a task as documents (JSON text), oldest first. */
export async function listRunsOf(db: Queryable, task: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ run: string }>(
    `/* list_runs_of */ select row_to_json(r)::text as run from rowbeat.runs r where r.task = $1::text order by r.created_at, r.id limit $2::integer`,
    [task, limit],
  )
  return rows.map(({ run }) => run)
}

/** The names of tasks that have runs. */
export async function listTasksWithRuns(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ task: string }>(
    `/* list_tasks_with_runs */ select distinct task from rowbeat.runs order by task limit 50`,
  )
  return rows.map(({ task }) => task)
}
