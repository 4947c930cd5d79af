/** Versions of a schedule and the way back to one, dry runs, and the hours ahead. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { z } from 'zod'
import { PROCESS, type Caller } from '../../src/auth/scopes.ts'
import { createRunControl } from '../../src/control/runs.ts'
import { CROWD, MARKS_MAX } from '../../src/control/schedule-timeline.ts'
import { createScheduleControl } from '../../src/control/schedules.ts'
import { createRowbeat, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

const add = task('demo.add', { input: z.object({ x: z.number(), y: z.number() }) }, ({ x, y }) => x + y)
const echo = task('demo.echo', {}, (input: unknown) => input)
const { sql } = await setup(t)
const rowbeat = createRowbeat({ db: sql, tasks: [add, echo] })
t.teardown(() => rowbeat.close())
const control = createScheduleControl(rowbeat, { runs: createRunControl(rowbeat), timezone: 'Europe/Kyiv' })

const TICK = { kind: 'interval', every: 10, period: 'seconds' }
const body = (name: string, more: object = {}): object => ({
  name,
  task: 'demo.add',
  input: { x: 1, y: 2 },
  schedule: TICK,
  ...more,
})
const caller = (...scopes: string[]): Caller => ({ kind: 'user', id: 'u', name: 'anna@example.com', scopes })
const ALL = { below: null, limit: 50 }
const clean = async (): Promise<unknown> => await sql`delete from rowbeat.schedules`

t.test('each edit is a version, with who made it, what it changed and what stood then', async (t) => {
  const { id } = await control.create(PROCESS, body('told', { expires: '2 hours', tags: ['a'] }))
  const anna = caller('schedules:read', 'schedules:write')
  await control.edit(anna, id, { priority: 3, expires: null }, 'any')
  await control.pause(anna, id, { reason: 'holidays', until: null }, 'any')
  await sql`update rowbeat.schedules set name = 'told anew', schedule = '{"kind":"crontab","minute":"5"}' where id = ${id}`
  await sql`update rowbeat.schedules set firings_total = 7, last_run_at = now() where id = ${id}`
  const { items, before } = await control.versions(PROCESS, id, ALL)
  t.equal(before, null)
  t.match(items, [
    {
      version: 4,
      via: 'sql',
      actor_kind: 'database',
      changed: ['name', 'schedule'],
      definition: { name: 'told anew', priority: 3, schedule: { kind: 'crontab', minute: '5', hour: '*' } },
      text: 'at 5 minutes past the hour',
    },
    {
      version: 3,
      actor: 'anna@example.com',
      action: 'schedule.pause',
      reason: 'holidays',
      changed: ['enabled', 'pause_reason'],
      definition: { name: 'told', enabled: false, schedule: TICK },
    },
    {
      version: 2,
      changed: ['expires', 'priority'],
      definition: { enabled: true, priority: 3, expires: null },
    },
    {
      version: 1,
      action: 'schedule.create',
      changed: null,
      definition: { priority: null, expires: 7200, tags: ['a'] },
    },
  ])
  const page = await control.versions(PROCESS, id, { below: null, limit: 3 })
  t.equal(page.before, 2)
  t.strictSame((await control.versions(PROCESS, id, { below: 2, limit: 3 })).items, items.slice(3))
  const untold = (await control.versions(anna, id, ALL)).items
  t.ok(
    untold.every(({ actor }) => actor === null),
    'who may not read the log is not told who',
  )
  await t.rejects(control.versions(PROCESS, randomUUID(), ALL), { code: 'RB_SCHEDULE_NOT_FOUND' })
})

t.test('a version comes back as it was, to the last digit, and leaves the switch alone', async (t) => {
  const { id } = await control.create(PROCESS, body('back', { task: 'demo.echo', tags: ['a'], jitter: 90 }))
  await sql`update rowbeat.schedules set input = '{"n": 12345678901234567890}' where id = ${id}`
  await control.edit(
    PROCESS,
    id,
    { input: {}, tags: [], jitter: null, description: 'other', name: 'gone' },
    'any',
  )
  await control.pause(PROCESS, id, { reason: null, until: null }, 'any')
  await t.rejects(control.revert(PROCESS, id, [2], { version: 2 }), { code: 'RB_SCHEDULE_CHANGED' })
  const anna = caller('schedules:read', 'schedules:write')
  const reverted = await control.revert(anna, id, [4], { version: 2, reason: 'was right' })
  t.match(reverted, { name: 'back', tags: ['a'], jitter: 90, description: '', version: 5, enabled: false })
  const [row] = await sql`select input::text as input from rowbeat.schedules where id = ${id}`
  t.equal(row!.input, '{"n": 12345678901234567890}')
  const [last] = (await control.versions(PROCESS, id, ALL)).items
  t.match(last, { action: 'schedule.revert', reason: 'was right', actor: 'anna@example.com' })
})

t.test('what cannot come back is refused, and why', async (t) => {
  const { id } = await control.create(PROCESS, body('firm'))
  await control.create(PROCESS, body('taken'))
  await control.edit(PROCESS, id, { name: 'moved', input: { x: 3, y: 4 } }, 'any')
  const refused = async (version: number, pattern: object): Promise<unknown> =>
    await t.rejects(control.revert(PROCESS, id, 'any', { version }), {
      code: 'RB_SCHEDULE_INVALID',
      ...pattern,
    })
  await refused(2, { message: /\/version must be below 2/ })
  await refused(77, { message: /\/version must be below 2/ })
  await sql`update rowbeat.schedules set name = 'firm' where name = 'taken'`
  await t.rejects(control.revert(PROCESS, id, 'any', { version: 1 }), { code: 'RB_SCHEDULE_DUPLICATE' })
  await sql`update rowbeat.schedules set name = 'taken' where name = 'firm'`
  await sql`update rowbeat.schedules set input = '{"x": "one"}' where id = ${id}`
  await control.edit(PROCESS, id, { input: { x: 1, y: 1 } }, 'any')
  await t.rejects(control.revert(PROCESS, id, 'any', { version: 3 }), { code: 'RB_INPUT_INVALID' })
  await t.rejects(control.revert(PROCESS, id, 'any'), { code: 'RB_SCHEDULE_UNDECLARED' })
})

t.test('where the log does not reach, the oldest version known has nobody’s name on it', async (t) => {
  const { id } = await control.create(PROCESS, body('old'))
  for (const priority of [1, 2, 3]) await control.edit(PROCESS, id, { priority }, 'any')
  await sql`alter table rowbeat.audit_log disable trigger keep_rows`
  await sql`delete from rowbeat.audit_log where target = ${id} and (after->>'version')::int <= 2`
  await sql`alter table rowbeat.audit_log enable trigger keep_rows`
  const { items } = await control.versions(PROCESS, id, ALL)
  t.strictSame(
    items.map(({ version, at, definition }) => [version, at !== null, definition.priority]),
    [
      [4, true, 3],
      [3, true, 2],
      [2, false, 1],
    ],
  )
  t.match(await control.revert(PROCESS, id, 'any', { version: 2 }), { priority: 1 })
  await t.rejects(control.revert(PROCESS, id, 'any', { version: 1 }), {
    message: /no version of "old" that is still known/,
  })
})

t.test('a dry run answers the run, and leaves nothing', async (t) => {
  await clean()
  await sql`update rowbeat.tasks set attempts_max = 3`
  await sql`insert into rowbeat.tasks (name, attempts_max, time_limit) values ('demo.add', 4, 90) on conflict (name) do update set attempts_max = 4`
  const { id } = await control.create(PROCESS, body('dry', { queue: 'high', tags: ['t'], expires: 60 }))
  const [before] =
    await sql`select (select count(*) from rowbeat.runs) as runs, (select count(*) from rowbeat.audit_log) as log`
  const dry = await control.dryRun(PROCESS, id, { asOf: null, body: null })
  t.match(dry.run, {
    task: 'demo.add',
    queue: 'high',
    tags: ['t'],
    attempts_max: 4,
    schedule: 'dry',
    due_at: dry.due_at,
  })
  t.equal(Date.parse(dry.run.expires_at!) - Date.parse(dry.due_at), 60_000)
  t.strictSame(dry.notes, [])
  const edited = await control.dryRun(PROCESS, id, {
    asOf: '2030-01-01T00:00:00.001Z',
    body: { input: { x: 7, y: 7 }, enabled: false, jitter: 30 },
  })
  t.match(edited.run, { input: { x: 7, y: 7 }, due_at: '2030-01-01T00:00:00.001Z', state: 'SCHEDULED' })
  t.match(edited.notes, [/switched off/, /no instant of it; the next one is/, /Jitter/])
  const draft = await control.dryRunDraft(PROCESS, { asOf: null, body: body('unsaved') })
  t.match(draft.run, { schedule: 'unsaved', task: 'demo.add' })
  await t.rejects(control.dryRunDraft(PROCESS, { asOf: null, body: body('dry') }), {
    code: 'RB_SCHEDULE_DUPLICATE',
  })
  await t.rejects(control.dryRunDraft(PROCESS, { asOf: null, body: body('x', { input: {} }) }), {
    code: 'RB_INPUT_INVALID',
  })
  await t.rejects(control.dryRun(PROCESS, id, { asOf: null, body: { overlap: 'never' } }), {
    code: 'RB_SCHEDULE_INVALID',
  })
  const [after] =
    await sql`select (select count(*) from rowbeat.runs) as runs, (select count(*) from rowbeat.audit_log) as log`
  t.strictSame(after, before)
  t.match(await control.read(PROCESS, id), { version: 1, enabled: true, firings_total: 0 })
  const writer = await control.dryRun(caller('schedules:write'), id, { asOf: null, body: null })
  t.equal(writer.run.input, null, 'the right to write is none to read')
})

t.test('the latest firings of many come with what became of their runs', async (t) => {
  await clean()
  const byHand = { asOf: null, request: { task: '', options: {} } }
  const one = await control.create(PROCESS, body('one', { overlap: 'skip' }))
  const two = await control.create(PROCESS, body('two'))
  const run = await control.run(PROCESS, one.id, byHand, 'any')
  await rowbeat.revoke(run.id)
  const live = await control.run(PROCESS, one.id, byHand, 'any')
  const items = await control.recent(PROCESS, [two.id, one.id], 5)
  t.match(items, [
    { schedule_id: two.id, firings: [] },
    {
      schedule_id: one.id,
      firings: [
        { run_id: live.id, state: 'fired', run_state: 'PENDING', run_seconds: null },
        { run_id: run.id, run_state: 'REVOKED' },
      ],
    },
  ])
  t.equal((await control.recent(PROCESS, [one.id], 1))[0]!.firings.length, 1)
  const dry = await control.dryRun(PROCESS, one.id, { asOf: null, body: null })
  t.match(dry, { live: [live.id], notes: [/would be skipped/] })
})

t.test('the hours ahead tell who is due when, and who is due together', async (t) => {
  await clean()
  const fromMs = Date.parse('2031-03-01T00:00:00Z')
  const daily = (hour: string, more: object = {}): object => ({
    schedule: { kind: 'crontab', minute: '0', hour, timezone: 'UTC' },
    ...more,
  })
  for (const name of ['a', 'b', 'c']) await control.create(PROCESS, body(name, daily('0')))
  await control.create(PROCESS, body('spread', daily('0', { jitter: 60 })))
  await control.create(PROCESS, body('off', daily('0', { enabled: false })))
  for (const name of ['half', 'hour'])
    await control.create(PROCESS, body(name, daily('*/6', { firings_max: 3 })))
  await control.create(PROCESS, body('busy', { schedule: TICK, anchor_at: '2026-01-01T00:00:00Z' }))
  await control.create(PROCESS, body('later', { start_at: '2032-01-01T00:00:00Z' }))
  const told = await control.timeline(PROCESS, { fromMs, hours: 24 })
  t.match(told, { from: '2031-03-01T00:00:00.000Z', until: '2031-03-02T00:00:00.000Z', more: false })
  const row = (name: string): unknown => told.items.find((item) => item.name === name)
  t.strictSame(told.items.map(({ name }) => name).toSorted(), [
    'a',
    'b',
    'busy',
    'c',
    'half',
    'hour',
    'spread',
  ])
  t.match(row('a'), { count: 1, instants: ['2031-03-01T00:00:00.000Z'], text: 'at 00:00' })
  t.match(row('half'), { count: 3 }, 'no more than it may still fire')
  const busy = row('busy') as { count: number; instants: string[] }
  t.strictSame([busy.count, busy.instants.length], [8640, MARKS_MAX])
  t.match(told.collisions, [{ at: '2031-03-01T00:00:00.000Z', times: 1, jitter: 60 }])
  t.strictSame(
    told.collisions[0]!.schedules.map(({ name }) => name).toSorted(),
    ['a', 'b', 'c', 'half', 'hour'],
    'what has jitter, and what is due all the time, is no part of it',
  )
  t.equal(CROWD, 3)
  const far = await control.timeline(PROCESS, { fromMs: fromMs + 3_600_000, hours: 1 })
  t.strictSame(
    far.items.map(({ name }) => name),
    ['busy'],
  )
})
