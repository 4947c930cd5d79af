/**
 * The due instants of a stretch of the past, for a schedule to fire late. What it fired already is left out, by the
 * statement itself, so that a backfill sent twice, or beside a beat that catches up, fires each instant once.
 */
import { monotonicMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { backfillSchedule } from '../db/statements/schedule-edits.ts'
import { findFired } from '../db/statements/schedules.ts'
import type { Timetable } from '../schedules/almanac.ts'
import { refuseSchedule } from './schedule-refusal.ts'

export interface Stretch {
  /** RFC 3339; both ends are part of it. */
  from: string
  to: string
  /** Only say what would be fired. */
  dryRun: boolean
}

export interface Backfill {
  dry_run: boolean
  /** What was, or would be, fired; `run_id` is null where it would. */
  items: { due_at: string; run_id: string | null }[]
  /** Due instants of the stretch that were fired before. */
  fired_before: number
}

/** Instants in one call. */
export const BACKFILL_MAX = 1000
/** A sunset at the pole is one in a year of days: what takes longer to find than this is refused. */
const BUDGET_MS = 2000

/** Throws ScheduleError with a fault for a stretch that is none, lies ahead, or holds too much. */
export function listInstants(timetable: Timetable, { from, to }: Stretch, nowMs: number): string[] {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)]
  if (toMs < fromMs) throw refuseSchedule([{ pointer: '/to', detail: 'must not be before from' }])
  if (toMs > nowMs) {
    const detail =
      'lies ahead; what is due from now on fires by itself, so end with an instant that has passed'
    throw refuseSchedule([{ pointer: '/to', detail }])
  }
  const instants: string[] = []
  const deadline = monotonicMs() + BUDGET_MS
  for (let time = timetable.next(fromMs - 1); time !== null && time <= toMs; time = timetable.next(time)) {
    const isMany = instants.length === BACKFILL_MAX
    if (isMany || monotonicMs() > deadline) {
      const most = isMany ? `more than ${BACKFILL_MAX} due instants` : 'instants that take long to find'
      const detail = `takes in ${most}; end with ${instants.at(-1) ?? from}, and go on from there in another call`
      throw refuseSchedule([{ pointer: '/to', detail }])
    }
    instants.push(new Date(time).toISOString())
  }
  return instants
}

export async function backfill(
  db: Queryable,
  id: string,
  instants: readonly string[],
  dryRun: boolean,
): Promise<Backfill> {
  const items = dryRun ? await listUnfired(db, id, instants) : await fire(db, id, instants)
  return { dry_run: dryRun, items, fired_before: instants.length - items.length }
}

async function listUnfired(
  db: Queryable,
  id: string,
  instants: readonly string[],
): Promise<Backfill['items']> {
  const fired = new Set(await findFired(db, id, instants))
  return instants.filter((at) => !fired.has(at)).map((due_at) => ({ due_at, run_id: null }))
}

async function fire(db: Queryable, id: string, instants: readonly string[]): Promise<Backfill['items']> {
  if (instants.length === 0) return []
  const runs = await backfillSchedule(db, id, instants)
  return runs.map(({ at, runId }) => ({ due_at: at, run_id: runId }))
}
