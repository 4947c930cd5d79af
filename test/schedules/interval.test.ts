/** Intervals: the real Celery's answers, the calendar, what is refused, and that nothing drifts. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import {
  createInterval,
  describeInterval,
  PERIODS,
  readInterval,
  type IntervalSpec,
  type Period,
} from '../../src/schedules/interval.ts'

const SECONDS: Record<string, number> = {
  days: 86_400,
  hours: 3600,
  minutes: 60,
  seconds: 1,
  microseconds: 1e-6,
}

interface Vector {
  id: string
  run_every: Record<string, number>
  relative: boolean
  last_run_at: string
  now: string
  is_due: boolean
  remaining_seconds: number
  next_seconds?: number
}
const vectors: Vector[] = JSON.parse(
  readFileSync(new URL('../fixtures/conformance/interval.json', import.meta.url), 'utf8'),
)
const lengthMs = ({ run_every }: Vector): number =>
  Object.entries(run_every).reduce((sum, [unit, n]) => sum + n * SECONDS[unit]! * 1000, 0)

const spec = (every: number, period: Period): IntervalSpec => ({ kind: 'interval', every, period })
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

t.test('due and what remains are what Celery says, the last run read as the last due instant', async (t) => {
  const fair = vectors.filter((vector) => !vector.relative && lengthMs(vector) >= 100)
  t.ok(fair.length >= 50)
  for (const vector of fair) {
    const read = readInterval({ every: lengthMs(vector), period: 'milliseconds' }, '')
    if (!('spec' in read)) return t.fail(vector.id)
    const lastMs = Date.parse(vector.last_run_at)
    const nowMs = Date.parse(vector.now)
    const dueMs = createInterval(read.spec, lastMs).next(lastMs)!
    t.equal(dueMs <= nowMs, vector.is_due, vector.id)
    t.equal((dueMs - nowMs) / 1000, vector.remaining_seconds, `${vector.id} remains`)
    if (!vector.is_due) t.equal(vector.remaining_seconds, vector.next_seconds, `${vector.id} next`)
  }
})

t.test(
  'what Celery takes and nobody can mean is refused: zero, negative, relative, under 100 ms',
  async (t) => {
    const unfair = vectors.filter((vector) => lengthMs(vector) < 100)
    t.ok(unfair.length >= 3)
    for (const vector of unfair) {
      const read = readInterval({ every: lengthMs(vector), period: 'milliseconds' }, '/schedule')
      t.match(read, { faults: [{ pointer: '/schedule/every' }] }, vector.id)
    }
  },
)

t.test('every wrong place is told, with what is allowed', async (t) => {
  const whole = { pointer: '/s/every', detail: 'must be a whole number, 1 or more' }
  for (const every of [0, -5, 1.5, '10', null, undefined, Infinity, Number.NaN, 2 ** 53, [10], true])
    t.strictSame(readInterval({ every, period: 'seconds' }, '/s'), { faults: [whole] }, String(every))
  const period = { pointer: '/s/period', detail: `must be ${PERIODS.slice(0, -1).join(', ')} or years` }
  for (const wrong of ['microseconds', 'second', 'SECONDS', '', null, 1, 'constructor'])
    t.strictSame(readInterval({ every: 1, period: wrong }, '/s'), { faults: [period] }, String(wrong))
  t.strictSame(readInterval({}, '/s'), { faults: [whole, period] })
  t.match(readInterval({ every: 99, period: 'milliseconds' }, '/s'), {
    faults: [{ pointer: '/s/every', detail: 'must come to 100 milliseconds or more' }],
  })
  for (const [every, unit] of [
    [1201, 'months'],
    [101, 'years'],
    [36_600, 'days'],
    [1e9, 'days'],
  ] as const)
    t.match(readInterval({ every, period: unit }, '/s'), { faults: [{ detail: /100 years or less/ }] })
  for (const [every, unit] of [
    [100, 'milliseconds'],
    [1200, 'months'],
    [100, 'years'],
    [5217, 'weeks'],
  ] as const)
    t.strictSame(readInterval({ every, period: unit }, '/s'), { spec: spec(every, unit) })
})

t.test('months and years keep the day of the anchor, and a short month gives its last', async (t) => {
  const walk = (every: number, period: Period, anchor: string, count: number): (string | null)[] => {
    const { next } = createInterval(spec(every, period), Date.parse(anchor))
    const found: (string | null)[] = []
    for (let ms: number | null = Date.parse(anchor) - 1; found.length < count;) {
      ms = next(ms!)
      found.push(iso(ms)!.replace('T08:30:00.250Z', ''))
    }
    return found
  }
  t.strictSame(walk(1, 'months', '2026-01-31T08:30:00.250Z', 5), [
    '2026-01-31',
    '2026-02-28',
    '2026-03-31',
    '2026-04-30',
    '2026-05-31',
  ])
  t.strictSame(walk(2, 'months', '2027-12-30T08:30:00.250Z', 3), ['2027-12-30', '2028-02-29', '2028-04-30'])
  t.strictSame(walk(1, 'years', '2024-02-29T08:30:00.250Z', 5), [
    '2024-02-29',
    '2025-02-28',
    '2026-02-28',
    '2027-02-28',
    '2028-02-29',
  ])
  t.strictSame(walk(18, 'months', '1969-08-31T08:30:00.250Z', 3), ['1969-08-31', '1971-02-28', '1972-08-31'])
})

t.test('nothing comes before the anchor, and the anchor is the first', async (t) => {
  const anchor = Date.parse('2026-03-31T12:00:00Z')
  for (const period of PERIODS) {
    const interval = createInterval(spec(100, period), anchor)
    t.equal(interval.next(anchor - 1e12), anchor, period)
    t.equal(interval.previous(anchor), null)
    t.equal(interval.previous(anchor + 1), anchor)
    t.equal(interval.count!(anchor - 1e12, anchor - 1), 0)
    t.equal(interval.count!(anchor - 1e12, anchor), 1)
  }
})

t.test('words', async (t) => {
  t.equal(describeInterval(spec(10, 'seconds')), 'every 10 seconds')
  t.equal(describeInterval(spec(1, 'months')), 'every month')
})

const ANY_SPEC = fc
  .tuple(fc.integer({ min: 1, max: 400 }), fc.constantFrom(...PERIODS))
  .map(([every, period]) =>
    spec(period === 'milliseconds' ? every + 99 : period === 'years' ? Math.min(every, 100) : every, period),
  )
const MOMENT = fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2090, 0) })

t.test('previous is the inverse of next, whatever the moment', async () => {
  fc.assert(
    fc.property(
      ANY_SPEC,
      MOMENT,
      MOMENT,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (any, anchor, ms, part) => {
        const interval = createInterval(any, anchor)
        const moment = ms + part
        const next = interval.next(moment)!
        const before = interval.previous(moment)
        const isNeighbour =
          before === null ? moment <= anchor : [moment, next].includes(interval.next(before)!)
        return (
          next > moment &&
          Number.isInteger(next) &&
          interval.next(next - 1) === next &&
          interval.previous(interval.next(next)!) === next &&
          (before === null || (before < moment && before >= anchor)) &&
          isNeighbour
        )
      },
    ),
    { numRuns: 2000 },
  )
})

t.test('counting agrees with walking', async () => {
  fc.assert(
    fc.property(
      ANY_SPEC,
      MOMENT,
      fc.nat(30),
      fc.nat(30),
      fc.nat(50_000),
      (any, anchor, skip, steps, more) => {
        const interval = createInterval(any, anchor)
        let from = anchor
        for (let i = 0; i < skip; i++) from = interval.next(from)!
        let until = from
        for (let i = 0; i < steps; i++) until = interval.next(until)!
        const beyond = Math.min(interval.next(until)! - 1, until + more)
        return (
          interval.count!(from, beyond) === steps + 1 &&
          interval.count!(from + 0.5, beyond + 0.5) === steps &&
          interval.count!(until, from) === (steps === 0 ? 1 : 0)
        )
      },
    ),
    { numRuns: 1000 },
  )
})

t.test('a century of 100 ms is as quick and exact as the first second', async (t) => {
  const anchor = Date.UTC(1970, 0, 1, 0, 0, 0, 7)
  const interval = createInterval(spec(100, 'milliseconds'), anchor)
  const far = Date.UTC(2070, 0)
  t.equal(interval.next(far), far + 7)
  t.equal(interval.previous(far), far - 93)
  t.equal(interval.count!(anchor, far), far / 100)
})
