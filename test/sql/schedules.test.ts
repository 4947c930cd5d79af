/**
 * Schedules from SQL: create_schedule, and plain INSERT, UPDATE and DELETE. What the triggers promise to beats and editors
 * whatever the statement was: the version, the moment from which instants count, a cleared next_run_at, a bell.
 */
import postgres from 'postgres'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

const { sql, url, admin, adminUrl } = await setup(t)
const NIGHTLY = { kind: 'crontab', minute: '0', hour: '3' }
const TICK = { kind: 'interval', every: 10, period: 'seconds' }

type Row = Record<string, any>

const one = async (name: string): Promise<Row> =>
  (
    await sql`select *, expires::text, jitter::text, catch_up_window::text from rowbeat.schedules where name = ${name}`
  )[0]!
const make = async (name: string, more: Row = {}): Promise<Row> => {
  const fields = { name, task: 'test.one', schedule: TICK, ...more }
  await sql`insert into rowbeat.schedules ${sql(fields as never)}`
  return await one(name)
}
/** Changes by SQL text, and what the row was and is. */
const change = async (name: string, set: string): Promise<[before: Row, after: Row]> => {
  const before = await one(name)
  await sql.unsafe(`update rowbeat.schedules set ${set} where name = '${name}'`)
  return [before, await one(name)]
}
/** As a beat writes. */
const asBeat = async (name: string, set: string): Promise<void> =>
  void (await sql.begin(async (tx) => {
    await tx`select set_config('rowbeat.writer', 'beat', true)`
    await tx.unsafe(`update rowbeat.schedules set ${set} where name = '${name}'`)
  }))

t.test('create_schedule makes a row of all that it takes and answers its id', async (t) => {
  const options = {
    enabled: false,
    queue: 'high',
    priority: -3,
    tags: ['a', 'b'],
    headers: { trace: '1' },
    expires: '5 minutes',
    one_off: true,
    start_at: '2099-01-01T00:00:00Z',
    end_at: '2099-02-01T02:00:00+02:00',
    jitter: 1.5,
    overlap: 'skip',
    catch_up: 'all',
    catch_up_window: '2h',
    firings_max: 9,
    failures_max: 3,
    anchor_at: '2098-12-31T23:59:59.123Z',
    description: 'of everything',
  }
  const [{ id }] = (await sql`
    select rowbeat.create_schedule('all', 'test.one', ${sql.json(NIGHTLY)}, ${sql.json({ x: 1 })}, ${sql.json(options)})::text as id`) as never as [
    { id: string },
  ]
  t.match(await one('all'), {
    id,
    task: 'test.one',
    kind: 'crontab',
    schedule: NIGHTLY,
    input: { x: 1 },
    ...options,
    expires: '00:05:00',
    jitter: '00:00:01.5',
    catch_up_window: '02:00:00',
    start_at: new Date(options.start_at),
    end_at: new Date(options.end_at),
    anchor_at: new Date(options.anchor_at),
    origin: 'user',
    edited_at: null,
    version: 1,
  })
})

t.test('create_schedule with a name, a task and a timing takes the defaults', async (t) => {
  await sql`select rowbeat.create_schedule('least', 'test.one', ${sql.json(TICK)})`
  t.match(await one('least'), {
    input: {},
    enabled: true,
    queue: null,
    priority: null,
    tags: [],
    headers: {},
    one_off: false,
    overlap: 'allow',
    catch_up: 'last',
    firings_max: null,
    description: '',
  })
})

t.test('what create_schedule refuses names the place, and nothing is written', async (t) => {
  const count = async (): Promise<number> =>
    (await sql`select count(*)::int as n from rowbeat.schedules`)[0]!.n
  const before = await count()
  const cases: [schedule: object, options: unknown, code: string, message: RegExp][] = [
    [TICK, { queues: 'x' }, '22023', /"queues" is not an option of a schedule; known are enabled, queue/],
    [TICK, [], '22023', /options: must be an object/],
    [TICK, { expires: 'soon' }, '22023', /expires must be seconds or text/],
    [TICK, { jitter: -1 }, '22023', /jitter must be seconds/],
    [TICK, { start_at: 'tomorrow' }, '22023', /start_at must be an instant/],
    [TICK, { end_at: '2026-01-01T00:00:00' }, '22023', /end_at must be an instant/],
    [TICK, { queue: 'No' }, '23514', /queue/],
    [TICK, { overlap: 'perhaps' }, '23514', /overlap/],
    [TICK, { catch_up: 'some' }, '23514', /catch_up/],
    [TICK, { firings_max: 0 }, '23514', /firings_max/],
    [TICK, { tags: [''] }, '23514', /tags: must be at most 20 texts of 1 to 64/],
    [TICK, { start_at: '2099-01-02T00:00:00Z', end_at: '2099-01-01T00:00:00Z' }, '23514', /schedules_span/],
    [{ kind: 'lunar' }, {}, '23514', /schedule: kind must be crontab, interval, solar or clocked/],
    [{ ...TICK, relative: true }, {}, '23514', /schedule: "relative" is no part of a interval|"relative"/],
    [{ kind: 'interval', every: 10 }, {}, '23514', /schedule: period is missing/],
    [{ kind: 'interval', every: '10', period: 'seconds' }, {}, '23514', /schedule: every must be a number/],
    [{ kind: 'crontab', minute: [1] }, {}, '23514', /schedule: minute must be text/],
    [{ kind: 'solar', event: 'sunset', latitude: 50 }, {}, '23514', /schedule: longitude is missing/],
    [{ kind: 'clocked', at: 5 }, {}, '23514', /schedule: at must be text/],
  ]
  for (const [schedule, options, code, message] of cases)
    await t.rejects(
      sql`select rowbeat.create_schedule('refused', 'test.one', ${sql.json(schedule as never)}, '{}', ${sql.json(options as never)})`,
      { code, message },
      JSON.stringify([schedule, options]),
    )
  const named = (name: string, task: string): Promise<unknown> =>
    sql`select rowbeat.create_schedule(${name}, ${task}, ${sql.json(TICK)})` as never
  await t.rejects(named('', 'test.one'), { code: '23514', message: /name/ })
  await t.rejects(named('x'.repeat(201), 'test.one'), { code: '23514', message: /name/ })
  await t.rejects(named('refused', 'no task'), { code: '23514', message: /task/ })
  await t.rejects(named('least', 'test.one'), { code: '23505' })
  const big = JSON.stringify({ text: 'x'.repeat(1_600_000) })
  await t.rejects(
    sql`select rowbeat.create_schedule('refused', 'test.one', ${sql.json(TICK)}, ${big}::text::jsonb)`,
    { code: '54000' },
  )
  t.equal(await count(), before)
})

t.test('an INSERT gets an id, version 1 and an anchor, and nothing that is the beat to write', async (t) => {
  const given = {
    version: 7,
    failures: 3,
    firings_total: 9,
    next_run_at: new Date('2020-01-01'),
    last_run_at: new Date('2020-01-01'),
    error: 'planted',
  }
  const row = await make('plain', given)
  t.match(row, {
    id: /^[0-9a-f]{8}-[0-9a-f]{4}-7/,
    version: 1,
    failures: 0,
    firings_total: '0',
    next_run_at: null,
    last_run_at: null,
    error: null,
    origin: 'user',
    edited_at: null,
  })
  t.ok(Math.abs(row.anchor_at - row.created_at) < 2)
  t.strictSame(row.since_at, row.created_at)
  const start = new Date('2099-05-05T05:05:05.500Z')
  t.strictSame(
    (await make('starting', { start_at: start })).anchor_at,
    start,
    'an interval counts from its start',
  )
  t.equal((await make('once', { schedule: { kind: 'clocked', at: '2099-01-01T00:00:00Z' } })).one_off, true)
})

t.test('an edit counts up the version and says when; what changes nothing does neither', async (t) => {
  await make('edited')
  for (const set of [
    `description = 'x'`,
    `input = '{"a": 1}'`,
    `queue = 'high'`,
    `tags = '{a}'`,
    `expires = '1 hour'`,
    `schedule = '{"kind": "interval", "every": 20, "period": "seconds"}'`,
    `name = 'edited', task = 'test.two'`,
  ]) {
    const [before, after] = await change('edited', set)
    t.equal(after.version, before.version + 1, set)
    t.ok(after.edited_at > before.updated_at, set)
    t.strictSame(after.edited_at, after.updated_at)
    const [, again] = await change('edited', set)
    t.match(again, { version: after.version, edited_at: after.edited_at, updated_at: after.updated_at }, set)
  }
  const [before, after] = await change('edited', 'version = 99')
  t.equal(after.version, before.version, 'the version is not for editors to write')
})

t.test('what a beat writes is no edit, whoever writes it', async (t) => {
  await make('beaten')
  const [before, after] = await change(
    'beaten',
    `next_run_at = now(), last_run_at = now(), firings_total = 4, error = null`,
  )
  t.match(after, {
    version: before.version,
    edited_at: null,
    updated_at: before.updated_at,
    firings_total: '4',
  })
  t.ok(after.next_run_at)
  await asBeat('beaten', `enabled = false, next_run_at = null`)
  t.match(await one('beaten'), { version: before.version, edited_at: null, enabled: false })
})

t.test(
  'an edit of the timing clears next_run_at and counts from now; another edit does neither',
  async (t) => {
    await make('timed')
    await asBeat('timed', `next_run_at = now() + interval '5 seconds', buffered_at = now()`)
    const [armed, described] = await change(
      'timed',
      `description = 'x', input = '{"a": 1}', overlap = 'skip'`,
    )
    t.match(described, {
      next_run_at: armed.next_run_at,
      since_at: armed.since_at,
      buffered_at: armed.buffered_at,
    })
    for (const set of [
      `schedule = schedule || '{"every": 30}'`,
      `start_at = now() + interval '1 hour'`,
      `end_at = now() + interval '1 day'`,
      `anchor_at = now() + interval '2 hours'`,
    ]) {
      await asBeat('timed', `next_run_at = now() + interval '5 seconds', buffered_at = now()`)
      const [before, after] = await change('timed', set)
      t.match(after, { next_run_at: null, buffered_at: null, version: before.version + 1 }, set)
      t.ok(after.since_at > before.updated_at, set)
    }
  },
)

t.test('a start that is moved takes the anchor with it, unless the anchor is moved too', async (t) => {
  await make('anchored')
  const [, moved] = await change('anchored', `start_at = '2099-01-01T00:00:00.25Z'`)
  t.strictSame(moved.anchor_at, new Date('2099-01-01T00:00:00.250Z'))
  const [, both] = await change(
    'anchored',
    `start_at = '2099-02-01T00:00:00Z', anchor_at = '2098-01-01T00:00:00Z'`,
  )
  t.strictSame(both.anchor_at, new Date('2098-01-01T00:00:00Z'))
})

t.test('switching off and on counts up the version, is no edit, and never brings the past', async (t) => {
  await make('switched')
  await asBeat('switched', `next_run_at = now() - interval '1 hour', failures = 4`)
  const [, off] = await change(
    'switched',
    `enabled = false, pause_reason = 'repairs', resume_at = now() + interval '1 hour'`,
  )
  t.match(off, {
    version: 2,
    edited_at: null,
    next_run_at: null,
    pause_reason: 'repairs',
    resume_at: Date,
    failures: 4,
  })
  const [, on] = await change('switched', 'enabled = true')
  t.match(on, {
    version: 3,
    edited_at: null,
    next_run_at: null,
    pause_reason: null,
    resume_at: null,
    failures: 0,
  })
  t.ok(on.since_at > off.updated_at, 'instants before it was switched on do not count')
})

t.test('an edit clears the error, so that a beat looks at the row again', async (t) => {
  await make('broken')
  await asBeat('broken', `error = 'its crontab cannot be read'`)
  const [before, after] = await change('broken', `description = 'mended?'`)
  t.equal(before.error, 'its crontab cannot be read')
  t.match(after, { error: null, next_run_at: null })
})

t.test(
  'every way to write rings the bell of the beats, once a statement; a beat does not ring',
  async (t) => {
    const listener = postgres(url, { max: 1, onnotice: () => {} })
    t.teardown(() => listener.end({ timeout: 1 }))
    const heard: string[] = []
    await listener.listen('rowbeat_schedules', (payload) => void heard.push(payload))
    let mark = 0
    /** Notices come in order: what `act` rang came before the mark that is sent behind it. */
    const rings = async (act: () => Promise<unknown>): Promise<number> => {
      const before = heard.length
      await act()
      const last = `mark ${++mark}`
      await sql`select pg_notify('rowbeat_schedules', ${last})`
      await until('the mark is heard', () => heard.includes(last))
      return heard.length - before - 1
    }
    t.equal(await rings(() => make('bell')), 1, 'INSERT')
    t.equal(await rings(() => change('bell', `description = 'x'`)), 1, 'UPDATE')
    const call = async (): Promise<unknown> =>
      await sql`select rowbeat.create_schedule('bell 2', 'test.one', ${sql.json(TICK)})`
    t.equal(await rings(call), 1, 'create_schedule')
    t.equal(await rings(() => asBeat('bell', `next_run_at = now()`)), 0, 'a beat that arms')
    t.equal(await rings(() => asBeat('bell', `enabled = false`)), 0, 'a beat that switches off')
    const remove = async (): Promise<unknown> =>
      await sql`delete from rowbeat.schedules where name in ('bell', 'bell 2')`
    t.equal(await rings(remove), 1, 'DELETE')
  },
)

t.test('a CHECK that refuses an UPDATE names the field, and the row stays as it was', async (t) => {
  await make('checked')
  const refused: [set: string, message: RegExp][] = [
    [`schedule = '[]'`, /schedule: must be an object/],
    [`schedule = '{"kind": "crontab", "second": "1"}'`, /schedule: "second" is no part of a crontab/],
    [`queue = 'No'`, /queue/],
    [`expires = '-1 second'`, /expires/],
    [`jitter = '-1 second'`, /jitter/],
    [`firings_max = 0`, /firings_max/],
    [`failures_max = 0`, /failures_max/],
    [`overlap = 'x'`, /overlap/],
    [`catch_up_window = '-1 second'`, /catch_up_window/],
    [`headers = '[]'`, /headers/],
    [`origin = 'nobody'`, /origin/],
  ]
  for (const [set, message] of refused)
    await t.rejects(change('checked', set), { code: '23514', message }, set)
  t.equal((await one('checked')).version, 1)
})

t.test(
  'a role with EXECUTE on create_schedule, and nothing else, makes schedules and sees none',
  async (t) => {
    const role = `scheduler_${process.pid}`
    await admin.unsafe(`create role ${role}; grant usage on schema rowbeat to ${role}`)
    t.teardown(async () => {
      const again = postgres(adminUrl, { max: 1 })
      await again.unsafe(`drop owned by ${role} cascade; drop role ${role}`)
      await again.end()
    })
    const as = (text: string, before = ''): Promise<unknown> =>
      admin.begin(async (tx) => {
        if (before) await tx.unsafe(before)
        await tx.unsafe(`set local role ${role}`)
        return await tx.unsafe(text)
      }) as never
    const call = `select rowbeat.create_schedule('theirs', 'test.one', '{"kind": "interval", "every": 10, "period": "seconds"}'::pg_catalog.jsonb, options => '{"queue": "high"}'::pg_catalog.jsonb)`
    await t.rejects(as(call), { code: '42501' })
    await sql.unsafe(`grant execute on function rowbeat.create_schedule to ${role}`)
    const trap = `create schema evil; grant usage on schema evil to ${role};
    create function evil.jsonb_typeof(jsonb) returns text language sql as 'select (1/0)::text'; set local search_path = evil, pg_catalog`
    await as(call, trap)
    t.match(await one('theirs'), { queue: 'high', version: 1 })
    for (const text of [
      'select * from rowbeat.schedules',
      'select * from rowbeat.firings',
      'update rowbeat.schedules set enabled = false',
      'delete from rowbeat.schedules',
      `select rowbeat.run_schedule_v1(gen_random_uuid(), null, '{}')`,
      `select rowbeat.fire_v1('[]')`,
      `select rowbeat.declare_v1('[]')`,
    ])
      await t.rejects(as(text), { code: '42501' }, text)
  },
)
