/**
 * Durations as people write them: a number of seconds, or "<n> <unit>" with the space optional ("30s", "10 minutes").
 * One grammar for TypeScript options, REST bodies, the command line and the environment (contract: Names, values).
 */
import { ConfigError } from './errors.ts'

type Unit =
  | 'ms'
  | 'millisecond'
  | 'milliseconds'
  | 's'
  | 'second'
  | 'seconds'
  | 'm'
  | 'minute'
  | 'minutes'
  | 'h'
  | 'hour'
  | 'hours'
  | 'd'
  | 'day'
  | 'days'
  | 'w'
  | 'week'
  | 'weeks'

/** Seconds as a number, or text such as `'30s'`, `'10 minutes'`; anything else does not compile. */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`

const UNIT_MS: Record<Unit, number> = {
  ms: 1,
  millisecond: 1,
  milliseconds: 1,
  s: 1000,
  second: 1000,
  seconds: 1000,
  m: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
  weeks: 604_800_000,
}

/** 100 years: longer than any wait that makes sense, and well inside every integer and interval we store. */
const LONGEST_MS = 100 * 366 * 86_400_000

/** Milliseconds of a duration, or null when it is not one (negative, too long, unknown unit). */
export function parseDuration(value: unknown): number | null {
  const ms = typeof value === 'number' ? value * 1000 : typeof value === 'string' ? textMs(value) : Number.NaN
  return Number.isFinite(ms) && ms >= 0 && ms <= LONGEST_MS ? Math.round(ms) : null
}

function textMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/.exec(text.trim())
  if (!match) return Number.NaN
  if (match[2] === '') return Number(match[1]) * 1000
  const unit = Object.hasOwn(UNIT_MS, match[2]!) ? UNIT_MS[match[2] as Unit] : Number.NaN
  return Number(match[1]) * unit
}

/** Milliseconds of a duration; a ConfigError that names `what` when it is not one. */
export function durationMs(value: unknown, what: string): number {
  const ms = parseDuration(value)
  if (ms === null) {
    throw new ConfigError(
      `${what} is ${JSON.stringify(value)}, which is not a duration: give seconds as a number, or text such as "30s", "10 minutes", "2h".`,
    )
  }
  return ms
}
