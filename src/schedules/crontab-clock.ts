/**
 * When a crontab runs: its matching wall times, found on a clock that is set forward and back. The rule is Vixie cron's.
 *
 * - A job whose minute or hour begins with `*` follows the clock: it runs at every instant the clock shows a match. Matches the
 *   clock skips do not happen, those it shows twice happen twice.
 * - Any other job is meant for fixed times: each match runs once, at the first instant the clock reaches or passes it. So
 *   03:30 on a night that jumps from 03:00 to 04:00 runs at 04:00, together with any others skipped, and on a night that goes
 *   back from 04:00 to 03:00 it runs the first time only.
 *
 * Read that way both directions are the same walk, and previous() is the inverse of next(): a fixed job is the series of its
 * matches, each mapped to an instant, in the same order; a wildcard job is searched piece by piece of constant offset.
 */
import { fieldsOf, isEitherDay, isWildcard, type CrontabSpec } from './crontab-spec.ts'
import { createWallCalendar } from './crontab-wall.ts'
import type { Zones } from './zone.ts'

/** Instants in milliseconds; null where a century has none. */
export interface CrontabClock {
  /** The first run strictly after an instant. */
  next(afterMs: number): number | null
  /** The last run strictly before an instant. */
  previous(beforeMs: number): number | null
}

/** No wall clock is further from UTC, to either side. */
const FURTHEST = 16 * 3_600_000
/** No two offsets of a zone differ by more, so neither do an instant's wall time and the one its neighbours would show for it. */
const APART = 2 * FURTHEST

export function createCrontabClock(spec: CrontabSpec, zones: Zones): CrontabClock {
  const calendar = createWallCalendar(fieldsOf(spec), isEitherDay(spec))
  const zone = zones.open(spec.timezone)

  /** The highest the clock has shown up to an instant, which is what it shows unless it was just set back. */
  function reachedAt(ms: number): number {
    const piece = zone.pieceAt(ms)
    return Math.max(ms + piece.offset, piece.reached)
  }

  /** The first instant at which the clock shows a wall time or a later one. */
  function reach(wall: number): number {
    let piece = zone.pieceAt(wall - FURTHEST)
    while (wall >= piece.to + piece.offset) piece = zone.pieceAt(piece.to)
    return Math.max(piece.from, wall - piece.offset)
  }

  const fixed: CrontabClock = {
    next(afterMs) {
      const wall = calendar.atOrAfter(reachedAt(afterMs) + 1)
      return wall === null ? null : reach(wall)
    },
    previous(beforeMs) {
      const wall = calendar.atOrBefore(reachedAt(beforeMs - 1))
      return wall === null ? null : reach(wall)
    },
  }

  // A match beyond this piece is looked for again in the next, whose clock may have been set back. Once `edge` is so far off that
  // no later piece can show anything before it, the empty pieces up to the match are passed over.
  const following: CrontabClock = {
    next(afterMs) {
      let piece = zone.pieceAt(afterMs)
      let edge = afterMs + 1 + piece.offset
      let wall = calendar.atOrAfter(edge)
      while (wall !== null && wall >= piece.to + piece.offset) {
        const isPast = edge <= piece.to + piece.offset - APART
        piece = zone.pieceAt(isPast ? Math.max(piece.to, wall - FURTHEST) : piece.to)
        edge = piece.from + piece.offset
        wall = calendar.atOrAfter(edge)
      }
      return wall === null ? null : wall - piece.offset
    },
    previous(beforeMs) {
      let piece = zone.pieceAt(beforeMs - 1)
      let edge = beforeMs - 1 + piece.offset
      let wall = calendar.atOrBefore(edge)
      while (wall !== null && wall < piece.from + piece.offset) {
        const isPast = edge >= piece.from + piece.offset + APART
        piece = zone.pieceAt(isPast ? Math.min(piece.from - 1, wall + FURTHEST) : piece.from - 1)
        edge = piece.to - 1 + piece.offset
        wall = calendar.atOrBefore(edge)
      }
      return wall === null ? null : wall - piece.offset
    },
  }

  return isWildcard(spec) ? following : fixed
}
