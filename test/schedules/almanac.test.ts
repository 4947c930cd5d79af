/** Timetables and previews: bounds hold, both directions and counting agree, and a preview shows what the beat will fire. */
import fc from 'fast-check'
import t from 'tap'
import { createAlmanac, type Bounds } from '../../src/schedules/almanac.ts'
import { PERIODS } from '../../src/schedules/interval.ts'
import type { ScheduleSpec } from '../../src/schedules/spec.ts'

const almanac = createAlmanac({ zone: 'Europe/Kyiv' })
const spec = (value: object): ScheduleSpec => {
  const read = almanac.read(value)
  if ('spec' in read) return read.spec
  throw new Error(JSON.stringify(read.faults))
}
const SECONDS = spec({ kind: 'interval', every: 10, period: 'seconds' })
const NIGHTLY = spec({ kind: 'crontab', minute: '30', hour: '3' })
const SUNSET = spec({ kind: 'solar', event: 'sunset', latitude: 50.45, longitude: 30.52 })
const CHRISTMAS = spec({ kind: 'clocked', at: '2026-12-24T18:00:00Z' })

const NOON = Date.UTC(2026, 10, 21, 12)
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

t.test('the first instant may be the start, the last may be the end', async (t) => {
  const { next, previous, count } = almanac.timetable(SECONDS, {
    anchorMs: NOON,
    startMs: NOON + 20_000,
    endMs: NOON + 50_000,
  })
  t.equal(next(0), NOON + 20_000)
  t.equal(next(NOON + 20_000), NOON + 30_000)
  t.equal(next(NOON + 40_000), NOON + 50_000)
  t.equal(next(NOON + 50_000), null)
  t.equal(previous(Infinity), NOON + 50_000)
  t.equal(previous(NOON + 50_000), NOON + 40_000)
  t.equal(previous(NOON + 20_001), NOON + 20_000)
  t.equal(previous(NOON + 20_000), null)
  t.equal(count(-Infinity, Infinity, 100), 4)
  t.equal(count(-Infinity, Infinity, 3), 3)
  t.equal(count(NOON + 30_000, NOON + 40_000, 100), 2)
  t.equal(count(NOON + 30_001, NOON + 39_999, 100), 0)
  t.equal(count(NOON + 40_000, NOON + 30_000, 100), 0)
  t.equal(count(NOON, NOON + 90_000, 0), 0)
})

t.test('bounds between instants, and bounds that hold none', async (t) => {
  const within = (startMs: number | null, endMs: number | null): unknown[] => {
    const table = almanac.timetable(SECONDS, { anchorMs: NOON, startMs, endMs })
    return [table.next(0), table.previous(Infinity), table.count(0, Infinity, 9)]
  }
  t.strictSame(within(NOON + 1, NOON + 19_999), [NOON + 10_000, NOON + 10_000, 1])
  t.strictSame(within(NOON + 11_000, NOON + 12_000), [null, null, 0])
  t.strictSame(within(null, NOON - 1), [null, null, 0])
  t.strictSame(within(NOON + 0.25, NOON + 10_000.75), [NOON + 10_000, NOON + 10_000, 1])
})

t.test('each kind has a timetable', async (t) => {
  const walk = (which: ScheduleSpec): (string | null)[] => {
    const { next } = almanac.timetable(which, { anchorMs: NOON - 1000 })
    const first = next(NOON)
    return [iso(first), iso(first === null ? null : next(first))]
  }
  t.strictSame(walk(SECONDS), ['2026-11-21T12:00:09.000Z', '2026-11-21T12:00:19.000Z'])
  t.strictSame(walk(NIGHTLY), ['2026-11-22T01:30:00.000Z', '2026-11-23T01:30:00.000Z'])
  t.match(walk(SUNSET), [/^2026-11-21T14:05:/, /^2026-11-22T14:04:/])
  t.strictSame(walk(CHRISTMAS), ['2026-12-24T18:00:00.000Z', null])
})

t.test('an interval without drift: what counts is the anchor, not when anybody asked', async (t) => {
  const table = almanac.timetable(spec({ kind: 'interval', every: 1, period: 'hours' }), { anchorMs: NOON })
  t.equal(table.next(NOON + 3_600_000 + 1234), NOON + 2 * 3_600_000)
  t.equal(table.next(NOON + 1000 * 3_600_000 + 1), NOON + 1001 * 3_600_000)
})

t.test('nothing is later than the year 9999, nor earlier than the year 1', async (t) => {
  const [first, last] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')]
  for (const any of [SECONDS, NIGHTLY, SUNSET]) {
    const table = almanac.timetable(any, { anchorMs: first })
    const [earliest, latest] = [table.next(-Infinity)!, table.previous(Infinity)!]
    t.ok(earliest >= first && earliest < first + 3 * 86_400_000, any.kind)
    t.ok(latest <= last && latest > last - 3 * 86_400_000, any.kind)
    t.equal(table.next(latest), null)
  }
})

t.test('a text that was read before gives the same schedule, a wrong one the same faults', async (t) => {
  const text = '{"kind": "crontab", "hour": "3"}'
  const first = almanac.readText(text)
  t.match(first, { spec: { hour: '3', timezone: 'Europe/Kyiv' } })
  t.equal(almanac.readText(text), first)
  t.strictSame(almanac.readText('{"kind": "interval", "every": 0, "period": "days"}'), {
    faults: [{ pointer: '/every', detail: 'must be a whole number, 1 or more' }],
  })
  t.match(almanac.readText('[]'), { faults: [{ pointer: '' }] })
})

t.test('it stays right for more schedules than it keeps', async (t) => {
  const small = createAlmanac()
  const at = (i: number): string =>
    JSON.stringify({
      kind: 'crontab',
      minute: `${i % 60}`,
      hour: `${Math.floor(i / 60) % 24}`,
      day_of_month: `${1 + (i % 5)}`,
    })
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 6000; i++) {
      const read = small.readText(at(i))
      if (!('spec' in read)) return t.fail(at(i))
      const next = new Date(small.timetable(read.spec, { anchorMs: 0 }).next(NOON)!)
      if (next.getUTCMinutes() !== i % 60 || next.getUTCDate() !== 1 + (i % 5)) return t.fail(at(i))
    }
})

const DAY = 86_400_000
const ANY_SPEC = fc.oneof(
  fc
    .tuple(fc.integer({ min: 100, max: 5000 }), fc.constantFrom(...PERIODS.slice(0, 6)))
    .map(([every, period]) => spec({ kind: 'interval', every, period })),
  fc
    .tuple(fc.integer({ min: 1, max: 30 }), fc.constantFrom('months', 'years'))
    .map(([every, period]) => spec({ kind: 'interval', every, period })),
  fc
    .record({
      minute: fc.constantFrom('*', '*/20', '30', '0,15', '59'),
      hour: fc.constantFrom('*', '*/6', '3', '22-2', '1,2,3'),
      day_of_week: fc.constantFrom('*', 'sun', 'fri-mon'),
      timezone: fc.constantFrom('UTC', 'Europe/Kyiv', 'America/New_York', 'Australia/Lord_Howe'),
    })
    .map((fields) => spec({ kind: 'crontab', ...fields })),
  fc
    .constantFrom('sunrise', 'solar_noon', 'dusk_civil')
    .map((event) => spec({ kind: 'solar', event, latitude: 60, longitude: 179 })),
  fc
    .integer({ min: Date.UTC(2026, 0), max: Date.UTC(2028, 0) })
    .map((ms) => spec({ kind: 'clocked', at: iso(ms) })),
)
const MOMENT = fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2028, 0) })
const BOUNDS: fc.Arbitrary<Bounds> = fc.record({
  anchorMs: MOMENT,
  startMs: fc.option(MOMENT),
  endMs: fc.option(MOMENT.map((ms) => ms + 400 * DAY)),
})

t.test('bounds hold, previous is the inverse of next, counting agrees with walking', async () => {
  fc.assert(
    fc.property(ANY_SPEC, BOUNDS, MOMENT, fc.integer({ min: 1, max: 12 }), (any, bounds, from, steps) => {
      const table = almanac.timetable(any, bounds)
      const [first, last] = [bounds.startMs ?? -Infinity, bounds.endMs ?? Infinity]
      const found: number[] = []
      for (let ms = table.next(from - 1); ms !== null && found.length < steps; ms = table.next(ms))
        found.push(ms)
      const until = found.at(-1)
      if (until === undefined)
        return table.count(from, Infinity, 5) === 0 && (table.previous(Infinity) ?? -Infinity) < from
      return (
        found.every(
          (ms, i) => ms >= Math.max(from, first) && ms <= last && ms > (found[i - 1] ?? -Infinity),
        ) &&
        found.every((ms, i) => i === 0 || table.previous(ms) === found[i - 1]) &&
        found.every((ms) => table.previous(ms + 1) === ms) &&
        (table.previous(found[0]!) ?? -Infinity) < from &&
        table.count(from, until, 1000) === found.length &&
        table.count(from, until, 3) === Math.min(3, found.length) &&
        table.count(found[0]! + 1, until, 1000) === found.length - 1
      )
    }),
    { numRuns: 1500 },
  )
})

t.test('a preview shows what the beat will fire, within the bounds', async () => {
  fc.assert(
    fc.property(ANY_SPEC, BOUNDS, MOMENT, fc.nat(8), (any, bounds, after, count) => {
      const shown = almanac.preview(any, bounds, after, count)
      const table = almanac.timetable(any, bounds)
      const fired: string[] = []
      for (let ms = table.next(after); ms !== null && fired.length < count; ms = table.next(ms))
        fired.push(iso(ms)!)
      return (
        JSON.stringify(shown.next) === JSON.stringify(fired) &&
        JSON.stringify(shown.runs.map(({ at }) => at)) === JSON.stringify(fired) &&
        shown.text === table.text
      )
    }),
    { numRuns: 500 },
  )
})

t.test('a preview of a kind that knows no zone: local is UTC, and no clock is changed', async (t) => {
  t.strictSame(almanac.preview(SECONDS, { anchorMs: NOON }, NOON, 2), {
    next: ['2026-11-21T12:00:10.000Z', '2026-11-21T12:00:20.000Z'],
    runs: [
      { at: '2026-11-21T12:00:10.000Z', local: '2026-11-21T12:00:10.000Z', dst: null },
      { at: '2026-11-21T12:00:20.000Z', local: '2026-11-21T12:00:20.000Z', dst: null },
    ],
    changes: [],
    text: 'every 10 seconds',
    notes: [],
  })
})

t.test('a preview of a crontab: the wall clock, and what a change of it does', async (t) => {
  const spring = almanac.preview(NIGHTLY, { anchorMs: 0 }, Date.UTC(2027, 2, 27), 3)
  t.match(spring, {
    next: ['2027-03-27T01:30:00.000Z', '2027-03-28T01:00:00.000Z', '2027-03-29T00:30:00.000Z'],
    runs: [
      { at: '2027-03-27T01:30:00.000Z', local: '2027-03-27T03:30:00+02:00', dst: null },
      { at: '2027-03-28T01:00:00.000Z', local: '2027-03-28T04:00:00+03:00', dst: 'moved' },
      { at: '2027-03-29T00:30:00.000Z', local: '2027-03-29T03:30:00+03:00', dst: null },
    ],
    changes: [{ at: '2027-03-28T01:00:00.000Z', before: '+02:00', after: '+03:00' }],
    text: 'at 03:30',
    notes: [/Europe\/Kyiv go forward/],
  })
  const autumn = almanac.preview(NIGHTLY, { anchorMs: 0 }, Date.UTC(2027, 9, 30), 3)
  t.match(autumn, {
    runs: [{}, { local: '2027-10-31T03:30:00+03:00', dst: 'first-only' }, {}],
    changes: [{ before: '+03:00', after: '+02:00' }],
  })
  const west = spec({ kind: 'crontab', minute: '30', hour: '2', timezone: 'America/St_Johns' })
  t.match(almanac.preview(west, { anchorMs: 0 }, Date.UTC(2027, 2, 13, 12), 1), {
    changes: [{ before: '-03:30', after: '-02:30' }],
  })
})

t.test('a preview that an end cuts short explains no more than it shows', async (t) => {
  const cut = almanac.preview(
    NIGHTLY,
    { anchorMs: 0, endMs: Date.UTC(2027, 2, 27, 12) },
    Date.UTC(2027, 2, 26),
    9,
  )
  t.match(cut, { next: ['2027-03-26T01:30:00.000Z', '2027-03-27T01:30:00.000Z'], changes: [], notes: [] })
  t.equal(cut.runs.length, 2)
  const late = almanac.preview(
    NIGHTLY,
    { anchorMs: 0, startMs: Date.UTC(2027, 2, 29) },
    Date.UTC(2027, 2, 26),
    1,
  )
  t.match(late, { next: ['2027-03-29T00:30:00.000Z'] })
})

t.test('notes say what the rows alone do not', async (t) => {
  const notes = (value: object, bounds: Bounds, after = NOON, count = 4): string[] =>
    almanac.preview(spec(value), bounds, after, count).notes
  const anchorMs = Date.UTC(2026, 11, 31)
  t.match(notes({ kind: 'interval', every: 1, period: 'months' }, { anchorMs }), [/last day/])
  t.strictSame(
    notes({ kind: 'interval', every: 1, period: 'months' }, { anchorMs: Date.UTC(2026, 11, 28) }),
    [],
  )
  const polar = { kind: 'solar', event: 'sunset', latitude: 78.22, longitude: 15.63 }
  t.match(notes(polar, { anchorMs }, Date.UTC(2027, 1, 12), 200), [/not happen each day/])
  t.strictSame(notes(polar, { anchorMs }, Date.UTC(2027, 2, 1), 10), [])
  t.strictSame(notes({ kind: 'clocked', at: '2026-01-01T00:00:00Z' }, { anchorMs }), [
    'No instant of it lies ahead.',
  ])
})

t.test('a preview has a thousand rows at most, and none when none are asked for', async (t) => {
  t.equal(almanac.preview(SECONDS, { anchorMs: 0 }, NOON, 1e9).next.length, 1000)
  t.match(almanac.preview(SECONDS, { anchorMs: 0 }, NOON, 0), { next: [], notes: [] })
})
