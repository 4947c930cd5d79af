/**
 * Where in the order of ids a page has to look. Ids are made in order of time, so a filter that says when a run was made
 * says between which ids it lies, and the days outside are not read at all. But an id may be chosen by whoever
 * enqueues: one that is no UUIDv7 stands anywhere. Such ids lie, all but a few in a million, above tomorrow or below the year
 * 2020, and those two ends are looked through too. A chosen UUIDv7 is found while its time is within a day of its enqueue.
 */
import type { RunFilter } from '../db/statements/list-runs.ts'
import { parseInstant } from '../instant.ts'

/** Ids from `from` up to but not with `before`; null is no bound. */
export interface Zone {
  from: string | null
  before: string | null
}

const DAY_MS = 86_400_000
const EPOCH_MS = Date.UTC(2020, 0, 1)

/** The zones that may have runs of the filter, highest first. */
export function zonesOf(filter: RunFilter, nowMs: number): Zone[] {
  const { low, high } = boundsOf(filter)
  const tomorrow = nowMs + DAY_MS
  const bottom = low - DAY_MS
  const top = high + DAY_MS
  const isLowBound = bottom > EPOCH_MS
  const isHighBound = top < tomorrow
  const middle: Zone = {
    from: isLowBound ? floorId(bottom) : null,
    before: isHighBound ? floorId(top) : null,
  }
  return [
    ...(isHighBound ? [{ from: floorId(tomorrow), before: null }] : []),
    ...(isHighBound && isLowBound && top <= bottom ? [] : [middle]),
    ...(isLowBound ? [{ from: null, before: floorId(EPOCH_MS) }] : []),
  ]
}

/** The zone in which a page goes on that stands below `before`, cut to what is below it. */
export function nextZone(zones: readonly Zone[], before: string | null): Zone | null {
  for (const zone of zones) {
    if (before === null) return zone
    if (zone.from !== null && before <= zone.from) continue
    return zone.before === null || before < zone.before ? { from: zone.from, before } : zone
  }
  return null
}

/** The lowest id of a millisecond, as rowbeat.uuid7_floor_v1 makes it. */
export function floorId(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`
}

/** Milliseconds between which all runs of the filter were made. */
function boundsOf({ where = [] }: RunFilter): { low: number; high: number } {
  let [low, high] = [-Infinity, Infinity]
  for (const { field, compare, values, isNot } of where) {
    if (isNot) continue
    const [first, last] = [values[0], values.at(-1)].map((value) => parseInstant(value) ?? Number.NaN)
    const isLower = compare === '>' || compare === '>=' || compare === 'from'
    const isUpper = compare === '<' || compare === '<=' || compare === 'from'
    if (field === 'created' && isLower) low = Math.max(low, first!)
    // Nothing is started or finished before it is made.
    if (/^(created|started|finished)$/.test(field) && isUpper) high = Math.min(high, last!)
    // Nor asked for by a run, or a repetition of one, that was made later.
    if ((field === 'parent' || field === 'retry_of') && compare === 'is')
      low = Math.max(low, Math.min(...values.map((id) => timeOf(String(id)))))
  }
  return { low, high }
}

/** When an id was made; long ago for one that does not say. */
function timeOf(id: string): number {
  return id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : -Infinity
}
