/** What a firing is: which instants fire, how often, and what the run has of its schedule. */
import t from 'tap'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { until } from '../helpers/wait.ts'
import { dues, every, openWorld, startBeat } from './world.ts'

const world = await openWorld(t)
const { sql, url, put, row, firings, armed, makeDue, rewind, fired } = world
const almanac = createAlmanac()

let { beat } = world

async function restart(): Promise<void> {
  await beat.stop()
  beat = (await startBeat(t, url)).beat
}

/** Resolves when the beats had the time to fire something else three times. */
async function meanwhile(): Promise<void> {
  const other = await put({ schedule: every(100) })
  await fired(other, 3)
  await sql`delete from rowbeat.schedules where id = ${other}`
}

t.test('each kind fires, and has its next instant from the almanac', async (t) => {
  const inserts = await sql`
    insert into rowbeat.schedules (name, task, schedule) values
      ('nightly', 'kinds.crontab', '{"kind": "crontab", "minute": "0", "hour": "3", "timezone": "Europe/Kyiv"}'),
      ('every ten days', 'kinds.interval', '{"kind": "interval", "every": 10, "period": "days"}'),
      ('at dusk', 'kinds.solar', '{"kind": "solar", "event": "sunset", "latitude": 50.45, "longitude": 30.52}')
    returning id, schedule, anchor_at, kind`
  for (const { id, schedule, anchor_at, kind } of inserts) {
    const read = almanac.read(schedule)
    if ('faults' in read) throw new Error(JSON.stringify(read.faults))
    const table = almanac.timetable(read.spec, { anchorMs: anchor_at.getTime() })
    const { since_at } = await row(id)
    t.equal((await armed(id)).next_run_at!.getTime(), table.next(since_at.getTime()), `${kind} is armed`)
    const due = await makeDue(id)
    const [firing] = await fired(id)
    t.match(firing, { due_at: due, state: 'fired', reason: null, version: 1, count: 1 })
    const after = await row(id)
    t.equal(after.next_run_at!.getTime(), table.next(due.getTime()), `${kind} goes on`)
    t.match(after, { last_run_at: due, firings_total: '1', enabled: true, version: 1 })
  }
})

t.test('a crontab with fewer fields has `*` for the others, and UTC', async (t) => {
  const id = await put({ schedule: { kind: 'crontab' } })
  const { since_at, next_run_at } = await armed(id)
  t.equal(next_run_at!.getTime(), Math.floor(since_at.getTime() / 60_000 + 1) * 60_000, 'the next minute')
})

t.test('a clocked schedule fires at its instant, once, and is switched off', async (t) => {
  const at = new Date(Date.now() + 300).toISOString()
  const id = await put({ schedule: { kind: 'clocked', at } })
  t.equal((await row(id)).one_off, true)
  t.strictSame(dues(await fired(id)), [at])
  t.match(await row(id), { enabled: false, next_run_at: null, error: null, firings_total: '1' })
})

t.test('the run has all that the schedule says', async (t) => {
  const said = {
    input: { report: 'daily', deep: { '$\u{1F600}': [1, null, 'x'] } },
    queue: 'reports',
    priority: -7,
    tags: ['night', 'money'],
    headers: { trace: 'abc', nothing: null },
    expires: '10 minutes',
  }
  const id = await put({ name: 'the whole of it', task: 'all.options', ...said })
  const due = await makeDue(id)
  const [firing] = await fired(id)
  const [run] = await sql`select * from rowbeat.runs where id = ${firing!.run_id}`
  t.match(run, {
    task: 'all.options',
    state: 'PENDING',
    ...said,
    expires: undefined,
    schedule: 'the whole of it',
    due_at: due,
    expires_at: new Date(due.getTime() + 600_000),
  })
})

t.test('what the schedule leaves out comes from the task', async (t) => {
  await sql`insert into rowbeat.tasks (name, queue, priority, attempts_max) values ('told.by_task', 'own', 3, 4)`
  const id = await put({ task: 'told.by_task' })
  await makeDue(id)
  const [firing] = await fired(id)
  const [run] =
    await sql`select queue, priority, attempts_max, expires_at from rowbeat.runs where id = ${firing!.run_id}`
  t.strictSame({ ...run }, { queue: 'own', priority: 3, attempts_max: 4, expires_at: null })
})

t.test('jitter delays the run, not the firing', async (t) => {
  const ids = await Promise.all(
    Array.from({ length: 8 }, () => put({ jitter: '1 hour', task: 'jitter.some' })),
  )
  const due = new Map<string, number>()
  for (const id of ids) due.set(id, (await makeDue(id)).getTime())
  const delays = new Set<number>()
  for (const id of ids) {
    const [firing] = await fired(id)
    t.equal(firing!.due_at.getTime(), due.get(id))
    const [run] =
      await sql`select state, reason, run_at, due_at from rowbeat.runs where id = ${firing!.run_id}`
    t.match(run, { state: 'SCHEDULED', reason: 'eta', due_at: firing!.due_at })
    const delay = run!.run_at.getTime() - due.get(id)!
    t.ok(delay >= 0 && delay <= 3_600_000, `${delay} ms`)
    delays.add(delay)
    t.equal((await row(id)).next_run_at!.getTime() % 1, 0)
  }
  t.ok(delays.size > 4, 'at random')
})

t.test(
  'celery row 11: one-off and clocked schedules fire exactly once, though the beat is restarted at once',
  async (t) => {
    const clocked = await put({ schedule: { kind: 'clocked', at: new Date(Date.now() + 200).toISOString() } })
    const oneOff = await put({ one_off: true, schedule: every(200) })
    const first = (await Promise.all([fired(clocked), fired(oneOff)])).map(dues)
    await restart()
    await meanwhile()
    t.strictSame([dues(await firings(clocked)), dues(await firings(oneOff))], first)
    for (const id of [clocked, oneOff])
      t.match(await row(id), { enabled: false, next_run_at: null, error: null, firings_total: '1' })
    const runs = await sql`select count(*)::int as n from rowbeat.runs where due_at = any (${first.flat()})`
    t.equal(runs[0]!.n, 2)
  },
)

t.test('firings_max ends it after so many', async (t) => {
  const id = await put({ schedule: every(100), firings_max: 3 })
  await until('it is over', async () => !(await row(id)).enabled)
  t.match(await row(id), { next_run_at: null, firings_total: '3', error: null, version: 1 })
  await meanwhile()
  t.equal((await firings(id)).length, 3)
  await sql`update rowbeat.schedules set enabled = true where id = ${id}`
  t.match(await world.refused(id), /^firings_max is reached/)
  await sql`update rowbeat.schedules set firings_max = 4 where id = ${id}`
  t.equal((await fired(id, 4)).length, 4)
})

t.test('start_at is the first instant of an interval, end_at the last that may be', async (t) => {
  const start = Date.now() + 400
  const at = (ms: number) => new Date(start + ms).toISOString()
  const id = await put({ schedule: every(100), start_at: at(0), end_at: at(200) })
  t.equal((await armed(id)).next_run_at!.toISOString(), at(0))
  await until('it is over', async () => !(await row(id)).enabled)
  t.strictSame(dues(await firings(id)), [at(0), at(100), at(200)])
  t.match(await row(id), { next_run_at: null, error: null })
})

t.test('start_at of a crontab is where its instants begin', async (t) => {
  const start_at = '2030-06-01T12:00:30.000Z'
  const id = await put({ schedule: { kind: 'crontab' }, start_at })
  t.equal((await armed(id)).next_run_at!.toISOString(), '2030-06-01T12:01:00.000Z')
})

t.test('each firing stores the version it used', async (t) => {
  const id = await put({})
  await makeDue(id)
  await fired(id)
  await sql`update rowbeat.schedules set priority = 5 where id = ${id}`
  await makeDue(id)
  const both = await fired(id, 2)
  t.strictSame(
    both.map(({ version }) => version),
    [1, 2],
  )
  const runs =
    await sql`select priority from rowbeat.runs where id = any (${both.map(({ run_id }) => run_id)}) order by due_at`
  t.strictSame(
    runs.map(({ priority }) => priority),
    [0, 5],
  )
})

t.test('celery row 1: with three beats each instant fires once', async (t) => {
  await sql`delete from rowbeat.schedules`
  const more = [await startBeat(t, url), await startBeat(t, url)]
  const ids = await Promise.all(
    Array.from({ length: 10 }, () => put({ schedule: every(100), catch_up: 'all', task: 'thrice' })),
  )
  for (const id of ids) await fired(id, 12)
  await sql`delete from rowbeat.schedules`
  let total = 0
  for (const id of ids) {
    const times = (await firings(id)).map(({ due_at }) => due_at.getTime())
    total += times.length
    t.strictSame(
      times,
      times.map((_, i) => times[0]! + 100 * i),
      'none twice, none missed',
    )
  }
  const [runs] =
    await sql`select count(*)::int as n, count(distinct (schedule, due_at))::int as instants from rowbeat.runs where task = 'thrice'`
  t.strictSame({ ...runs }, { n: total, instants: total }, 'and each has one run')
  for (const { beat, heard } of more) {
    t.strictSame(heard.trouble, [])
    await beat.stop()
  }
})

t.test(
  'celery row 41: an interval counts from its anchor and does not drift, whoever fires it and when',
  async (t) => {
    const id = await put({ schedule: every(250), anchor_at: '2026-01-01T00:00:00.123Z' })
    await fired(id, 2)
    await restart()
    const found = await fired(id, 4)
    t.strictSame(
      [...new Set(found.map(({ due_at }) => due_at.getTime() % 250))],
      [123],
      'on the grid of the anchor',
    )
    await sql`update rowbeat.schedules set priority = 1 where id = ${id}`
    const later = await fired(id, found.length + 2)
    t.strictSame(
      [...new Set(later.map(({ due_at }) => due_at.getTime() % 250))],
      [123],
      'an edit moves nothing',
    )
    await sql`delete from rowbeat.schedules where id = ${id}`
    const daily = await put({
      schedule: { kind: 'interval', every: 1, period: 'days' },
      anchor_at: '2026-01-01T04:00:00Z',
    })
    t.match(
      (await armed(daily)).next_run_at!.toISOString(),
      /T04:00:00.000Z$/,
      'a beat that starts late does not wait a day',
    )
  },
)

t.test('celery row 41: months keep the day of the anchor, clamped', async (t) => {
  const id = await put({
    schedule: { kind: 'interval', every: 1, period: 'months' },
    anchor_at: '2025-01-31T09:00:00Z',
    catch_up: 'all',
    end_at: '2027-01-01T00:00:00Z',
  })
  await rewind(id, '2026-01-31T09:00:00Z')
  await fired(id, 10)
  t.strictSame(
    dues(await firings(id)).slice(0, 6),
    ['01-31', '02-28', '03-31', '04-30', '05-31', '06-30'].map((day) => `2026-${day}T09:00:00.000Z`),
  )
})
