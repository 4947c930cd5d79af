/** Schedules that the code declares, and the people who edit them: each row has one owner at a time. */
import t from 'tap'
import { at, cron, every, schedule, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { startBeat } from './world.ts'

const { sql, url } = await setup(t)
const report = task('code.report', {}, async ({ day = 'today' }: { day?: string }) => day)
const read = async (name: string) => ({
  ...(await sql`select * from rowbeat.schedules where name = ${name}`)[0]!,
})

/** Starts a beat of a release that declares these, and stops it; what it said of them. */
async function release(...schedules: ReturnType<typeof schedule>[]) {
  const { beat, heard } = await startBeat(t, url, { schedules, timezone: 'Europe/Kyiv' })
  await beat.stop()
  return {
    declared: heard.declared
      .filter(({ name }) => name !== 'rowbeat.cleanup')
      .map(({ name, outcome }) => `${name}: ${outcome}`),
    orphaned: heard.orphaned.flatMap(({ names }) => names),
  }
}

t.test('a schedule of the code is a row of its own, made once', async (t) => {
  const nightly = schedule(
    'nightly',
    cron('0 3 * * *'),
    report,
    { day: 'yesterday' },
    {
      queue: 'reports',
      priority: -3,
      tags: ['code'],
      headers: { from: 'code' },
      expires: '2 hours',
      overlap: 'skip',
      catchUp: 'all',
      catchUpWindow: '1 day',
      failuresMax: 5,
      description: 'What was sold.',
    },
  )
  t.strictSame(await release(nightly), { declared: ['nightly: made'], orphaned: [] })
  const row = await read('nightly')
  t.match(row, {
    task: 'code.report',
    input: { day: 'yesterday' },
    kind: 'crontab',
    origin: 'code',
    enabled: true,
    version: 1,
    edited_at: null,
    queue: 'reports',
    priority: -3,
    tags: ['code'],
    headers: { from: 'code' },
    expires: '02:00:00',
    overlap: 'skip',
    catch_up: 'all',
    failures_max: 5,
    description: 'What was sold.',
  })
  t.equal(row.schedule.timezone, 'Europe/Kyiv', 'the zone of the release is written out')
  const again = await release(nightly)
  t.strictSame(again, { declared: [], orphaned: [] })
  const after = await read('nightly')
  t.ok(after.declared_at > row.declared_at)
  t.strictSame({ ...after, declared_at: null }, { ...row, declared_at: null }, 'nothing else was written')
})

t.test('celery row 5: a release updates what nobody edited', async (t) => {
  await release(schedule('hourly', every('1 hour'), report, {}))
  await sql`update rowbeat.schedules set next_run_at = next_run_at, last_run_at = '2026-01-01T00:00:00Z' where name = 'hourly'`
  t.strictSame(
    (await release(schedule('hourly', every('2 hours'), report, { day: 'new' }, { priority: 4 }))).declared,
    ['hourly: updated'],
  )
  t.match(await read('hourly'), {
    schedule: { every: 2, period: 'hours' },
    input: { day: 'new' },
    priority: 4,
    version: 2,
    edited_at: null,
    origin: 'code',
    last_run_at: new Date('2026-01-01T00:00:00Z'),
  })
  t.strictSame((await release(schedule('hourly', every('2 hours'), report, { day: 'new' }))).declared, [
    'hourly: updated',
  ])
  t.equal((await read('hourly')).priority, null, 'what the code says no more is taken back')
})

t.test(
  'celery row 5: what somebody edited stays as it was edited, and the code is remembered beside it',
  async (t) => {
    await release(schedule('edited', every('1 hour'), report, {}))
    await sql`update rowbeat.schedules set input = '{"day": "by hand"}', schedule = '{"kind": "interval", "every": 5, "period": "hours"}' where name = 'edited'`
    const edited = await read('edited')
    t.ok(edited.edited_at)
    t.strictSame((await release(schedule('edited', every('3 hours'), report, { day: 'code' }))).declared, [
      'edited: edited',
    ])
    const after = await read('edited')
    t.match(after, {
      input: edited.input,
      schedule: edited.schedule,
      version: edited.version,
      edited_at: edited.edited_at,
    })
    t.match(after.declared, { input: { day: 'code' }, schedule: { every: 3, period: 'hours' } })
  },
)

t.test('celery row 5: what somebody switched off stays off through every release', async (t) => {
  await release(schedule('switched off', every('1 hour'), report, {}))
  await sql`update rowbeat.schedules set enabled = false where name = 'switched off'`
  t.equal((await read('switched off')).edited_at, null, 'a switch is no edit')
  t.strictSame((await release(schedule('switched off', every('1 hour'), report, {}))).declared, [])
  t.strictSame((await release(schedule('switched off', every('2 hours'), report, {}))).declared, [
    'switched off: updated',
  ])
  t.match(await read('switched off'), { enabled: false, schedule: { every: 2 } })
  await release(schedule('switched off', every('2 hours'), report, {}, { enabled: false }))
  await release(schedule('switched off', every('2 hours'), report, {}, { enabled: true }))
  t.equal((await read('switched off')).enabled, true, 'until the code itself switches')
})

t.test('a one-off of the code that has fired is not made again by the next start', async (t) => {
  const once = schedule('once', every('100ms'), report, {}, { oneOff: true })
  const { beat } = await startBeat(t, url, { schedules: [once] })
  await until('it is over', async () => !(await read('once')).enabled)
  await beat.stop()
  await release(once)
  t.match(await read('once'), { enabled: false, firings_total: '1', next_run_at: null })
  const later = new Date(Date.now() + 3_600_000)
  t.strictSame((await release(schedule('once', at(later), report, {}))).declared, ['once: updated'])
  t.match(
    await read('once'),
    { enabled: true, error: null, schedule: { at: later.toISOString() } },
    'new instants begin anew',
  )
})

t.test("a user's schedule of the same name is left alone, and the beat says so", async (t) => {
  await sql`insert into rowbeat.schedules (name, task, schedule) values ('mine', 'users.own', '{"kind": "interval", "every": 1, "period": "days"}')`
  const before = await read('mine')
  t.strictSame((await release(schedule('mine', every('1 hour'), report, {}))).declared, ['mine: taken'])
  t.match(await read('mine'), { task: 'users.own', origin: 'user', version: before.version, declared: null })
})

t.test('celery row 5: what the code declares no more is told, and goes on', async (t) => {
  await sql`delete from rowbeat.schedules`
  const [a, b] = [schedule('a', every('1 hour'), report, {}), schedule('b', every('1 hour'), report, {})]
  await release(a, b)
  t.strictSame(await release(a), { declared: [], orphaned: ['b'] })
  t.match(await read('b'), { enabled: true, origin: 'code' })
})

t.test('beats that start together make each schedule once', async (t) => {
  await sql`delete from rowbeat.schedules`
  const many = Array.from({ length: 20 }, (_, i) => schedule(`together ${i}`, every('1 hour'), report, {}))
  const said = await Promise.all([release(...many), release(...many.toReversed()), release(...many)])
  t.equal(said.flatMap(({ declared }) => declared).filter((line) => line.endsWith('made')).length, 20)
  const [rows] =
    await sql`select count(*)::int as n, max(version) as version from rowbeat.schedules where name like 'together %'`
  t.strictSame({ ...rows }, { n: 20, version: 1 })
})

t.test('two schedules of one name, and a wrong zone, fail at the start', async (t) => {
  const twice = [
    schedule('twice', every('1 hour'), report, {}),
    schedule('twice', every('2 hours'), report, {}),
  ]
  await t.rejects(release(...twice), { code: 'RB_SCHEDULE_DUPLICATE' })
  await t.rejects(startBeat(t, url, { timezone: 'Europe/Kiew' }), { code: 'RB_SCHEDULE_INVALID' })
  t.equal((await sql`select from rowbeat.workers where kind = 'beat'`).length, 0, 'and leave nothing behind')
})

t.test('every beat brings rowbeat.cleanup, daily at four, and any worker runs it', async (t) => {
  await sql`delete from rowbeat.schedules`
  const { beat } = await startBeat(t, url, { timezone: 'Europe/Kyiv' })
  const cleanup = await read('rowbeat.cleanup')
  t.match(cleanup, {
    task: 'rowbeat.cleanup',
    origin: 'code',
    enabled: true,
    schedule: { kind: 'crontab', minute: '0', hour: '4', day_of_month: '*', timezone: 'Europe/Kyiv' },
  })
  await sql`
    insert into rowbeat.firings (schedule_id, due_at, state, version)
    select ${cleanup.id}, now() - n * interval '1 day', 'fired', 1 from generate_series(1, 100) n`
  await startWorker(t, url)
  await sql`update rowbeat.schedules set next_run_at = clock_timestamp() where id = ${cleanup.id}`
  const [run] = await until('it has run', async () => {
    const runs =
      await sql`select state, result from rowbeat.runs where task = 'rowbeat.cleanup' and state = 'SUCCESS'`
    return runs.length > 0 && runs
  })
  t.ok(run!.result.firings >= 69, `${run!.result.firings} firings older than thirty days are gone`)
  const [oldest] = await sql`select min(due_at) > now() - interval '31 days' as yes from rowbeat.firings`
  t.equal(oldest!.yes, true)
  await beat.stop()
})
