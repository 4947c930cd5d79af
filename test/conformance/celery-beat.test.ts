/**
 * What django-celery-beat did in 49 probes, and what we do: the fixture holds its answers (2.4.0 on Celery 5.2.6, 2.9.0 on 5.6.3) and
 * ours, which are measured here again. The table in docs/explanation/from-celery.md is this fixture
 * (test/docs/from-celery.test.ts), so it says what was measured.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { ROOT } from '../helpers/process.ts'
import { openWorld } from '../beat/world.ts'
import { createProbes } from './celery-beat-probes.ts'

interface Probe {
  probe: string
  v2_4_0: string
  v2_9_0: string
  /** Whether that is a fault, of at least one of the two. */
  fault: boolean
  /** Theirs in a few words. */
  theirs: string
  ours: string
}

const FIXTURE = join(ROOT, 'test/fixtures/conformance/django_celery_beat_behaviour.json')
const { probes } = JSON.parse(readFileSync(FIXTURE, 'utf8')) as { probes: Probe[] }
const world = await openWorld(t)
const measured = createProbes(t, world)

t.test('each probe is measured, and none else', async (t) => {
  t.equal(probes.length, 49)
  t.strictSame(Object.keys(measured).toSorted(), probes.map(({ probe }) => probe).toSorted())
  t.equal(probes.filter(({ fault }) => fault).length, 31)
})

for (const { probe, fault, v2_4_0, v2_9_0, ours } of probes) {
  t.test(`${fault ? 'absent here' : 'as good'}: ${probe}`, async (t) => {
    const answer = await measured[probe]!()
    t.equal(answer, ours)
    if (fault) t.not(answer, v2_4_0)
    if (fault) t.not(answer, v2_9_0)
  })
}

/** The next instants of a crontab at midnight UTC, as dates, from 10 June 2024 on. */
function datesOf(fields: object, count: number): string[] {
  const almanac = createAlmanac()
  const read = almanac.read({ kind: 'crontab', minute: '0', hour: '0', ...fields })
  if ('faults' in read) return read.faults.map(({ detail }) => detail)
  const { next } = almanac.preview(read.spec, { anchorMs: 0 }, Date.parse('2024-06-10T00:00:00Z'), count)
  return next.map((at) => at.slice(0, 10))
}

t.test('celery row 7: Sunday is 0 and 7, names are names, and what is accepted is what runs', async (t) => {
  const sundays = ['2024-06-16', '2024-06-23', '2024-06-30']
  for (const day_of_week of ['0', '7', 'sun', 'Sunday', '7-7', '0,7'])
    t.strictSame(datesOf({ day_of_week }, 3), sundays, day_of_week)
  t.strictSame(datesOf({ day_of_week: '5-7' }, 3), ['2024-06-14', '2024-06-15', '2024-06-16'])
  t.strictSame(datesOf({ day_of_week: 'fri-mon' }, 4), [
    '2024-06-14',
    '2024-06-15',
    '2024-06-16',
    '2024-06-17',
  ])
  for (const day_of_week of ['8', 'mon#1', 'friL', 'monkey', 'mon-', 'mon/2', '']) {
    t.match(datesOf({ day_of_week }, 1), [/^must be /], `${day_of_week} is refused`)
    const id = await world.put({ schedule: { kind: 'crontab', day_of_week } })
    t.match(await world.refused(id), /^day_of_week must be /, 'and by the beat, in a row made with SQL')
  }
})

t.test(
  'celery row 8: day of month AND day of week, as in Celery; cron mode ORs them, as cron does',
  async (t) => {
    const friday13 = { day_of_month: '13', day_of_week: 'fri' }
    t.strictSame(datesOf(friday13, 2), ['2024-09-13', '2024-12-13'])
    t.strictSame(datesOf({ ...friday13, mode: 'cron' }, 3), ['2024-06-13', '2024-06-14', '2024-06-21'])
  },
)
