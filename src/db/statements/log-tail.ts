/**
 * What runs have said since their followers looked last, all of them in one statement: each is found by the primary key of its lines.
 */
import type { Queryable } from '../handle.ts'
import { LOG_JSON, type LogDocument } from './run-parts.ts'

export interface LogPosition {
  run: string
  /** The line that was seen last; 0 for none. */
  after: number
}

/** Lines of each run, oldest first, at most `most` of one. */
export async function readLogTails(
  db: Queryable,
  positions: readonly LogPosition[],
  most: number,
): Promise<{ run: string; line: LogDocument }[]> {
  const rows = await db.query<{ run: string; log: string }>(
    `/* read_log_tails */
select p.run::text as run, l.log from jsonb_to_recordset($1::text::jsonb) as p(run uuid, after bigint)
cross join lateral (select l.seq, ${LOG_JSON}::text as log from rowbeat.logs l where l.run_id = p.run and l.seq > p.after order by l.seq limit $2::integer) l
order by p.run, l.seq`,
    [JSON.stringify(positions), most],
  )
  return rows.map(({ run, log }) => ({ run, line: JSON.parse(log) as LogDocument }))
}
