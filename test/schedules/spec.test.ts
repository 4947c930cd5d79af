/** The one reader of a schedule: complete, canonical, strict, and every wrong place told with what is allowed. */
import fc from 'fast-check'
import t from 'tap'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { PERIODS } from '../../src/schedules/interval.ts'
import { SOLAR_EVENTS } from '../../src/schedules/solar.ts'
import { describeSpec, readSpec, type ScheduleSpec } from '../../src/schedules/spec.ts'

const read = (value: unknown): unknown => readSpec(value, '/schedule', 'Europe/Kyiv')

t.test('what is read is complete, in one order and one spelling', async (t) => {
  const same = (value: unknown, text: string): void => {
    const answer = readSpec(value, '', 'Europe/Kyiv')
    t.equal('spec' in answer ? JSON.stringify(answer.spec) : answer.faults, text)
  }
  same(
    { hour: 3, kind: 'crontab' },
    '{"kind":"crontab","minute":"*","hour":"3","day_of_month":"*","month_of_year":"*","day_of_week":"*","timezone":"Europe/Kyiv","mode":"celery"}',
  )
  same(
    { period: 'seconds', every: 10, kind: 'interval' },
    '{"kind":"interval","every":10,"period":"seconds"}',
  )
  same(
    { kind: 'solar', longitude: 30.52, latitude: -0, event: 'sunset' },
    '{"kind":"solar","event":"sunset","latitude":0,"longitude":30.52}',
  )
  same(
    { at: '2027-01-01T02:00:00+02:00', kind: 'clocked' },
    '{"kind":"clocked","at":"2027-01-01T00:00:00.000Z"}',
  )
})

t.test('two spellings of one schedule are equal, two schedules are not', async (t) => {
  const text = (value: object): string => JSON.stringify((read(value) as { spec: ScheduleSpec }).spec)
  const sunset = { kind: 'solar', event: 'sunset', latitude: 50, longitude: 30 }
  t.equal(text(sunset), text({ longitude: 30.0, latitude: 5e1, event: 'sunset', kind: 'solar' }))
  t.equal(
    text({ kind: 'crontab', hour: 3 }),
    text({ kind: 'crontab', timezone: 'Europe/Kyiv', hour: '3', minute: '*' }),
  )
  t.equal(
    text({ kind: 'clocked', at: '2027-01-01T02:00:00+02:00' }),
    text({ kind: 'clocked', at: '2027-01-01T00:00:00.000Z' }),
  )
  for (const other of [{ event: 'sunrise' }, { latitude: 51 }, { longitude: -30 }])
    t.not(text(sunset), text({ ...sunset, ...other }))
})

t.test('a zone that is named stands against the default one', async (t) => {
  t.match(readSpec({ kind: 'crontab', timezone: 'Asia/Tashkent' }, '', 'UTC'), {
    spec: { timezone: 'Asia/Tashkent' },
  })
})

t.test('only an object is a schedule', async (t) => {
  const detail = 'must be an object such as {"kind": "interval", "every": 10, "period": "minutes"}'
  for (const value of ['0 3 * * *', '@daily', 10, null, undefined, true, [], [{ kind: 'interval' }]])
    t.strictSame(read(value), { faults: [{ pointer: '/schedule', detail }] }, JSON.stringify(value))
})

t.test('an unknown kind is refused with those that are known', async (t) => {
  const detail = 'must be crontab, interval, solar or clocked'
  for (const kind of [undefined, null, '', 'cron', 'Interval', 'toString', '__proto__', 1, ['crontab'], {}])
    t.strictSame(read({ kind, every: 1 }), { faults: [{ pointer: '/schedule/kind', detail }] }, String(kind))
})

t.test('an unknown key is refused beside what else is wrong, with those that are known', async (t) => {
  t.strictSame(read({ kind: 'interval', every: 0, period: 'hours', 'a/b~c': 1 }), {
    faults: [
      {
        pointer: '/schedule/a~1b~0c',
        detail: 'is no part of a schedule of kind interval; known are every, period',
      },
      { pointer: '/schedule/every', detail: 'must be a whole number, 1 or more' },
    ],
  })
  for (const kind of ['crontab', 'interval', 'solar', 'clocked'])
    t.match(
      read({
        kind,
        every: 1,
        period: 'days',
        event: 'sunset',
        latitude: 0,
        longitude: 0,
        at: '2030-01-01T00:00:00Z',
        minute: '1',
      }),
      {
        faults: [{ pointer: /^\/schedule\// }],
      },
    )
})

t.test("Celery's relative is refused with what to do instead, whatever its value", async (t) => {
  for (const relative of [true, false, null])
    t.match(read({ kind: 'interval', every: 1, period: 'days', relative }), {
      faults: [{ pointer: '/schedule/relative', detail: /anchor.* use a crontab$/ }],
    })
})

t.test('words for each kind', async (t) => {
  const words = (value: unknown): string => describeSpec((read(value) as { spec: ScheduleSpec }).spec)
  t.equal(words({ kind: 'interval', every: 10, period: 'seconds' }), 'every 10 seconds')
  t.equal(words({ kind: 'crontab', minute: '0', hour: '3' }), 'at 03:00')
  t.equal(
    words({ kind: 'solar', event: 'sunset', latitude: 50.45, longitude: 30.52 }),
    'at sunset at 50.45, 30.52',
  )
  t.equal(words({ kind: 'clocked', at: '2026-12-24T18:00:00Z' }), 'once at 2026-12-24T18:00:00.000Z')
})

const FIELD = fc.oneof(
  fc.constantFrom(
    '*',
    '*/5',
    '0',
    '1-5',
    'mon-fri',
    'fri-mon',
    '22-2',
    '5/2',
    '',
    'L',
    '7',
    '31',
    '60',
    '1,2,3',
  ),
  fc.string({ maxLength: 5 }),
  fc.integer({ min: -1, max: 70 }),
)
const ANY = fc.oneof(
  fc.record(
    {
      kind: fc.constant('crontab'),
      minute: FIELD,
      hour: FIELD,
      day_of_month: FIELD,
      month_of_year: FIELD,
      day_of_week: FIELD,
      timezone: fc.constantFrom('UTC', 'Europe/Kyiv', 'Mars/Olympus'),
      mode: fc.constantFrom('celery', 'cron', 'quartz'),
    },
    { requiredKeys: ['kind'] },
  ),
  fc.record({
    kind: fc.constant('interval'),
    every: fc.oneof(fc.integer(), fc.double(), fc.nat(1000)),
    period: fc.constantFrom(...PERIODS, 'second'),
  }),
  fc.record({
    kind: fc.constant('solar'),
    event: fc.constantFrom(...SOLAR_EVENTS, 'moonrise'),
    latitude: fc.double({ min: -95, max: 95 }),
    longitude: fc.double({ min: -185, max: 185 }),
  }),
  fc.record({
    kind: fc.constant('clocked'),
    at: fc.date().map((date) => String(date.getTime() ? date.toJSON() : '')),
  }),
  fc.anything(),
  fc.dictionary(fc.string(), fc.anything()).map((rest) => ({ kind: 'crontab', ...rest })),
)

t.test(
  'whatever is given, it is a schedule that has its instants or it has faults; never an exception',
  async () => {
    const almanac = createAlmanac()
    const now = Date.UTC(2026, 10, 21)
    fc.assert(
      fc.property(ANY, (value) => {
        const answer = readSpec(value, '/schedule', 'UTC')
        if ('faults' in answer)
          return (
            answer.faults.length > 0 &&
            answer.faults.every(
              ({ pointer, detail }) => pointer.startsWith('/schedule') && /^[a-z"]/.test(detail),
            )
          )
        // Read again, it is itself; and it runs.
        const again = readSpec(JSON.parse(JSON.stringify(answer.spec)), '', 'Asia/Seoul')
        const timetable = almanac.timetable(answer.spec, { anchorMs: now })
        const next = timetable.next(now)
        return (
          'spec' in again &&
          JSON.stringify(again.spec) === JSON.stringify(answer.spec) &&
          timetable.text.length > 0 &&
          (answer.spec.kind === 'clocked' || next !== null)
        )
      }),
      { numRuns: 3000 },
    )
  },
)
