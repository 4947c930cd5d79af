/**
 * Which rollups answer for a period. Half hours and days hold what is over; what came since is in minutes. Slices of a chart need
 * rows no longer than a slice; sums over the whole period take the longest rows that lie within it, so that a month is some
 * hundred rows a group. Pure.
 */
import type { Rolled, RollupStep, Stretch } from '../db/statements/rollups.ts'

const STEPS: readonly RollupStep[] = [86_400, 1800, 60]

/** Rows for what finished from `since` on, a multiple of 60, none longer than `longest` and none across `since`. */
export function coverSince(since: number, longest: number, rolled: Rolled): Stretch[] {
  const stretches = cover(since, Infinity, longest, rolled)
  return stretches.sort((a, b) => a.since - b.since)
}

function cover(since: number, until: number, longest: number, rolled: Rolled): Stretch[] {
  const step = STEPS.find((size) => size <= longest)
  if (step === undefined || since >= until) return []
  if (step === 60) return [{ step, since, until }]
  const first = Math.ceil(since / step) * step
  // To the end of what is in rows of this step: the last of them may be short.
  const last = Math.min(rolled[step], until === Infinity ? Infinity : Math.floor(until / step) * step)
  if (last <= first) return cover(since, until, step - 1, rolled)
  return [
    ...cover(since, first, step - 1, rolled),
    { step, since: first, until: last },
    ...cover(last, until, step - 1, rolled),
  ]
}
