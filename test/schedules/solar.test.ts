/** The sun: the real Celery's answers, the same instant whoever asks from wherever, polar days, what is refused. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import {
  createSolar,
  describeSolar,
  readSolar,
  SOLAR_EVENTS,
  type SolarEvent,
  type SolarSpec,
} from '../../src/schedules/solar.ts'

interface Vector {
  id: string
  lat: number
  lon: number
  event: SolarEvent
  last_run_at: string
  /** Three, or where Celery crashes the one day it happens next. */
  next?: string[]
  next_day_it_happens?: string
}
interface Construction {
  event: string
  lat: unknown
  lon: unknown
  ok: boolean
}
const fixture: { vectors: Vector[]; constructor: Construction[] } = JSON.parse(
  readFileSync(new URL('../fixtures/conformance/solar.json', import.meta.url), 'utf8'),
)

const DAY = 86_400_000
const spec = (event: SolarEvent, latitude: number, longitude: number): SolarSpec => ({
  kind: 'solar',
  event,
  latitude,
  longitude,
})

t.test('instants are those of Celery, and where it crashes the next day it happens', async (t) => {
  t.ok(fixture.vectors.length >= 100)
  let worst = 0
  for (const { id, event, lat, lon, last_run_at, next, next_day_it_happens } of fixture.vectors) {
    const solar = createSolar(spec(event, lat, lon))
    let ms = Date.parse(last_run_at)
    for (const wanted of next ?? [next_day_it_happens!]) {
      ms = solar.next(ms)!
      const error = Math.abs(ms - Date.parse(wanted))
      worst = Math.max(worst, error)
      t.ok(error <= 60_000, `${id} ${event} ${wanted}, found ${new Date(ms).toISOString()}`)
      t.equal(ms % 1000, 0, `${id} in whole seconds`)
    }
  }
  // Half of it is the rounding: whoever swaps the engine for a coarser one should notice.
  t.ok(worst < 1000, `the worst is off by ${worst} ms`)
})

t.test('what Celery refuses is refused, and what it takes is taken', async (t) => {
  for (const { event, lat, lon, ok } of fixture.constructor) {
    const read = readSolar({ event, latitude: lat, longitude: lon }, '/schedule')
    t.equal('spec' in read, ok, JSON.stringify([event, lat, lon]))
  }
})

t.test('every wrong place is told, with what is allowed', async (t) => {
  const latitude = {
    pointer: '/s/latitude',
    detail: 'must be a number of degrees from -90 to 90, north of the equator positive',
  }
  const longitude = {
    pointer: '/s/longitude',
    detail: 'must be a number of degrees from -180 to 180, east of Greenwich positive',
  }
  const event = {
    pointer: '/s/event',
    detail:
      'must be dawn_astronomical, dawn_civil, dawn_nautical, dusk_astronomical, dusk_civil, dusk_nautical, solar_noon, sunrise or sunset',
  }
  t.strictSame(readSolar({}, '/s'), { faults: [event, latitude, longitude] })
  for (const wrong of [90.000001, -90.1, Number.NaN, Infinity, '50', null, [50]])
    t.strictSame(readSolar({ event: 'sunset', latitude: wrong, longitude: 0 }, '/s'), { faults: [latitude] })
  for (const wrong of [180.01, -181, '30', undefined, true])
    t.strictSame(readSolar({ event: 'sunset', latitude: 0, longitude: wrong }, '/s'), { faults: [longitude] })
  for (const wrong of ['moonrise', '', 'Sunset', 'constructor', 1])
    t.strictSame(readSolar({ event: wrong, latitude: 0, longitude: 0 }, '/s'), { faults: [event] })
  t.strictSame(readSolar({ event: 'sunset', latitude: -0, longitude: -180 }, '/s'), {
    spec: spec('sunset', 0, -180),
  })
})

t.test('a day has its events in their order: dusk is after sunset, dawn before sunrise', async (t) => {
  const order: SolarEvent[] = [
    'dawn_astronomical',
    'dawn_nautical',
    'dawn_civil',
    'sunrise',
    'solar_noon',
    'sunset',
    'dusk_civil',
    'dusk_nautical',
    'dusk_astronomical',
  ]
  t.strictSame([...order].toSorted(), [...SOLAR_EVENTS])
  for (const [latitude, longitude] of [
    [50.45, 30.52],
    [-36.8, 174.76],
    [0, -78.5],
  ] as const) {
    const night = createSolar(spec('solar_noon', latitude, longitude)).next(Date.UTC(2026, 2, 20))! - DAY / 2
    const times = order.map((event) => createSolar(spec(event, latitude, longitude)).next(night)!)
    t.strictSame(
      times,
      times.toSorted((a, b) => a - b),
    )
    t.ok(times.at(-1)! - night < DAY)
  }
})

t.test('no day is lost or doubled where an event wanders over midnight UTC', async (t) => {
  // Solar noon near the date line crosses midnight four times a year; sunrise and sunset, at these places, twice.
  for (const [event, longitude] of [
    ['solar_noon', 180],
    ['solar_noon', -179.2],
    ['solar_noon', 176.5],
    ['sunrise', 90.3],
    ['sunset', -91.1],
  ] as const) {
    const solar = createSolar(spec(event, 12, longitude))
    const found: number[] = []
    for (let ms = Date.UTC(2026, 0); found.length < 800; found.push(ms)) ms = solar.next(ms)!
    const gaps = found.slice(1).map((ms, i) => ms - found[i]!)
    t.ok(
      gaps.every((gap) => Math.abs(gap - DAY) < 120_000),
      `${event} at ${longitude}`,
    )
    const isNearMidnight =
      found.some((ms) => ms % DAY < 120_000) && found.some((ms) => ms % DAY > DAY - 120_000)
    t.ok(isNearMidnight, 'it does cross')
  }
})

t.test('no day is lost or doubled where an event falls on midnight to the millisecond', async (t) => {
  // A search of the day before and one of the day itself disagree by parts of a second: places are moved 12 ms at a time over it.
  const [before, midnight] = [Date.UTC(2026, 4, 9, 12), Date.UTC(2026, 4, 12)]
  for (const event of ['solar_noon', 'sunset', 'dawn_civil'] as const) {
    const offMs = (longitude: number): number => {
      const found = createSolar(spec(event, 40, longitude)).next(midnight - DAY / 2)!
      return ((found - midnight + 1.5 * DAY) % DAY) - DAY / 2
    }
    let place = 0
    for (let i = 0; i < 4; i++) place = ((place + offMs(place) / 240_000 + 540) % 360) - 180
    for (let step = -250; step <= 250; step++) {
      const solar = createSolar(spec(event, 40, place + step * 0.000_05))
      const found: number[] = []
      for (let ms = before; found.length < 4; found.push(ms)) ms = solar.next(ms)!
      const isDaily = found.every((ms, i) => i === 0 || Math.abs(ms - found[i - 1]! - DAY) < 180_000)
      const isInverse = found.every((ms, i) => i === 0 || solar.previous(ms) === found[i - 1])
      if (!isDaily || !isInverse)
        return t.fail(
          `${event} at ${place + step * 0.000_05}: ${found.map((ms) => new Date(ms).toISOString())}`,
        )
    }
    t.ok(Math.abs(offMs(place)) < 1000, `${event} is at midnight at ${place}`)
  }
})

const PLACE = fc.tuple(
  fc.constantFrom(...SOLAR_EVENTS),
  fc.oneof(fc.integer({ min: -66, max: 66 }), fc.double({ min: -90, max: 90, noNaN: true })),
  fc.double({ min: -180, max: 180, noNaN: true }),
)
const MOMENT = fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2060, 0) })

t.test(
  'whoever asks, and from wherever, finds the same instants; previous is the inverse of next',
  async () => {
    fc.assert(
      fc.property(
        PLACE,
        MOMENT,
        fc.double({ min: 0, max: 1, noNaN: true }),
        ([event, latitude, longitude], ms, part) => {
          const one = createSolar(spec(event, latitude, longitude))
          const next = one.next(ms)!
          const after = one.next(next)!
          // Another beat, that begins between the two, or a hair before the one.
          const between = Math.floor(next + part * (after - 1 - next))
          const other = createSolar(spec(event, latitude, longitude))
          return (
            next > ms &&
            after > next &&
            other.next(between) === after &&
            other.next(next - 1) === next &&
            other.previous(between + 1) === next &&
            other.previous(after) === next &&
            other.previous(next)! <= ms
          )
        },
      ),
      { numRuns: 150 },
    )
  },
)

t.test('each event comes within a year at every latitude, the poles too', async (t) => {
  for (const latitude of [90, 89.9, 85, 78.22, 66.5, -66.5, -71, -89.99, -90])
    for (const event of SOLAR_EVENTS) {
      const from = Date.UTC(2026, 5, 21)
      const next = createSolar(spec(event, latitude, 15.6)).next(from)
      t.ok(next !== null && next - from < 367 * DAY, `${event} at ${latitude}`)
    }
})

t.test('words', async (t) => {
  t.equal(describeSolar(spec('sunset', 50.45, 30.52)), 'at sunset at 50.45, 30.52')
  t.equal(describeSolar(spec('dawn_astronomical', -33, 18)), 'at astronomical dawn at -33, 18')
})
