/**
 * Time zones as what they are between two changes: pieces of constant offset, in which the wall clock is UTC plus a number. Asking
 * Intl costs a microsecond an offset, so a zone is asked once for each year that matters (a sample every six days, bisected where
 * two differ: 0.2 ms), and from then on it is a look-up. Every change of every zone since 1900 is found that way.
 */
export { checkZone, knownZones, nameZone } from './zone-names.ts'

/** A stretch of constant offset, `from` included, `to` not. The wall clock shows instant + offset. A long one comes in parts, a year each. */
export interface Piece {
  readonly from: number
  readonly to: number
  /** Milliseconds east of UTC. */
  readonly offset: number
  /** The highest the wall clock ever showed before `from`: above `from + offset` right after it was set back. */
  readonly reached: number
}

export interface Change {
  /** The first instant of the new offset. */
  readonly at: number
  /** Offsets in milliseconds east of UTC. */
  readonly before: number
  readonly after: number
}

export interface Zone {
  /** The one an instant lies in. */
  pieceAt(ms: number): Piece
}

export interface Zones {
  open(name: string): Zone
  offsetAt(name: string, ms: number): number
  /** Changes of offset within (fromMs, toMs]. */
  changes(name: string, fromMs: number, toMs: number): Change[]
}

const SECOND = 1000
const DAY = 86_400_000
/** What is asked at once; not the calendar's. */
const YEAR = 365 * DAY
/** Less than a week: so long was the shortest summer time (Recife, 2000). */
const STEP = 6 * DAY
/** No clock was ever set back by more (a day, at the date line). */
const SETBACK = 2 * DAY
/** More than there are, and two centuries of each. */
const ZONES_KEPT = 700
const YEARS_KEPT = 200

export function createZones(): Zones {
  const opened = new Map<string, Zone>()
  const open = (name: string): Zone => keep(opened, name, ZONES_KEPT, createZone)
  return {
    open,
    offsetAt: (name, ms) => open(name).pieceAt(ms).offset,
    changes(name, fromMs, toMs) {
      const zone = open(name)
      const found: Change[] = []
      for (let piece = zone.pieceAt(fromMs); piece.to <= toMs;) {
        const next = zone.pieceAt(piece.to)
        if (next.offset !== piece.offset && piece.to > fromMs)
          found.push({ at: next.from, before: piece.offset, after: next.offset })
        piece = next
      }
      return found
    },
  }
}

function createZone(name: string): Zone {
  const years = new Map<number, Piece[]>()
  let latest: Piece = { from: 0, to: 0, offset: 0, reached: 0 }
  return {
    pieceAt(ms) {
      if (ms >= latest.from && ms < latest.to) return latest
      const pieces = keep(years, Math.floor(ms / YEAR), YEARS_KEPT, (year) => cutYear(name, year))
      latest = pieces.find(({ to }) => ms < to)!
      return latest
    },
  }
}

/** The pieces that tile a year. What came shortly before it is asked too, for the wall time that had been reached. */
function cutYear(name: string, year: number): Piece[] {
  const [from, to] = [year * YEAR, (year + 1) * YEAR]
  const offsetAt = readOffsets(name)
  const pieces: Piece[] = []
  let reached = -Infinity
  for (let start = from - SETBACK; start < to;) {
    const offset = offsetAt(start)
    const end = nextChange(offsetAt, start, to)
    if (end > from) pieces.push({ from: Math.max(start, from), to: end, offset, reached })
    reached = Math.max(reached, end + offset - 1)
    start = end
  }
  return pieces
}

/** The first second after `start` that has another offset, or `limit` if none before it has. */
function nextChange(offsetAt: (ms: number) => number, start: number, limit: number): number {
  const offset = offsetAt(start)
  const last = limit - SECOND
  let [same, other] = [start, start]
  while (offsetAt(other) === offset) {
    if (other === last) return limit
    same = other
    other = Math.min(other + STEP, last)
  }
  while (other - same > SECOND) {
    const middle = same + Math.floor((other - same) / (2 * SECOND)) * SECOND
    if (offsetAt(middle) === offset) same = middle
    else other = middle
  }
  return other
}

/** Intl's answer, such as `1/1/1970, GMT-00:44:30`. The formatter is heavy (50 kB) and not kept. */
function readOffsets(name: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  return (ms) => {
    const match = /GMT([+-])(\d+):(\d+)(?::(\d+))?$/.exec(format.format(ms))
    if (!match) return 0
    const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0)
    return (match[1] === '-' ? -seconds : seconds) * SECOND
  }
}

/** What the map holds, or what `make` makes; the oldest entry goes when there are too many. */
function keep<K, V>(map: Map<K, V>, key: K, limit: number, make: (key: K) => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make(key)
  if (map.size >= limit) map.delete(map.keys().next().value!)
  map.set(key, made)
  return made
}
