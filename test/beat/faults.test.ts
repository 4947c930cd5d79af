/**
 * What is wrong with one schedule stays with it: it is marked with the reason, named by its field, and every other fires.
 * What is wrong with the database is nobody's fault, and is tried again.
 */
import { once } from 'node:events'
import t from 'tap'
import { until } from '../helpers/wait.ts'
import { ago, every, openWorld, seldom } from './world.ts'

const crontab = (fields: object) => ({ kind: 'crontab', ...fields })
const world = await openWorld(t)
const { sql, put, row, firings, armed, makeDue, fired, heard } = world
const runsOf = async (task: string) => [...(await sql`select id from rowbeat.runs where task = ${task}`)]

const BAD: [what: string, schedule: object, columns: object, error: RegExp][] = [
  [
    'the 31st of February',
    crontab({ day_of_month: '31', month_of_year: '2' }),
    {},
    /day_of_month .*no 31 in February/,
  ],
  ['a zone that is none', crontab({ timezone: 'Europe/Kiew' }), {}, /timezone .*Europe\/Kiew/],
  ['an empty minute', crontab({ minute: '' }), {}, /minute /],
  ['a minute that cron understands and we do not', crontab({ minute: 'H' }), {}, /minute /],
  [
    'an unknown event of the sun',
    { kind: 'solar', event: 'moonrise', latitude: 1, longitude: 1 },
    {},
    /event .*sunset/,
  ],
  [
    'a latitude beyond the pole',
    { kind: 'solar', event: 'sunset', latitude: 91, longitude: 1 },
    {},
    /latitude .*90/,
  ],
  ['a clocked instant that is past', { kind: 'clocked', at: '2020-01-01T00:00:00Z' }, {}, /^at is past/],
  ['a clocked text that is no instant', { kind: 'clocked', at: 'tomorrow' }, {}, /at must be an instant/],
  ['an interval of nothing', { kind: 'interval', every: 0, period: 'seconds' }, {}, /every .*1 or more/],
  ['an interval below 100 ms', every(99), {}, /every .*100 milliseconds/],
  ['an unknown period', { kind: 'interval', every: 1, period: 'fortnights' }, {}, /period .*weeks/],
  ['an end that is past', seldom, { end_at: '2020-01-01T00:00:00Z' }, /end_at is past/],
  ['an anchor beyond all time', seldom, { anchor_at: 'infinity' }, /anchor_at|instant/],
  ['a start that never comes', seldom, { start_at: 'infinity' }, /start_at/],
]

t.test('celery row 6: a row that cannot be fired says why by the field, and stops nobody', async (t) => {
  const started = new Date()
  const healthy = await put({ schedule: every(200) })
  const bad = await Promise.all(
    BAD.map(([what, schedule, columns]) => put({ name: what, schedule, ...columns })),
  )
  for (const [i, [what, , , error]] of BAD.entries()) {
    const { error: said, next_run_at } = await armed(bad[i]!)
    t.match(said, error, `${what}: ${said}`)
    t.equal(next_run_at, null)
  }
  t.ok(ago(started) < 2000, `all were marked after ${ago(started)} ms`)
  const before = (await firings(healthy)).length
  await fired(healthy, before + 3)
  t.equal((await row(healthy)).error, null)
  t.strictSame(heard.refused.map(({ schedule }) => schedule).toSorted(), bad.toSorted(), 'each is told')
  await sql`delete from rowbeat.schedules`
})

t.test('a bad row that is mended fires', async (t) => {
  const id = await put({ schedule: crontab({ minute: '61' }) })
  t.match((await armed(id)).error, /minute /)
  await sql`update rowbeat.schedules set schedule = ${sql.json(every(100))} where id = ${id}`
  await fired(id)
  t.equal((await row(id)).error, null)
})

t.test('shapes that can be no schedule are refused by the INSERT', async (t) => {
  const refused: [columns: object, words: RegExp][] = [
    [{ schedule: { kind: 'interval', every: '10', period: 'seconds' } }, /every must be a number/],
    [{ schedule: { kind: 'interval', period: 'seconds' } }, /every is missing/],
    [{ schedule: { kind: 'hourly' } }, /kind must be crontab, interval, solar or clocked/],
    [{ schedule: crontab({ weekday: '1' }) }, /"weekday" is no part of a crontab/],
    [{ task: 'no task' }, /task/],
    [{ headers: [1] }, /headers/],
    [{ queue: 'No Queue' }, /queue/],
    [{ end_at: '2030-01-01T00:00:00Z', start_at: '2031-01-01T00:00:00Z' }, /schedules_span/],
    [{ overlap: 'queue' }, /overlap/],
    [{ catch_up: 'always' }, /catch_up/],
    [{ firings_max: 0 }, /firings_max/],
  ]
  for (const [columns, words] of refused) await t.rejects(put(columns as never), words)
})

t.test('a schedule whose firing the database refuses is set apart while its batch fires', async (t) => {
  await sql`alter table rowbeat_queue._private_jobs add constraint unlucky check (priority <> 13) not valid`
  const good = await Promise.all(Array.from({ length: 20 }, () => put({ task: 'batch.good' })))
  const bad = await put({ task: 'batch.bad', priority: 13 })
  await Promise.all([...good, bad].map((id) => armed(id)))
  await sql`update rowbeat.schedules set next_run_at = clock_timestamp() where task like 'batch.%'`
  for (const id of good) t.equal((await fired(id)).length, 1)
  t.match(await world.refused(bad), /unlucky/)
  const { next_run_at, enabled, firings_total } = await row(bad)
  t.match({ next_run_at, enabled, firings_total }, { next_run_at: null, enabled: true, firings_total: '0' })
  t.strictSame([await firings(bad), await runsOf('batch.bad')], [[], []], 'neither firing nor run')
  t.equal((await runsOf('batch.good')).length, 20)
  await sql`alter table rowbeat_queue._private_jobs drop constraint unlucky`
})

t.test(
  'celery row 15: a firing and its run are one transaction, and a failed one is tried again',
  async (t) => {
    await sql`create function full_disk() returns trigger language plpgsql as $$
    begin raise exception 'the disk is full' using errcode = 'disk_full'; end $$`
    await sql`create trigger full_disk before insert on rowbeat.firings for each row when (new.reason is null) execute function full_disk()`
    const id = await put({ task: 'broker.down' })
    const due = await makeDue(id)
    await until('the beat had trouble', () => heard.trouble.length > 0)
    t.strictSame([await firings(id), await runsOf('broker.down')], [[], []], 'no run without its firing')
    t.match(await row(id), { next_run_at: due, error: null, firings_total: '0' }, 'it is still due')
    await sql`drop trigger full_disk on rowbeat.firings`
    const [firing] = await fired(id)
    t.match(firing, { due_at: due, state: 'fired' })
    t.strictSame(await runsOf('broker.down'), [{ id: firing!.run_id }])
    heard.trouble.length = 0
  },
)

t.test("a next_run_at that is no instant is nobody else's trouble", async (t) => {
  const [before, after] = [await put({}), await put({})]
  await armed(before)
  await sql`update rowbeat.schedules set next_run_at = '-infinity' where id = ${before}`
  await makeDue(after)
  await fired(after)
  t.match(await world.refused(before), /^next_run_at is no instant/)
  await sql`delete from rowbeat.schedules`
})

t.test('what is no fault of a row marks none', async (t) => {
  // As while a migration runs, or after rights were lost: not one of the schedules is to blame.
  await sql`alter function rowbeat.place_many_v1 rename to place_many_gone`
  const ids = await Promise.all(Array.from({ length: 5 }, () => put({})))
  for (const id of ids) await makeDue(id)
  await until('the beat had trouble', () =>
    heard.trouble.some(({ error }) => /place_many_v1/.test(String(error))),
  )
  await sql`alter function rowbeat.place_many_gone rename to place_many_v1`
  for (const id of ids) {
    t.equal((await fired(id)).length, 1)
    t.equal((await row(id)).error, null)
  }
  heard.trouble.length = 0
})

t.test('a pause that cannot end keeps nobody from firing, nor from being armed', async (t) => {
  await sql`create function never_again() returns trigger language plpgsql as $$ begin raise exception 'never again'; end $$`
  await sql`create trigger never_again before update on rowbeat.schedules for each row when (old.name = 'cursed') execute function never_again()`
  await sql`
    insert into rowbeat.schedules (name, task, schedule, enabled, resume_at)
    values ('cursed', 'a.task', ${sql.json(seldom)}, false, clock_timestamp())`
  await until('the beat had trouble', () => heard.trouble.some(({ what }) => what === 'resuming schedules'))
  t.ok(await fired(await put({ schedule: every(100) }), 3))
  await sql`drop trigger never_again on rowbeat.schedules`
  await until(
    'it is resumed',
    async () => (await sql`select from rowbeat.schedules where name = 'cursed' and enabled`).length,
  )
  heard.trouble.length = 0
  await sql`delete from rowbeat.schedules`
})

t.test('a transaction that holds rows holds up only these', async (t) => {
  const held = await Promise.all(
    ['due', 'unarmed', 'resumable'].map((name) => put({ name: `held, ${name}` })),
  )
  const [due, unarmed, resumable] = held as [string, string, string]
  for (const id of held) await armed(id)
  const release = new AbortController()
  const holding = new AbortController()
  // This lock lets others edit the rows and lets nobody take them, so they are never free as a beat would want them.
  const holder = sql.begin(async (tx) => {
    await tx`select from rowbeat.schedules where id = any (${held}) for key share`
    holding.abort()
    if (!release.signal.aborted) await once(release.signal, 'abort')
  })
  if (!holding.signal.aborted) await once(holding.signal, 'abort')
  await sql`update rowbeat.schedules set next_run_at = clock_timestamp() where id = ${due}`
  await sql`update rowbeat.schedules set next_run_at = null where id = ${unarmed}`
  await sql`update rowbeat.schedules set enabled = false, resume_at = clock_timestamp() where id = ${resumable}`
  const free = await put({ schedule: every(100) })
  const began = new Date()
  await fired(free, 5)
  t.ok(ago(began) < 2000, `five firings in ${ago(began)} ms`)
  t.strictSame(await firings(due), [], 'what is held does not fire')
  t.equal((await row(unarmed)).next_run_at, null)
  t.equal((await row(resumable)).enabled, false)
  release.abort()
  await holder
  await fired(due)
  t.ok((await armed(unarmed)).next_run_at)
  await until('it is resumed', async () => (await row(resumable)).enabled)
  t.strictSame(heard.trouble, [])
})
