/**
 * Nine events of the sun at a place, by astronomy-engine. What a search of it answers depends by parts of a second on
 * where it starts, and two beats must name the same instant: so each day is searched from the same moment, shortly before
 * its UTC midnight, and what is found is rounded to whole seconds. Where the sun does not do it for months, the next
 * day it happens counts; at every latitude each event happens within a year.
 *
 * The package is loaded with the first schedule of the kind whose instants are asked for: it costs 6 ms and 5 MB, which a
 * process that only enqueues, or has none, does not pay.
 */
import { createRequire } from 'node:module'
import { oneOf } from '../check.ts'
import type { Fault } from '../errors.ts'
import type { Cadence } from './cadence.ts'
import { createShelf } from './shelf.ts'

type Astronomy = typeof import('astronomy-engine')
type Observer = InstanceType<Astronomy['Observer']>
/** The next time from `start` on, within `days`, or null. */
type Search = (astronomy: Astronomy, observer: Observer, start: Date, days: number) => Date | null

const crossing =
  (direction: 1 | -1, altitude: number): Search =>
  ({ Body, SearchAltitude }, observer, start, days) =>
    SearchAltitude(Body.Sun, observer, direction, start, days, altitude)?.date ?? null
const horizon =
  (direction: 1 | -1): Search =>
  ({ Body, SearchRiseSet }, observer, start, days) =>
    SearchRiseSet(Body.Sun, observer, direction, start, days)?.date ?? null
const noon: Search = ({ Body, SearchHourAngle }, observer, start) =>
  SearchHourAngle(Body.Sun, observer, 0, start).time.date

const EVENTS = {
  dawn_astronomical: { words: 'astronomical dawn', search: crossing(1, -18) },
  dawn_civil: { words: 'civil dawn', search: crossing(1, -6) },
  dawn_nautical: { words: 'nautical dawn', search: crossing(1, -12) },
  dusk_astronomical: { words: 'astronomical dusk', search: crossing(-1, -18) },
  dusk_civil: { words: 'civil dusk', search: crossing(-1, -6) },
  dusk_nautical: { words: 'nautical dusk', search: crossing(-1, -12) },
  solar_noon: { words: 'solar noon', search: noon },
  sunrise: { words: 'sunrise', search: horizon(1) },
  sunset: { words: 'sunset', search: horizon(-1) },
} as const satisfies Record<string, { words: string; search: Search }>

export type SolarEvent = keyof typeof EVENTS
export const SOLAR_EVENTS = Object.keys(EVENTS) as readonly SolarEvent[]

export interface SolarSpec {
  kind: 'solar'
  event: SolarEvent
  /** Degrees, north of the equator positive. */
  latitude: number
  /** Degrees, east of Greenwich positive. */
  longitude: number
}

export function readSolar(
  { event, latitude, longitude }: Readonly<Record<string, unknown>>,
  pointer: string,
): { spec: SolarSpec } | { faults: Fault[] } {
  const faults = Object.entries({
    event: oneOf(...SOLAR_EVENTS)(event),
    latitude: degrees(latitude, 90, 'north of the equator'),
    longitude: degrees(longitude, 180, 'east of Greenwich'),
  }).flatMap(([field, detail]) => (detail ? [{ pointer: `${pointer}/${field}`, detail }] : []))
  if (faults.length > 0) return { faults }
  // A negative zero is the same place, and JSON does not tell it from zero.
  const [lat, lon] = [(latitude as number) + 0, (longitude as number) + 0]
  return { spec: { kind: 'solar', event: event as SolarEvent, latitude: lat, longitude: lon } }
}

function degrees(value: unknown, most: number, positive: string): string | null {
  return typeof value === 'number' && value >= -most && value <= most
    ? null
    : `must be a number of degrees from -${most} to ${most}, ${positive} positive`
}

export function describeSolar({ event, latitude, longitude }: SolarSpec): string {
  return `at ${EVENTS[event].words} at ${latitude}, ${longitude}`
}

const DAY_MS = 86_400_000
const SECOND_MS = 1000
const MINUTE_MS = 60_000
/** Each day's search begins and ends so far beyond it, so that what happens at midnight is found by one of two, or by both. */
const LEAD_MS = 10 * MINUTE_MS
const EDGE_MS = 2 * SECOND_MS
/** Longer than the longest polar day or night. */
const SEARCH_DAYS = 400
const DAYS_KEPT = 64

export function createSolar(spec: SolarSpec): Cadence {
  const searchDay = createDaySearch(spec)
  const days = createShelf<number, readonly number[]>(DAYS_KEPT)
  const found = (day: number): readonly number[] => days.get(day, () => searchDay(day))
  /** Instants of a day: what the day before has found, too, is that day's. */
  const instants = (day: number): readonly number[] => {
    const times = found(day)
    if (times.length === 0 || times[0]! > day * DAY_MS + 2 * EDGE_MS) return times
    const last = found(day - 1).at(-1) ?? -Infinity
    return times.filter((time) => time - last > MINUTE_MS)
  }
  return {
    next(afterMs) {
      const first = Math.floor((afterMs - EDGE_MS) / DAY_MS)
      for (let day = first; day <= first + SEARCH_DAYS; day++) {
        const time = instants(day).find((one) => one > afterMs)
        if (time !== undefined) return time
      }
      return null
    },
    previous(beforeMs) {
      const first = Math.floor((beforeMs + EDGE_MS) / DAY_MS)
      for (let day = first; day >= first - SEARCH_DAYS; day--) {
        const time = instants(day).findLast((one) => one < beforeMs)
        if (time !== undefined) return time
      }
      return null
    },
  }
}

/** What a search that begins just before a UTC day finds in it, in whole seconds and in order. */
function createDaySearch({ event, latitude, longitude }: SolarSpec): (day: number) => readonly number[] {
  const astronomy = createRequire(import.meta.url)('astronomy-engine') as Astronomy
  const observer = new astronomy.Observer(latitude, longitude, 0)
  const { search } = EVENTS[event]
  return (day) => {
    const [fromMs, untilMs] = [day * DAY_MS - EDGE_MS, (day + 1) * DAY_MS + EDGE_MS]
    const times: number[] = []
    let startMs = day * DAY_MS - LEAD_MS
    while (startMs < untilMs) {
      const time = search(astronomy, observer, new Date(startMs), (untilMs - startMs) / DAY_MS)?.getTime()
      if (time === undefined || time > untilMs) break
      if (time > fromMs) times.push(Math.round(time / SECOND_MS) * SECOND_MS)
      startMs = time + MINUTE_MS
    }
    return times
  }
}
