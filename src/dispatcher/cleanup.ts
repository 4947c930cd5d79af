/**
 * `rowbeat.cleanup`, the task that every worker brings along and every beat schedules: removes results whose time is
 * over, and firings and deliveries of webhooks that are older than results are kept by default. Workers do the same for
 * results each hour by themselves (upkeep.ts); the schedule makes it visible, movable, and something to run by hand.
 */
import { withConnection } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import { deleteFirings } from '../db/statements/upkeep.ts'
import { deleteDeliveries } from '../db/statements/webhooks.ts'
import { task, type Task } from '../tasks/task.ts'
import { upkeep } from './upkeep.ts'

export const CLEANUP_TASK = 'rowbeat.cleanup'

const BATCH = 10_000

/** Firings and deliveries are kept for `keepSeconds`. It works on a connection of its own, which no deadline cuts. */
export function createCleanupTask(url: string, prepare: boolean, keepSeconds: number): Task {
  return task(CLEANUP_TASK, {}, (_input: Record<string, never>, { signal }) =>
    withConnection({ url, role: 'upkeep', prepare }, async (sql) => {
      const db = toQueryable(sql)
      const done = await upkeep(db, 0)
      const sweep = async (batch: typeof deleteFirings): Promise<number> => {
        let total = 0
        let gone = BATCH
        while (gone === BATCH && !signal.aborted) {
          gone = await batch(db, keepSeconds, BATCH)
          total += gone
        }
        return total
      }
      const firings = await sweep(deleteFirings)
      const deliveries = await sweep(deleteDeliveries)
      return { results: done?.deleted ?? 0, days: done?.dropped ?? [], firings, deliveries }
    }),
  )
}
