/** Where instants lie on a line a thousand wide, and how many fall into each stretch of it. Pure. */
export interface Window {
  /** Milliseconds since 1970. */
  from: number
  until: number
}

interface Row {
  count: number
  instants: readonly string[]
}

/** Parts into which the line is divided for the eye. */
export const TICKS = 8
/** Fewer in one stretch than these are no peak. */
export const PEAK = 3
const BANDS = 96
const WIDTH = 1000
const HOUR_MS = 3_600_000

/** From the whole hour before, so that the ticks are whole hours. */
export function windowOf(from: number, hours: number): Window {
  const begin = hours > 2 ? Math.floor(from / HOUR_MS) * HOUR_MS : from
  return { from: begin, until: begin + hours * HOUR_MS }
}

export function ticksOf({ from, until }: Window): number[] {
  return Array.from({ length: TICKS }, (_, i) => from + (i * (until - from)) / TICKS)
}

/** One stroke for each instant, as the d of a path. */
export function marksPath(instants: readonly string[], window: Window): string {
  return instants.map((at) => `M${round(placeOf(at, window) * WIDTH)} 4V20`).join('')
}

/** How many instants fall into each; those that are told as a number only are spread evenly. */
export function bandsOf(rows: readonly Row[], window: Window): number[] {
  const bands = Array.from({ length: BANDS }, () => 0)
  for (const { count, instants } of rows) {
    if (count > instants.length) for (let i = 0; i < BANDS; i++) bands[i]! += count / BANDS
    else
      for (const at of instants) {
        const band = Math.min(BANDS - 1, Math.max(0, Math.floor(placeOf(at, window) * BANDS)))
        bands[band]! += 1
      }
  }
  return bands.map((count) => Math.round(count))
}

function placeOf(at: string, { from, until }: Window): number {
  return (Date.parse(at) - from) / (until - from)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
