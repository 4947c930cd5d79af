/**
 * Upkeep of results, one process per interval (rowbeat.upkeep says which): makes the partitions of the days ahead, drops a day
 * whose every row is past its keep_until (a DROP, not a DELETE: 50 ms where seven million deletes took 51 s), and
 * deletes in batches what expires earlier than its day; forgets rows of the audit log over a year old and counts of failures over a
 * month. A lock that is busy is tried again at the next round: nothing here is urgent, and nobody must wait for it.
 */
import type { Queryable } from '../db/handle.ts'
import { cleanAudit } from '../db/statements/audit.ts'
import { cleanFailures } from '../db/statements/failures.ts'
import { deleteExpired, dropOldDays, makeDays, sweepLeftovers, takeUpkeep } from '../db/statements/upkeep.ts'

const DAYS_AHEAD = 7
const BATCH = 2000
const BATCHES_MAX = 50
const AUDIT_DAYS = 400
const FAILURE_DAYS = 30

export interface UpkeepReport {
  made: number
  dropped: string[]
  deleted: number
}

/** One round, at most one per `everyMs` in all processes; null when it is not this one's turn. */
export async function upkeep(db: Queryable, everyMs: number): Promise<UpkeepReport | null> {
  if (!(await takeUpkeep(db, everyMs))) return null
  const made = await makeDays(db, DAYS_AHEAD)
  const dropped = await dropOldDays(db)
  let deleted = 0
  for (let i = 0; i < BATCHES_MAX; i++) {
    const gone = await deleteExpired(db, BATCH)
    deleted += gone
    if (gone < BATCH) break
  }
  await sweepLeftovers(db, BATCH)
  await cleanAudit(db, AUDIT_DAYS)
  await cleanFailures(db, FAILURE_DAYS)
  return { made, dropped, deleted }
}
