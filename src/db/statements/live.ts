/**
 * What those who watch the whole are told (api/live.ts): once a second the workers and what was enqueued since the last look, and
 * the short form of runs that changed. Both cost the same whatever the tables hold: the registry is small, ids are in order of
 * their making, and what may be large of a run (input, result, stack) is never read.
 */
import type { Queryable } from '../handle.ts'

export interface LiveLook {
  /** By the database's clock. */
  nowMs: number
  workers: {
    id: string
    name: string
    /** Seconds since its last sign of life. */
    unseen: number
    running: string[]
    slots: number
    processed: Record<string, number>
    rss_bytes: number | null
    loop_lag_ms: number | null
    clock_skew_ms: number | null
    quiet: boolean
    stopping: boolean
  }[]
  /** Ids of runs that were enqueued since, newest first, at most FRESH_MAX of the queue and as many of the parked. */
  fresh: string[]
}

export const FRESH_MAX = 60

/** `sinceMs`: an earlier `nowMs`. Ids that somebody chose himself need not be in order, and are not told. */
export async function readLiveLook(db: Queryable, sinceMs: number | null): Promise<LiveLook> {
  const [row] = await db.query<{ look: string }>(
    `/* read_live_look */ with w as materialized (
  select rowbeat.uuid7_floor_v1(to_timestamp($1::float8 / 1000)) as low, rowbeat.uuid7_floor_v1(clock_timestamp() + interval '1 minute') as high
)
select json_build_object('nowMs', date_part('epoch', clock_timestamp()) * 1000,
  'workers', (select coalesce(json_agg(json_build_object('id', l.id, 'name', l.name, 'unseen', date_part('epoch', clock_timestamp() - l.seen_at),
      'running', array(select r->>'id' from jsonb_array_elements(l.running) r), 'slots', (select coalesce(sum(q.value::integer), 0) from jsonb_each_text(l.queues) q),
      'processed', l.processed, 'rss_bytes', l.rss_bytes, 'loop_lag_ms', l.loop_lag_ms, 'clock_skew_ms', l.clock_skew_ms, 'quiet', l.quiet, 'stopping', l.stopping)
      order by l.name, l.started_at), '[]') from rowbeat.workers l where l.kind = 'worker'),
  'fresh', array(select f.id from (
    (select j.key::uuid as id from rowbeat_queue._private_jobs j where j.key::uuid >= (select low from w) and j.key::uuid < (select high from w) order by 1 desc limit ${FRESH_MAX})
    union all (select p.id from rowbeat.parked p where p.id >= (select low from w) and p.id < (select high from w) order by 1 desc limit ${FRESH_MAX})) f order by 1 desc)
)::text as look`,
    [sinceMs],
  )
  return JSON.parse(row!.look) as LiveLook
}

/** What a list shows of a run; instants are RFC 3339 UTC with milliseconds. */
export interface LiveRunRow {
  id: string
  task: string
  queue: string
  state: string
  reason: string | null
  priority: number
  attempt: number
  attempts_max: number
  worker: string | null
  tags: string[]
  schedule: string | null
  created_at: string
  run_at: string
  started_at: string | null
  finished_at: string | null
  progress: { current: number; total: number | null; percent: number | null } | null
  /** As one may read in a line. */
  error: { name: string; message: string } | null
}

/** Characters of a message that are told. */
const MESSAGE_MAX = 200

/** Short forms of runs, in no order; unknown ids are left out. */
export async function readLiveRuns(db: Queryable, ids: readonly string[]): Promise<LiveRunRow[]> {
  const rows = await db.query<{ run: string }>(
    `/* read_live_runs */ select json_build_object('id', r.id, 'task', r.task, 'queue', r.queue, 'state', r.state, 'reason', r.reason, 'priority', r.priority,
  'attempt', r.attempt, 'attempts_max', r.attempts_max, 'worker', r.worker, 'tags', r.tags, 'schedule', r.schedule, 'created_at', rowbeat.told_v1(r.created_at),
  'run_at', rowbeat.told_v1(r.run_at), 'started_at', rowbeat.told_v1(r.started_at), 'finished_at', rowbeat.told_v1(r.finished_at),
  'progress', case when r.progress is not null then json_build_object('current', r.progress->'current', 'total', r.progress->'total', 'percent', r.progress->'percent') end,
  'error', case when r.error is not null then json_build_object('name', coalesce(r.error->>'name', 'Error'), 'message', left(coalesce(r.error->>'message', ''), ${MESSAGE_MAX})) end
)::text as run from rowbeat.runs r where r.id = any ($1::uuid[])`,
    [`{${ids.join(',')}}`],
  )
  return rows.map(({ run }) => JSON.parse(run) as LiveRunRow)
}
