/**
 * Rates as Celery writes them: `10/m`, `5/d`, `0.5/s`, or a bare number, which is per second. Celery reads `10/` as 10 a
 * second, takes `-5/s`, and lets zero or nothing mean no limit at all; here each of these is refused, because a limit that
 * silently does not limit is found out by what it was to protect.
 */

/** `count` starts in each `perMs` milliseconds; count may be a fraction. */
export interface Rate {
  readonly count: number
  readonly perMs: number
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** More than any database starts, and far from where a double loses whole numbers. */
const COUNT_MAX = 1_000_000_000

/** `10/m` -> { count: 10, perMs: 60000 }; null when it is no rate, or none above zero. */
export function parseRate(value: unknown): Rate | null {
  const match = /^(\d+(?:\.\d+)?)(?:\/([smhd]))?$/.exec(
    typeof value === 'number' ? String(value) : textOf(value),
  )
  if (!match) return null
  const count = Number(match[1])
  return count > 0 && count <= COUNT_MAX ? { count, perMs: UNITS[match[2] ?? 's']! } : null
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : ''
}

/** For messages: what a rate is. */
export const RATE_WORDS = 'a number above 0 and a unit s, m, h or d, as in "10/m", or a number a second'
