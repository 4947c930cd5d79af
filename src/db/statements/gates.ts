/**
 * Limits over all workers, as a dispatcher sees them: drizzle/0005 has the model.
 */
import type { Queryable } from '../handle.ts'

export interface Opened {
  /** Runs that came into the queue. */
  moved: number
  /** There may be more at once. */
  more: boolean
  /** Until the next token of a rate; null: nobody waits for one. */
  nextMs: number | null
}

/** Lets through whoever may pass: at most `most` runs at each gate that somebody knocked at, or whose time has come. */
export async function openGates(db: Queryable, most: number): Promise<Opened> {
  const [row] = await db.query<{ moved: number; more: boolean; next_ms: number | null }>(
    `/* open_gates */ select moved, more, next_ms from rowbeat.open_gates_v1($1::integer)`,
    [most],
  )
  const { moved, more, next_ms: nextMs } = row!
  return { moved, more, nextMs: nextMs === null ? null : Math.max(0, Number(nextMs)) }
}

/** The net: permits of runs that ended without a knock. */
export async function reclaimPermits(db: Queryable): Promise<void> {
  await db.query(`/* reclaim_permits */ select rowbeat.reclaim_permits_v1()`)
}
