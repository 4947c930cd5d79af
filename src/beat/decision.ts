/**
 * What becomes of the instants of a schedule that have come: pure, so that every rule is a line in a test.
 *
 * An instant is on time up to a second after it; all that are on time fire. Older ones were missed, by a beat that was
 * down or a database that was away, and catch_up says what to do with them:
 *
 *   all    fire each, oldest first, a batch at a time
 *   last   fire the latest of them, unless one on time is to fire anyway; the rest is one `missed` row
 *   skip   the same, but only when the latest is at most a minute late
 *
 * catch_up_window replaces that minute, and for `last` and `all` sets a limit where there is none. What is older than the
 * window is missed for that reason. The answer depends on the row and the time alone, so each beat finds the same.
 */
import type { Decision, DueRow } from '../db/statements/beat.ts'
import type { Timetable } from '../schedules/almanac.ts'

const ON_TIME_MS = 1000
const SKIP_WINDOW_MS = 60_000
/** Instants of one schedule in one tick. */
const BATCH = 100
/** Missed instants are counted so far. */
const COUNT_MAX = 10_000

export function decide(row: DueRow, timetable: Timetable): Decision {
  const { nowMs, dueMs } = row
  const windowMs = row.windowMs ?? (row.catchUp === 'skip' ? SKIP_WINDOW_MS : Infinity)
  // A next_run_at that was written by hand is an instant, whatever the timetable says.
  const latestMs = Math.max(dueMs, timetable.previous(nowMs + 1) ?? dueMs)
  const keptFrom = Math.max(dueMs, nowMs - windowMs)
  const fireFrom =
    row.catchUp === 'all' ? keptFrom : Math.min(latestMs, Math.max(dueMs, nowMs - ON_TIME_MS + 1))
  const firstMs = firstFrom(row, timetable, Math.max(fireFrom, keptFrom))

  const most = Math.min(row.oneOff || row.overlap !== 'allow' ? 1 : BATCH, row.left ?? Infinity)
  const fire: number[] = []
  let next: number | null = firstMs
  while (next !== null && next <= nowMs && fire.length < most) {
    fire.push(next)
    next = timetable.next(next)
  }
  // An instant that is skipped is no firing: only the store knows then whether this was the last.
  const isOver = row.left !== null && fire.length >= row.left && row.overlap !== 'skip'
  return {
    id: row.id,
    version: row.version,
    since: row.since,
    seen: text(dueMs),
    fire: fire.map(text),
    missed: stretch(row, timetable, firstMs ?? Infinity, nowMs - windowMs),
    next: next === null || isOver ? null : text(next),
  }
}

/** The first instant at or after `fromMs`; the due one is one even where the timetable does not have it. */
function firstFrom({ dueMs }: DueRow, timetable: Timetable, fromMs: number): number | null {
  return fromMs <= dueMs ? dueMs : timetable.next(fromMs - 1)
}

/** The instants that come before the first that fires, as one row. */
function stretch(
  { dueMs, nowMs }: DueRow,
  timetable: Timetable,
  firstMs: number,
  horizonMs: number,
): Decision['missed'] {
  const beforeMs = Math.min(firstMs, nowMs + 1)
  if (dueMs >= beforeMs) return null
  const untilMs = Math.max(dueMs, timetable.previous(beforeMs) ?? dueMs)
  const count = timetable.count(dueMs + 1, untilMs, COUNT_MAX) + 1
  return {
    due_at: text(dueMs),
    until_at: text(untilMs),
    count: count > COUNT_MAX ? null : count,
    reason: untilMs < horizonMs ? 'window' : 'catch_up',
  }
}

function text(ms: number): string {
  return new Date(ms).toISOString()
}
