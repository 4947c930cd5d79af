/** Any crontab, zone and instant, for properties that hold for all. */
import fc from 'fast-check'

/** A field's text of values, ranges (wrapping too), steps and lists between `min` and `max`. */
function anyField(min: number, max: number): fc.Arbitrary<string> {
  const value = fc.integer({ min, max }).map(String)
  const range = fc.tuple(value, value).map(([from, to]) => `${from}-${to}`)
  const step = fc
    .tuple(fc.oneof(range, fc.constant('*')), fc.integer({ min: 1, max: 20 }))
    .map(([base, n]) => `${base}/${n}`)
  const item = fc.oneof(value, value, range, step)
  const items = fc.array(item, { minLength: 1, maxLength: 4 }).map((list) => list.join(','))
  return fc.oneof({ weight: 3, arbitrary: items }, { weight: 1, arbitrary: fc.constant('*') })
}

/** Days that clash with months are among them: readCrontab refuses those. */
export const anyCrontab = fc.record({
  minute: anyField(0, 59),
  hour: anyField(0, 23),
  day_of_month: fc.oneof(fc.constant('*'), anyField(1, 31)),
  month_of_year: fc.oneof(
    { weight: 2, arbitrary: fc.constant('*') },
    { weight: 1, arbitrary: anyField(1, 12) },
  ),
  day_of_week: fc.oneof(fc.constant('*'), anyField(0, 7)),
  mode: fc.constantFrom('celery', 'cron'),
})

/** Zones whose clocks were changed in odd ways: half an hour, two hours, at midnight, over a whole day, under war time. */
const ODD = [
  'Europe/Kyiv',
  'America/New_York',
  'Australia/Lord_Howe',
  'Antarctica/Troll',
  'America/Havana',
  'Africa/Casablanca',
  'Pacific/Apia',
  'Pacific/Kwajalein',
  'Asia/Pyongyang',
  'America/Caracas',
  'Africa/Monrovia',
]
export const anyZone = fc.constantFrom(...ODD)

/** Whole seconds and not, 1950 to 2045: half of them close to a change of some clock in 2026 or 2011. */
export const anyInstant = fc.oneof(
  fc.integer({ min: Date.UTC(1950, 0), max: Date.UTC(2045, 0) }),
  fc
    .tuple(
      fc.constantFrom(
        '2026-03-29T01:00Z',
        '2026-10-25T01:00Z',
        '2026-04-04T15:00Z',
        '2026-11-01T06:00Z',
        '2011-12-30T10:00Z',
      ),
      fc.integer({ min: -200, max: 200 }),
      fc.constantFrom(0, 1, 30_000, 59_999),
    )
    .map(([at, minutes, ms]) => Date.parse(at) + minutes * 60_000 + ms),
)
