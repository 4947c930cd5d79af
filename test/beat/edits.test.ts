/** Edits: whatever SQL made them, with the bell or without, they count at once, and never fire anything by themselves. */
import t from 'tap'
import postgres from 'postgres'
import { until } from '../helpers/wait.ts'
import { ago, every, openWorld, seldom } from './world.ts'

const world = await openWorld(t, { timezone: 'Asia/Tokyo' })
const { sql, admin, url, put, row, firings, armed, makeDue, fired, heard } = world
const crontab = (fields: object) => ({ kind: 'crontab', timezone: 'UTC', ...fields })
/** A beat looks each second; what that costs is the margin. */
const AT_ONCE_MS = 1300

const bell = async (is: 'enable' | 'disable') => {
  for (const trigger of ['tell_insert', 'tell_update'])
    await sql.unsafe(`alter table rowbeat.schedules ${is} trigger ${trigger}`)
}

for (const how of ['with NOTIFY', 'without NOTIFY'] as const) {
  t.test(`celery row 4: INSERT, UPDATE and DELETE by SQL are seen within a second, ${how}`, async (t) => {
    await bell(how === 'with NOTIFY' ? 'enable' : 'disable')
    const seen = async (what: string, look: () => Promise<unknown>): Promise<void> => {
      const began = new Date()
      await until(what, look)
      t.ok(ago(began) < AT_ONCE_MS, `${what} after ${ago(began)} ms`)
    }
    const ids = await Promise.all(['one', 'two', 'three'].map((word) => put({ task: `edit.${word}` })))
    const [id] = ids as [string]
    await seen('it is armed', async () => (await row(id)).next_run_at)

    await sql`update rowbeat.schedules set schedule = ${sql.json(every(100))} where task like 'edit.%'`
    for (const one of ids) await seen('all of a bulk update fire', async () => (await firings(one)).length)

    await sql`update rowbeat.schedules set task = 'edit.renamed', input = '{"n": 2}' where id = ${id}`
    await seen('its runs are of the new task', async () => {
      const runs = await sql`select input from rowbeat.runs where task = 'edit.renamed'`
      return runs.some(({ input }) => input.n === 2)
    })

    await sql`update rowbeat.schedules set enabled = false where id = ${ids[1]!}`
    const disabled = (await firings(ids[1]!)).length
    await sql`delete from rowbeat.schedules where id = ${ids[2]!}`
    const deleted = (await firings(ids[2]!)).length
    await fired(id, (await firings(id)).length + 3)
    t.equal((await firings(ids[1]!)).length, disabled, 'none after it was disabled')
    t.equal((await firings(ids[2]!)).length, deleted, 'none after it was deleted')
    await sql`delete from rowbeat.schedules`
    await bell('enable')
  })
}

t.test('celery row 4: the bell makes it quicker than the look of each second', async (t) => {
  const took: number[] = []
  for (let i = 0; i < 5; i++) {
    // One after the other: without a bell each would wait for the next look, a second after the last.
    const id = await put({})
    const began = new Date()
    await armed(id)
    took.push(ago(began))
  }
  t.ok(Math.min(...took) < 400, `armed after ${took.join(', ')} ms`)
  const rung: unknown[] = []
  const { unlisten } = await sql.listen('rowbeat_schedules', () => void rung.push(0))
  await sql`update rowbeat.schedules set priority = 2`
  await until('an UPDATE rings once', () => rung.length === 1)
  await sql`delete from rowbeat.schedules`
  await until('so does a DELETE', () => rung.length === 2)
  await unlisten()
})

t.test('celery row 9: neither enabling nor editing fires anything at once', async (t) => {
  const hourAgo = new Date(Date.now() - 3_600_000)
  const ids = {
    enabled: await put({ name: 'disabled while it was overdue' }),
    edited: await put({ name: 'edited to an hour that has gone by' }),
    started: await put({ name: 'given a start that has gone by' }),
    anchored: await put({ name: 'anchored anew' }),
    retimed: await put({ name: 'every three days to every 100 days' }),
  }
  for (const id of Object.values(ids)) {
    const due = await makeDue(id)
    await fired(id)
    t.match(await row(id), { last_run_at: due })
  }
  await sql`update rowbeat.schedules set enabled = false where id = ${ids.enabled}`
  await sql`update rowbeat.schedules set next_run_at = ${hourAgo} where id = ${ids.enabled}`
  const { last_run_at } = await row(ids.enabled)
  await sql`update rowbeat.schedules set enabled = true where id = ${ids.enabled}`
  const passed = crontab({ minute: `${hourAgo.getUTCMinutes()}`, hour: `${hourAgo.getUTCHours()}` })
  await sql`update rowbeat.schedules set schedule = ${sql.json(passed)} where id = ${ids.edited}`
  await sql`update rowbeat.schedules set start_at = ${hourAgo} where id = ${ids.started}`
  await sql`update rowbeat.schedules set anchor_at = ${hourAgo} where id = ${ids.anchored}`
  await sql`update rowbeat.schedules set schedule = '{"kind": "interval", "every": 100, "period": "days"}' where id = ${ids.retimed}`
  const other = await put({ schedule: every(100) })
  await fired(other, 3)
  for (const [what, id] of Object.entries(ids)) {
    t.equal((await firings(id)).length, 1, `${what} did not fire`)
    const next = (await armed(id)).next_run_at!
    t.ok(next.getTime() > Date.now() + 60_000, `${what}: next at ${next.toISOString()}`)
  }
  t.strictSame((await row(ids.enabled)).last_run_at, last_run_at, 'the last run is remembered')
  await sql`delete from rowbeat.schedules`
})

t.test('what fell due in the second before an edit is not lost by it', async (t) => {
  const id = await put({ schedule: every(100), catch_up: 'all' })
  const [first] = await fired(id)
  for (let i = 0; i < 30; i++) {
    await sql`update rowbeat.schedules set end_at = now() + ${i + 60} * interval '1 second' where id = ${id}`
    await until('the clock goes on', async () => Date.now() % 30 < 5, { every: 1 })
  }
  const found = await fired(id, (await firings(id)).length + 2)
  const times = found.map(({ due_at }) => due_at.getTime())
  t.strictSame(
    times,
    times.map((_, i) => first!.due_at.getTime() + 100 * i),
  )
  await sql`delete from rowbeat.schedules`
})

t.test('celery row 12: a new time zone moves the next instant and does nothing else', async (t) => {
  const three = { minute: '0', hour: '3' }
  const id = await put({ schedule: { kind: 'crontab', ...three, timezone: 'Europe/Kyiv' }, catch_up: 'all' })
  const due = await makeDue(id)
  await fired(id)
  for (const timezone of ['America/New_York', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'UTC']) {
    await sql`update rowbeat.schedules set schedule = schedule || ${sql.json({ timezone })} where id = ${id}`
    const { next_run_at, last_run_at } = await armed(id)
    const local = next_run_at!.toLocaleTimeString('en-GB', { timeZone: timezone })
    t.equal(local, '03:00:00', timezone)
    t.ok(
      next_run_at!.getTime() > Date.now() && next_run_at!.getTime() < Date.now() + 86_400_000,
      'within a day',
    )
    t.strictSame(last_run_at, due)
  }
  t.equal((await firings(id)).length, 1)
  const none = await put({ schedule: { kind: 'crontab', ...three } })
  const next = (await armed(none)).next_run_at!
  t.equal(
    next.toLocaleTimeString('en-GB', { timeZone: 'Asia/Tokyo' }),
    '03:00:00',
    'without one it is the zone of the beat',
  )
  await sql`delete from rowbeat.schedules`
})

t.test('an edit that says nothing new is none', async (t) => {
  const id = await put({ name: 'same' })
  const before = await armed(id)
  await sql`update rowbeat.schedules set name = 'same', enabled = true, schedule = schedule where id = ${id}`
  t.strictSame(await row(id), before)
  await sql`update rowbeat.schedules set version = 77, firings_total = firings_total where id = ${id}`
  t.equal((await row(id)).version, 1, 'nobody writes the version')
  await sql`update rowbeat.schedules set description = 'new' where id = ${id}`
  const after = await row(id)
  t.match(after, { version: 2, next_run_at: before.next_run_at }, 'and words move no instant')
  t.ok(after.edited_at)
})

t.test(
  'edits at 50 Hz from two sessions while it fires: none is lost, and each firing has the version it used',
  async (t) => {
    const id = await put({ schedule: every(100), priority: 1, catch_up: 'all' })
    const written = new Map([[1, 1]])
    const began = Date.now()
    const edit = async (session: postgres.Sql): Promise<number> => {
      let refused = 0
      while (Date.now() - began < 1500) {
        const [seen] = await session`select version, priority from rowbeat.schedules where id = ${id}`
        // As REST does it with If-Match: the edit counts only for the version that its author saw.
        const edited = await session`
        update rowbeat.schedules set priority = ${seen!.priority + 1} where id = ${id} and version = ${seen!.version} returning version, priority`
        for (const { version, priority } of edited) written.set(version, priority)
        if (edited.length === 0) refused++
        const at = Date.now()
        await until('20 ms went by', () => Date.now() - at >= 20, { every: 5 })
      }
      return refused
    }
    const sessions = [0, 1].map(() => postgres(url, { max: 1, onnotice: () => {} }))
    t.teardown(() => Promise.all(sessions.map((session) => session.end({ timeout: 1 }))))
    await Promise.all(sessions.map(edit))
    await sql`delete from rowbeat.schedules where id = ${id}`
    const found = await firings(id)
    const { version, priority } = { version: written.size, priority: written.size }
    t.ok(written.size > 30, `${written.size} edits`)
    t.equal(written.get(version), priority, 'each edit added one')
    const runs =
      await sql`select id, priority from rowbeat.runs where id = any (${found.map(({ run_id }) => run_id)})`
    t.equal(runs.length, found.length)
    for (const firing of found)
      t.equal(runs.find((run) => run.id === firing.run_id)!.priority, written.get(firing.version))
    const times = found.map(({ due_at }) => due_at.getTime())
    t.strictSame(
      times,
      times.map((_, i) => times[0]! + 100 * i),
      'no instant was missed or fired twice',
    )
    const other = await put({ schedule: every(100) })
    await fired(other, 3)
    t.equal((await firings(id)).length, found.length, 'no firing after the delete')
    await sql`delete from rowbeat.schedules`
  },
)

t.test('celery row 3: a crontab of any hour is fired whatever the hour is now', async (t) => {
  const ids = await Promise.all(
    Array.from({ length: 24 }, (_, hour) => put({ schedule: crontab({ minute: '0', hour: `${hour}` }) })),
  )
  for (const id of ids) {
    const next = (await armed(id)).next_run_at!.getTime()
    t.ok(next > Date.now() && next <= Date.now() + 86_400_000, 'armed for the next day')
  }
  await sql`update rowbeat.schedules set next_run_at = clock_timestamp() - interval '5 hours'`
  for (const id of ids) t.equal((await fired(id)).length, 1)
  await sql`delete from rowbeat.schedules`
})

t.test('celery row 13: ten thousand schedules cost nothing until they are due', async (t) => {
  await sql`
    insert into rowbeat.schedules (name, task, schedule)
    select 'crowd ' || n, 'crowd.of_many', ${sql.json(seldom)} from generate_series(1, 10000) n`
  await until(
    'all are armed',
    async () => !(await sql`select from rowbeat.schedules where next_run_at is null limit 1`).length,
    { timeout: 20_000 },
  )
  const [{ id } = { id: '' }] = await sql`select id from rowbeat.schedules where name = 'crowd 5000'`
  const places = () => sql`select id, ctid::text from rowbeat.schedules order by id`
  const before = await places()
  const began = new Date()
  await makeDue(id)
  await fired(id)
  t.ok(ago(began) < AT_ONCE_MS, `fired after ${ago(began)} ms`)
  const moved = (await places()).filter(({ ctid }, i) => ctid !== before[i]!.ctid)
  t.strictSame(
    moved.map((one) => one.id),
    [id],
    'no other row was written',
  )
  await sql`analyze rowbeat.schedules`
  for (const look of [
    'select min(next_run_at) from rowbeat.schedules where enabled',
    'select * from rowbeat.schedules s where s.enabled and s.next_run_at <= clock_timestamp() order by s.next_run_at limit 1000',
  ]) {
    const plan = await sql.unsafe(`explain ${look}`)
    t.match(
      plan.map((line) => line['QUERY PLAN']).join('\n'),
      /Index.* using schedules_due/,
      'a look reads the index',
    )
  }
})

t.test('a role that may write the table, and nothing else, schedules work', async (t) => {
  const role = `planner_${process.pid}`
  await admin.unsafe(
    `create role ${role}; grant usage on schema rowbeat to ${role}; grant select, insert, update, delete on rowbeat.schedules to ${role}`,
  )
  t.teardown(() => admin.unsafe(`drop owned by ${role}; drop role ${role}`))
  const [made] = await admin.begin(async (tx) => {
    await tx.unsafe(`set local role ${role}`)
    return await tx`insert into rowbeat.schedules (name, task, schedule) values ('by the planner', 'a.task', ${tx.json(seldom)}) returning id`
  })
  await armed(made!.id)
  await admin.begin(async (tx) => {
    await tx.unsafe(`set local role ${role}`)
    await tx`update rowbeat.schedules set schedule = ${tx.json(every(100))} where id = ${made!.id}`
  })
  t.equal((await fired(made!.id))[0]!.version, 2)
  await sql`delete from rowbeat.schedules`
})

t.test('nothing of this was trouble', async (t) => {
  t.strictSame(heard.trouble, [])
})
