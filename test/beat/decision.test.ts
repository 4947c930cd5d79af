/** What becomes of instants that have come: on time, late, too late, under each policy. */
import t from 'tap'
import { decide } from '../../src/beat/decision.ts'
import type { DueRow } from '../../src/db/statements/beat.ts'
import { createAlmanac, type Timetable } from '../../src/schedules/almanac.ts'
import type { ScheduleSpec } from '../../src/schedules/spec.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const at = (seconds: number): string => new Date(NOON + seconds * 1000).toISOString()

function every(seconds: number, endSeconds?: number): Timetable {
  const spec: ScheduleSpec = { kind: 'interval', every: seconds * 1000, period: 'milliseconds' }
  const endMs = endSeconds === undefined ? null : NOON + endSeconds * 1000
  return createAlmanac().timetable(spec, { anchorMs: NOON, startMs: null, endMs })
}

/** Due at noon, looked at so many seconds later. */
const row = (lateSeconds: number, more: Partial<DueRow> = {}): DueRow => ({
  id: '01a1fc78-031b-78a4-9f6c-033dbc888088',
  version: 3,
  since: at(-60),
  schedule: '{}',
  anchorMs: NOON,
  startMs: null,
  endMs: null,
  dueMs: NOON,
  nowMs: NOON + lateSeconds * 1000,
  overlap: 'allow',
  catchUp: 'last',
  windowMs: null,
  oneOff: false,
  left: null,
  ...more,
})

t.test('an instant on time fires, whatever the policy', async (t) => {
  for (const catchUp of ['all', 'last', 'skip'] as const) {
    const decision = decide(row(0.2, { catchUp }), every(10))
    t.strictSame(decision, {
      id: row(0).id,
      version: 3,
      since: at(-60),
      seen: at(0),
      fire: [at(0)],
      missed: null,
      next: at(10),
    })
  }
})

t.test('all that are within a second are on time', async (t) => {
  const { fire, missed, next } = decide(row(0.35), every(0.1))
  t.strictSame(fire, [at(0), at(0.1), at(0.2), at(0.3)])
  t.equal(missed, null)
  t.equal(next, at(0.4))
})

t.test('all fires each missed instant, oldest first', async (t) => {
  const { fire, missed, next } = decide(row(45, { catchUp: 'all' }), every(10))
  t.strictSame(fire, [at(0), at(10), at(20), at(30), at(40)])
  t.equal(missed, null)
  t.equal(next, at(50))
})

t.test('all goes on at the next tick when there are more than a hundred', async (t) => {
  const { fire, next } = decide(row(1000, { catchUp: 'all' }), every(1))
  t.equal(fire.length, 100)
  t.equal(fire.at(-1), at(99))
  t.equal(next, at(100), 'which has come already')
})

t.test('all within a window leaves out what is older, as one stretch', async (t) => {
  const { fire, missed, next } = decide(row(45, { catchUp: 'all', windowMs: 20_000 }), every(10))
  t.strictSame(fire, [at(30), at(40)])
  t.strictSame(missed, { due_at: at(0), until_at: at(20), count: 3, reason: 'window' })
  t.equal(next, at(50))
})

t.test('last fires the latest of the missed and tells the others as one stretch', async (t) => {
  const { fire, missed, next } = decide(row(45), every(10))
  t.strictSame(fire, [at(40)])
  t.strictSame(missed, { due_at: at(0), until_at: at(30), count: 4, reason: 'catch_up' })
  t.equal(next, at(50))
})

t.test('last fires none of the missed where one is on time', async (t) => {
  const { fire, missed } = decide(row(40.2), every(10))
  t.strictSame(fire, [at(40)])
  t.strictSame(missed, { due_at: at(0), until_at: at(30), count: 4, reason: 'catch_up' })
})

t.test('last within a window fires nothing that is older', async (t) => {
  const { fire, missed, next } = decide(row(2 * 3600 + 1800, { windowMs: 600_000 }), every(3600))
  t.strictSame(fire, [])
  t.strictSame(missed, { due_at: at(0), until_at: at(7200), count: 3, reason: 'window' })
  t.equal(next, at(10_800))
})

t.test('skip fires what is at most a minute late, and nothing older', async (t) => {
  t.strictSame(decide(row(59, { catchUp: 'skip' }), every(3600)).fire, [at(0)])
  const { fire, missed, next } = decide(row(61, { catchUp: 'skip' }), every(3600))
  t.strictSame(fire, [])
  t.strictSame(missed, { due_at: at(0), until_at: at(0), count: 1, reason: 'window' })
  t.equal(next, at(3600))
})

t.test('a stretch of more than ten thousand is not counted', async (t) => {
  const spec: ScheduleSpec = {
    kind: 'crontab',
    minute: '*',
    hour: '*',
    day_of_month: '*',
    month_of_year: '*',
    day_of_week: '*',
    timezone: 'UTC',
    mode: 'celery',
  }
  const timetable = createAlmanac().timetable(spec, { anchorMs: NOON, startMs: null, endMs: null })
  const { missed } = decide(row(30 * 86_400), timetable)
  t.equal(missed!.count, null)
  t.equal(missed!.until_at, at(30 * 86_400 - 60))
})

t.test('the last firing leaves no next instant', async (t) => {
  t.strictSame(decide(row(0, { left: 1 }), every(10)).next, null, 'firings_max')
  t.strictSame(decide(row(10, {}), every(10, 12)).next, null, 'end_at')
  t.strictSame(decide(row(500, { left: 2, catchUp: 'all' }), every(10)).fire, [at(0), at(10)])
})

t.test('where runs may not overlap, one instant at a time', async (t) => {
  const { fire, next } = decide(row(25, { catchUp: 'all', overlap: 'skip' }), every(10))
  t.strictSame(fire, [at(0)])
  t.equal(next, at(10))
})

t.test('a next_run_at written by hand is an instant, whatever the timetable says', async (t) => {
  const { fire, next, seen } = decide(row(0.1, { dueMs: NOON + 50, nowMs: NOON + 100 }), every(10))
  t.strictSame(fire, [at(0.05)])
  t.equal(seen, at(0.05))
  t.equal(next, at(10))
})
