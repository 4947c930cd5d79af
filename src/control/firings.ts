/**
 * What became of the instants of all schedules, latest first, for REST and panel alike. It is read a stretch of time at a time, a quarter of
 * an hour first and each four times as long as the one before, until the page is full: what is asked for mostly is what was just now. A filter
 * that few pass stops after BUDGET_MS with what there is, and a place to go on from.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { isUuid } from '../check.ts'
import { monotonicMs, nowMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import {
  listFiringFeed,
  readFiring,
  type FeedRow,
  type FiringFilter,
  type FiringPlace,
} from '../db/statements/firing-feed.ts'
import { parseInstant } from '../instant.ts'
import type { FiringDocument } from './schedule-document.ts'

/** With the schedule's name and task; null of one that is gone. */
export interface FiringFeedDocument extends FiringDocument {
  schedule: string | null
  task: string | null
}

export interface FiringFeedQuery extends FiringFilter {
  before?: FiringPlace
  limit: number
}

/** Each verb throws AccessError RB_SCOPE_MISSING. */
export interface FiringControl {
  /** A page may have fewer than asked for, even none, and still a place to go on from; null at the end. */
  list(
    caller: Caller,
    query: FiringFeedQuery,
  ): Promise<{ items: FiringFeedDocument[]; before: FiringPlace | null }>
  /** By `firingId`; null: there is none. */
  read(caller: Caller, id: string): Promise<FiringFeedDocument | null>
}

const FIRST_MS = 15 * 60_000
const LONGEST_MS = 366 * 86_400_000
const BUDGET_MS = 250
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

export function createFiringControl(db: Queryable): FiringControl {
  return Object.freeze({
    async list(caller: Caller, { before, limit, ...filter }: FiringFeedQuery) {
      requireScope(caller, 'schedules:read')
      const deadline = monotonicMs() + BUDGET_MS
      const rows: FeedRow[] = []
      let place: FiringPlace = before ?? { at: 'infinity', schedule: LAST_ID }
      let topMs = before ? parseInstant(before.at)! : nowMs()
      // Of one schedule the key has them in order.
      let stretchMs = filter.schedule === undefined ? FIRST_MS : Number.POSITIVE_INFINITY
      for (;;) {
        const fromMs = stretchMs > LONGEST_MS ? null : topMs - stretchMs
        const found = await listFiringFeed(
          db,
          filter,
          { fromMs, before: place },
          limit + 1 - rows.length,
        ).catch((error: unknown) => {
          throw explainDatabaseError(error)
        })
        rows.push(...found)
        if (rows.length > limit) return pageOf(rows.slice(0, limit), placeOf(rows[limit - 1]!))
        if (fromMs === null) return pageOf(rows, null)
        // Below what was looked at; nothing at that very microsecond is left.
        place = { at: new Date(fromMs).toISOString(), schedule: '00000000-0000-0000-0000-000000000000' }
        if (monotonicMs() >= deadline) return pageOf(rows, place)
        topMs = fromMs
        stretchMs *= 4
      }
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'schedules:read')
      const [schedule = '', due = ''] = id.split('@')
      const dueMs = parseInstant(due)
      const row = isUuid(schedule) && dueMs !== null ? await readFiring(db, schedule, dueMs) : null
      return row && toDocument(row)
    },
  })
}

export function firingId({ schedule_id, due_at }: Pick<FiringDocument, 'schedule_id' | 'due_at'>): string {
  return `${schedule_id}@${due_at}`
}

function pageOf(
  rows: readonly FeedRow[],
  before: FiringPlace | null,
): { items: FiringFeedDocument[]; before: FiringPlace | null } {
  return { items: rows.map(toDocument), before }
}

function placeOf({ at, firing }: FeedRow): FiringPlace {
  return { at, schedule: (JSON.parse(firing) as FiringDocument).schedule_id }
}

function toDocument({ firing, schedule, task }: FeedRow): FiringFeedDocument {
  return { ...(JSON.parse(firing) as FiringDocument), schedule, task }
}
