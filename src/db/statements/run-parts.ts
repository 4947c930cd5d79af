/**
 * Statements that read what belongs to one run: what its handler said, and its tries. Rows come as JSON text with the keys
 * that REST answers. Both are read by the primary key of their table, which begins with the run.
 */
import type { Queryable } from '../handle.ts'

const instant = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A line `l` of rowbeat.logs as REST answers it. */
export const LOG_JSON = `json_build_object('seq', l.seq, 'at', ${instant('l.at')}, 'attempt', l.attempt, 'level', l.level, 'message', l.message, 'data', l.data)`

/** What a handler said through context.log. */
export interface LogDocument {
  /** Grows within a run; what is said later has a higher one. */
  seq: number
  at: string
  attempt: number
  level: LogLevel
  message: string
  data: unknown
}

/** A try that did not end the run in success, or something else that happened to one. */
export interface AttemptDocument {
  attempt: number
  outcome: 'retry' | 'failed' | 'snooze' | 'lost' | 'handed_back'
  worker: string | null
  started_at: string | null
  finished_at: string
  error: unknown
  retry_at: string | null
}

export interface LogQuery {
  /** Only what was said after this one. */
  after?: number
  levels?: readonly LogLevel[]
  /** Only what was said at this instant or later, in milliseconds since 1970. */
  since?: number
  limit: number
}

/** Oldest first. */
export async function listLogs(
  db: Queryable,
  run: string,
  { after, levels, since, limit }: LogQuery,
): Promise<LogDocument[]> {
  const rows = await db.query<{ log: string }>(
    `/* list_logs */
select ${LOG_JSON}::text as log
from rowbeat.logs l where l.run_id = $1::uuid and l.seq > $2::bigint
  and ($3::text is null or l.level = any (string_to_array($3::text, ','))) and ($4::float8 is null or l.at >= to_timestamp($4::float8 / 1000))
order by l.seq limit $5::integer`,
    [run, String(after ?? 0), levels?.join(',') ?? null, since ?? null, limit],
  )
  return rows.map(({ log }) => JSON.parse(log) as LogDocument)
}

/** All of them, oldest first: a run has few. */
export async function listAttempts(db: Queryable, run: string, limit: number): Promise<AttemptDocument[]> {
  const rows = await db.query<{ attempt: string }>(
    `/* list_attempts */
select json_build_object('attempt', a.attempt, 'outcome', a.outcome, 'worker', a.worker, 'started_at', ${instant('a.started_at')},
  'finished_at', ${instant('a.finished_at')}, 'error', a.error, 'retry_at', ${instant('a.retry_at')})::text as attempt
from (select * from rowbeat.attempts x where x.run_id = $1::uuid order by x.id desc limit $2::integer) a order by a.id`,
    [run, limit],
  )
  return rows.map(({ attempt }) => JSON.parse(attempt) as AttemptDocument)
}
