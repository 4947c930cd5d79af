/**
 * Intervals: every n units from a stored anchor, so that nothing drifts and a restart changes nothing. Instant n is the
 * anchor plus n times the interval, n >= 0. Up to weeks that is elapsed time, whatever the clocks of a place do.
 * Months and years go by the calendar in UTC: they keep the anchor's day and time, and a month that is too short
 * gives its last day without moving those after it (31 January, 28 February, 31 March).
 */
import { oneOf } from '../check.ts'
import type { Fault } from '../errors.ts'
import type { Cadence } from './cadence.ts'

export const PERIODS = [
  'milliseconds',
  'seconds',
  'minutes',
  'hours',
  'days',
  'weeks',
  'months',
  'years',
] as const
export type Period = (typeof PERIODS)[number]

export interface IntervalSpec {
  kind: 'interval'
  every: number
  period: Period
}

/** Shorter would be a loop, not a schedule. */
const SHORTEST_MS = 100
const LONGEST_YEARS = 100
const DAY_MS = 86_400_000

export const PERIOD_MS: Readonly<Record<Exclude<Period, 'months' | 'years'>, number>> = {
  milliseconds: 1,
  seconds: 1000,
  minutes: 60_000,
  hours: 3_600_000,
  days: DAY_MS,
  weeks: 7 * DAY_MS,
}

/** REST's object, read strictly. */
export function readInterval(
  { every, period }: Readonly<Record<string, unknown>>,
  pointer: string,
): { spec: IntervalSpec } | { faults: Fault[] } {
  const faults: Fault[] = []
  const refuse = (field: string, detail: string): void => {
    faults.push({ pointer: `${pointer}/${field}`, detail })
  }
  if (!Number.isSafeInteger(every) || (every as number) < 1)
    refuse('every', 'must be a whole number, 1 or more')
  const wrongPeriod = oneOf(...PERIODS)(period)
  if (wrongPeriod) refuse('period', wrongPeriod)
  if (faults.length > 0) return { faults }
  const spec: IntervalSpec = { kind: 'interval', every: every as number, period: period as Period }
  const ms = roughMs(spec)
  if (ms < SHORTEST_MS) refuse('every', `must come to ${SHORTEST_MS} milliseconds or more`)
  if (ms > LONGEST_YEARS * roughMs({ kind: 'interval', every: 1, period: 'years' }))
    refuse('every', `must come to ${LONGEST_YEARS} years or less`)
  return faults.length > 0 ? { faults } : { spec }
}

export function describeInterval({ every, period }: IntervalSpec): string {
  return every === 1 ? `every ${period.slice(0, -1)}` : `every ${every} ${period}`
}

export function createInterval({ every, period }: IntervalSpec, anchorMs: number): Cadence {
  if (period === 'months') return onGrid(calendarGrid(every, anchorMs))
  if (period === 'years') return onGrid(calendarGrid(every * 12, anchorMs))
  return onGrid(elapsedGrid(every * PERIOD_MS[period], anchorMs))
}

interface Grid {
  instant(n: number): number
  /** How many instants there are up to a whole millisecond, it included. */
  countUpTo(ms: number): number
}

function onGrid({ instant, countUpTo }: Grid): Cadence {
  const countBefore = (ms: number): number => countUpTo(Math.ceil(ms) - 1)
  return {
    next: (afterMs) => instant(countUpTo(Math.floor(afterMs))),
    previous(beforeMs) {
      const count = countBefore(beforeMs)
      return count > 0 ? instant(count - 1) : null
    },
    count: (fromMs, untilMs) => Math.max(0, countUpTo(Math.floor(untilMs)) - countBefore(fromMs)),
  }
}

function elapsedGrid(stepMs: number, anchorMs: number): Grid {
  return {
    instant: (n) => anchorMs + n * stepMs,
    countUpTo: (ms) => (ms < anchorMs ? 0 : Math.floor((ms - anchorMs) / stepMs) + 1),
  }
}

function calendarGrid(stepMonths: number, anchorMs: number): Grid {
  const anchorMonth = monthOf(anchorMs)
  const anchorDay = new Date(anchorMs).getUTCDate()
  const timeMs = anchorMs - Math.floor(anchorMs / DAY_MS) * DAY_MS
  const instant = (n: number): number => {
    const month = anchorMonth + n * stepMonths
    const lastDay = new Date(dateMs(month + 1, 0)).getUTCDate()
    return dateMs(month, Math.min(anchorDay, lastDay)) + timeMs
  }
  return {
    instant,
    countUpTo(ms) {
      if (ms < anchorMs) return 0
      const n = Math.floor((monthOf(ms) - anchorMonth) / stepMonths)
      return instant(n) <= ms ? n + 1 : n
    },
  }
}

/** Months since the beginning of the year 0. */
function monthOf(ms: number): number {
  const date = new Date(ms)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

function dateMs(month: number, day: number): number {
  return new Date(0).setUTCFullYear(0, month, day)
}

function roughMs({ every, period }: IntervalSpec): number {
  if (period === 'months') return every * 30.4375 * DAY_MS
  return every * (period === 'years' ? 365.25 * DAY_MS : PERIOD_MS[period])
}
