/**
 * When a crontab runs: every answer of the real Celery that its README says to follow, cron's own rule for days, and what must hold
 * for any crontab whatever. Changes of the clock have their own file (dst.test.ts).
 */
import { readFileSync } from 'node:fs'
import { CronFieldCollection } from 'cron-parser'
import fc from 'fast-check'
import t from 'tap'
import {
  createCrontabClock,
  fieldsOf,
  readCrontab,
  type CrontabClock,
  type CrontabSpec,
} from '../../src/schedules/crontab.ts'
import { createZones } from '../../src/schedules/zone.ts'
import { anyCrontab, anyInstant, anyZone } from './crontab-any.ts'

const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/conformance/${name}.json`, import.meta.url), 'utf8'))

type Fields = Record<string, unknown>
const zones = createZones()

function read(fields: Fields, timezone: string, mode = 'celery'): CrontabSpec {
  const crontab = readCrontab({ ...fields, timezone, mode }, '', 'UTC')
  if ('spec' in crontab) return crontab.spec
  throw new TypeError(JSON.stringify(crontab.faults))
}
const clockOf = (fields: Fields, timezone: string, mode?: string): CrontabClock =>
  createCrontabClock(read(fields, timezone, mode), zones)

const iso = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString().replace('.000Z', 'Z')
const next = (clock: CrontabClock, after: string): string | null => iso(clock.next(Date.parse(after)))

/** The next three. */
function three(clock: CrontabClock, after: string): (string | null)[] {
  const first = next(clock, after)
  const second = first && next(clock, first)
  return [first, second, second && next(clock, second)]
}

t.test('every crontab of the real Celery runs at the same three instants', (t) => {
  const vectors: {
    id: string
    spec: Fields
    timezone: string
    last_run_at: string
    expanded: Record<string, number[]>
    next: string[]
    cron_or_next?: string[]
  }[] = load('crontab')
  t.ok(vectors.length > 700)
  let ors = 0
  for (const { id, spec, timezone, last_run_at, expanded, ...wanted } of vectors) {
    const words = `${id} ${JSON.stringify(spec)} ${timezone}`
    const fields = fieldsOf(read(spec, timezone))
    t.strictSame(
      {
        minute: fields.minute.values,
        hour: fields.hour.values,
        day_of_week: fields.dayOfWeek.values,
        day_of_month: fields.dayOfMonth.values,
        month_of_year: fields.month.values,
      },
      expanded,
      words,
    )
    t.strictSame(three(clockOf(spec, timezone), last_run_at), wanted.next, words)
    if (!wanted.cron_or_next) continue
    ors++
    t.strictSame(three(clockOf(spec, timezone, 'cron'), last_run_at), wanted.cron_or_next, `cron: ${words}`)
  }
  t.ok(ors > 50)
  t.end()
})

/** Due at `now`, last run at `last`; runs older than the deadline do not count. */
function isDue(clock: CrontabClock, last: string, now: string, deadline: number | null): boolean {
  const from =
    deadline === null ? Date.parse(last) : Math.max(Date.parse(last), Date.parse(now) - deadline * 1000 - 1)
  const due = clock.next(from)
  return due !== null && due <= Date.parse(now)
}

t.test('what the real Celery calls due is due, and no run is forgotten at midnight', (t) => {
  const vectors = load('crontab_is_due')
  t.ok(vectors.length > 70)
  for (const { id, spec, tz, last_run_at, now, cron_starting_deadline, is_due } of vectors)
    t.equal(
      isDue(clockOf(spec, tz), last_run_at, now, cron_starting_deadline),
      is_due,
      `${id} ${JSON.stringify(spec)}`,
    )
  t.end()
})

t.test("the facts of Celery's own tests hold", (t) => {
  const facts = load('upstream_test_facts')
  for (const { test, spec, last_run_at, next_due } of facts.next_occurrence_utc)
    t.equal(next(clockOf(spec, 'UTC'), last_run_at), next_due, test)
  for (const {
    test,
    spec,
    last_run_at,
    now,
    cron_starting_deadline,
    is_due,
    next_seconds,
  } of facts.is_due_utc) {
    const clock = clockOf(spec, 'UTC')
    t.equal(isDue(clock, last_run_at, now, cron_starting_deadline), is_due, test)
    t.equal(
      clock.next(Math.max(Date.parse(last_run_at), Date.parse(now))),
      Date.parse(now) + next_seconds * 1000,
      test,
    )
  }
  for (const { test, tz, spec, last_run_at, next_due } of facts.zones)
    t.equal(next(clockOf(spec, tz), last_run_at), next_due, test)
  t.equal(facts.next_occurrence_utc.length + facts.is_due_utc.length + facts.zones.length, 30)
  t.end()
})

t.test('cron mode joins the days only where both are restricted, by the way they are written', (t) => {
  const first = (fields: Fields, mode: string) => next(clockOf(fields, 'UTC', mode), '2026-02-01T12:00:00Z')
  const noon = { minute: '0', hour: '0' }
  t.equal(first({ ...noon, day_of_month: '13', day_of_week: 'sun' }, 'celery'), '2026-09-13T00:00:00Z')
  t.equal(first({ ...noon, day_of_month: '13', day_of_week: 'sun' }, 'cron'), '2026-02-08T00:00:00Z')
  t.equal(first({ ...noon, day_of_month: '13', day_of_week: '*' }, 'cron'), '2026-02-13T00:00:00Z')
  t.equal(first({ ...noon, day_of_month: '13', day_of_week: '*/7' }, 'cron'), '2026-09-13T00:00:00Z')
  t.equal(first({ ...noon, day_of_month: '*/13', day_of_week: 'sun' }, 'cron'), '2026-03-01T00:00:00Z')
  t.equal(first({ ...noon, day_of_month: '13', day_of_week: '0-6' }, 'cron'), '2026-02-02T00:00:00Z')
  t.equal(
    first({ ...noon, day_of_month: '31', month_of_year: '2', day_of_week: '0-6' }, 'cron'),
    '2026-02-02T00:00:00Z',
    'every weekday rescues a day that never comes',
  )
  t.end()
})

t.test('the rarest crontab is found forty years ahead and forty years back', (t) => {
  const rare = { hour: '12', day_of_month: '29', month_of_year: '2', day_of_week: '1' }
  for (const [minute, last] of [
    ['0', '00'],
    ['*/59', '59'],
  ] as const) {
    const clock = clockOf({ ...rare, minute }, 'Europe/London')
    t.equal(next(clock, '2072-03-01T00:00:00Z'), '2112-02-29T12:00:00Z')
    t.equal(iso(clock.previous(Date.parse('2112-02-29T12:00:00Z'))), `2072-02-29T12:${last}:00Z`)
  }
  t.end()
})

t.test('next and previous undo each other, for any crontab, zone and instant', (t) => {
  const property = fc.property(anyCrontab, anyZone, anyInstant, (fields, zone, at) => {
    const crontab = readCrontab({ ...fields, timezone: zone }, '', 'UTC')
    fc.pre('spec' in crontab)
    const clock = createCrontabClock((crontab as { spec: CrontabSpec }).spec, zones)
    const [after, before] = [clock.next(at)!, clock.previous(at)!]
    // From a run either way and back is that run; from in between, it is the other neighbour.
    const isRun = clock.next(at - 1) === at
    return (
      before < at &&
      at < after &&
      clock.previous(after) === (isRun ? at : before) &&
      clock.next(before) === (isRun ? at : after) &&
      clock.previous(after + 1) === after &&
      clock.next(before - 1) === before &&
      clock.previous(at + 1) === (isRun ? at : before)
    )
  })
  fc.assert(property, { numRuns: 2000 })
  t.end()
})

t.test('the canonical text of a crontab means the same as what was written', (t) => {
  const property = fc.property(anyCrontab, (fields) => {
    // For cron it matters how days are written, not only which they are.
    const crontab = readCrontab({ ...fields, mode: 'celery' }, '', 'UTC')
    fc.pre('spec' in crontab)
    const spec = (crontab as { spec: CrontabSpec }).spec
    const written = fieldsOf(spec)
    if (!(written instanceof CronFieldCollection)) return false
    const [minute, hour, day_of_month, month_of_year, day_of_week] = written.stringify().split(' ')
    const again = readCrontab({ minute, hour, day_of_month, month_of_year, day_of_week }, '', 'UTC')
    return (
      'spec' in again &&
      JSON.stringify(fieldsOf(again.spec).serialize()) === JSON.stringify(written.serialize())
    )
  })
  fc.assert(property, { numRuns: 500 })
  t.end()
})

t.test('a crontab is read whole: missing parts filled in, text kept, each wrong place named', (t) => {
  t.strictSame(readCrontab({}, '/schedule', 'Europe/Kyiv'), {
    spec: {
      kind: 'crontab',
      minute: '*',
      hour: '*',
      day_of_month: '*',
      month_of_year: '*',
      day_of_week: '*',
      timezone: 'Europe/Kyiv',
      mode: 'celery',
    },
  })
  t.match(
    readCrontab(
      {
        kind: 'crontab',
        minute: 30,
        hour: [9, 17],
        day_of_week: ' Mon-FRI ',
        timezone: 'europe/kyiv',
        mode: 'cron',
      },
      '',
      'UTC',
    ),
    {
      spec: { minute: '30', hour: '9,17', day_of_week: 'Mon-FRI', timezone: 'Europe/Kyiv', mode: 'cron' },
    },
  )
  const wrong = readCrontab(
    { kind: 'cron', minute: '60', hour: {}, seconds: 1, 'a/b~': 1, timezone: '+02:00', mode: 'or' },
    '/schedule',
    'UTC',
  )
  t.strictSame('faults' in wrong && wrong.faults.map(({ pointer }) => pointer).sort(), [
    '/schedule/a~1b~0',
    '/schedule/hour',
    '/schedule/kind',
    '/schedule/minute',
    '/schedule/mode',
    '/schedule/seconds',
    '/schedule/timezone',
  ])
  t.match(readCrontab({ timezone: null }, '', 'UTC'), { faults: [{ pointer: '/timezone' }] })
  t.match(readCrontab({}, '', 'Mars/Olympus'), { faults: [{ pointer: '/timezone' }] })
  t.end()
})

t.test('what can never fire is refused at the day, and what fires once in four years is not', (t) => {
  const day = (fields: Fields) => {
    const crontab = readCrontab(fields, '/schedule', 'UTC')
    return 'faults' in crontab ? crontab.faults.map(({ pointer, detail }) => `${pointer} ${detail}`) : 'fires'
  }
  const never = ['/schedule/day_of_month must be a day that comes: there is no 30 in February']
  t.strictSame(day({ day_of_month: '30', month_of_year: '2' }), never)
  t.strictSame(day({ day_of_month: '30-31', month_of_year: 'feb', day_of_week: 'mon' }), never)
  t.strictSame(day({ day_of_month: '30', month_of_year: '2', mode: 'cron' }), never)
  t.strictSame(
    day({ day_of_month: '30', month_of_year: '2', day_of_week: '*/2', mode: 'cron' }),
    never,
    'begins with *',
  )
  t.equal(day({ day_of_month: '30', month_of_year: '2', day_of_week: 'mon', mode: 'cron' }), 'fires')
  t.strictSame(day({ day_of_month: '31', month_of_year: '2,4,6,9,11' }), [
    '/schedule/day_of_month must be a day that comes: there is no 31 in February, April, June, September, November',
  ])
  t.equal(day({ day_of_month: '29', month_of_year: '2', day_of_week: '0' }), 'fires')
  t.equal(day({ day_of_month: '31', month_of_year: '2,3' }), 'fires')
  t.end()
})

t.test('a spec that nobody read cannot be run: it throws what readCrontab would have said', (t) => {
  const spec = { ...read({}, 'UTC'), minute: '61', hour: '' }
  t.throws(() => createCrontabClock(spec, zones), {
    name: 'ScheduleError',
    code: 'RB_SCHEDULE_INVALID',
    message: /^The crontab cannot run: minute must be 0-59, .*: "61" is none of them\.$/,
    faults: [{ pointer: '/minute' }, { pointer: '/hour' }],
  })
  t.end()
})
