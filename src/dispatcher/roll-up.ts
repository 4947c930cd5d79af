/**
 * Keeps the rollups (drizzle/0014) up to date: counts what finished since somebody last did. A worker does it every ten seconds,
 * and who reads figures does it before. After an upgrade of a store with a history all of it is counted, a stretch at a time:
 * longer stretches for as long as they are counted fast.
 */
import { monotonicMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { rollUp } from '../db/statements/rollups.ts'

/** What one statement should take. */
const LOOK_MS = 50
const SPAN_MIN = 60
const SPAN_MAX = 30 * 86_400
/** Nearer than this is up to date. */
const NEAR_SECONDS = 10

/** Counts for about `budgetMs`, unless somebody did less than `everyMs` ago. True when there is more to count. */
export type RollUp = (db: Queryable, everyMs: number, budgetMs: number) => Promise<boolean>

export function createRollUp(): RollUp {
  let span = 3600
  return async (db, everyMs, budgetMs) => {
    const deadline = monotonicMs() + budgetMs
    for (;;) {
      const began = monotonicMs()
      // What one statement cannot count in its time, the next is asked for in parts.
      const behind = await rollUp(db, span, everyMs).catch((error: unknown) => {
        span = Math.max(SPAN_MIN, span / 4)
        throw error
      })
      const took = monotonicMs() - began
      if (behind === null || behind < NEAR_SECONDS) return false
      if (took > 2 * LOOK_MS) span = Math.max(SPAN_MIN, span / 2)
      else if (took < LOOK_MS) span = Math.min(SPAN_MAX, span * 2)
      if (monotonicMs() >= deadline) return true
    }
  }
}
