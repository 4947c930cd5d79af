/** The verbs on schedules below REST and the command line: who may, what they find, files of many. */
import t from 'tap'
import { z } from 'zod'
import { PROCESS, type Caller } from '../../src/auth/scopes.ts'
import { createRunControl } from '../../src/control/runs.ts'
import { createScheduleControl, type ScheduleControl } from '../../src/control/schedules.ts'
import { createRowbeat, task } from '../../src/index.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'

const add = task('demo.add', { input: z.object({ x: z.number(), y: z.number() }) }, ({ x, y }) => x + y)
const TICK = { kind: 'interval', every: 10, period: 'seconds' }
const body = (name: string, more: object = {}): object => ({
  name,
  task: 'demo.add',
  input: { x: 1, y: 2 },
  schedule: TICK,
  ...more,
})
const caller = (...scopes: string[]): Caller => ({ kind: 'key', id: 'k', name: 'a test', scopes })

async function open(t: Parameters<typeof setup>[0]): Promise<Bundle & { control: ScheduleControl }> {
  const bundle = await setup(t)
  const rowbeat = createRowbeat({ db: bundle.sql, tasks: [add] })
  t.teardown(() => rowbeat.close())
  const runs = createRunControl(rowbeat)
  return { ...bundle, control: createScheduleControl(rowbeat, { runs, timezone: 'Europe/Kyiv' }) }
}

t.test('each verb asks for its scope, before it looks at anything', async (t) => {
  const { control, sql } = await open(t)
  const { id } = await control.create(PROCESS, body('one'))
  const place = { order: 'name', limit: 5 } as const
  const stretch = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:10Z', dryRun: false }
  const byHand = { asOf: null, request: { task: '', options: {}, extra: {} } }
  const reading: Record<string, (by: Caller) => Promise<unknown>> = {
    list: (by) => control.list(by, {}, place),
    read: (by) => control.read(by, id),
    firings: (by) => control.firings(by, id, { limit: 5 }),
    preview: (by) => control.preview(by, id, { count: 1 }),
    previewDraft: (by) => control.previewDraft(by, { schedule: TICK, count: 1 }),
    export: (by) => control.export(by, {}),
    orphans: (by) => control.orphans(by, []),
    versions: (by) => control.versions(by, id, { below: null, limit: 5 }),
    recent: (by) => control.recent(by, [id], 5),
    timeline: (by) => control.timeline(by, { hours: 1 }),
  }
  const writing: Record<string, (by: Caller) => Promise<unknown>> = {
    create: (by) => control.create(by, body('two')),
    replace: (by) => control.replace(by, id, body('one'), 'any'),
    edit: (by) => control.edit(by, id, {}, 'any'),
    run: (by) => control.run(by, id, byHand, 'any'),
    backfill: (by) => control.backfill(by, id, stretch, 'any'),
    dryRun: (by) => control.dryRun(by, id, { asOf: null, body: null }),
    dryRunDraft: (by) => control.dryRunDraft(by, { asOf: null, body: body('three') }),
    pause: (by) => control.pause(by, id, { reason: null, until: null }, 'any'),
    resume: (by) => control.resume(by, id, 'any'),
    revert: (by) => control.revert(by, id, 'any'),
    import: (by) => control.import(by, { rowbeat: 1, schedules: [] }, 'refuse'),
    delete: (by) => control.delete(by, id, 'any'),
  }
  const either: Record<string, (by: Caller) => Promise<unknown>> = {
    require: (by: Caller) => control.require(by, id),
    find: (by: Caller) => control.find(by, 'one'),
  }
  const named = [...Object.keys(reading), ...Object.keys(writing), ...Object.keys(either)]
  t.strictSame(named.toSorted(), Object.keys(control).toSorted(), 'every verb is tried')
  const missing = { code: 'RB_SCOPE_MISSING' }
  for (const [name, act] of Object.entries(reading)) {
    await t.rejects(
      act(caller('schedules:write', 'runs:read')),
      { ...missing, message: /schedules:read/ },
      name,
    )
    await act(caller('schedules:read'))
  }
  for (const [name, act] of Object.entries(writing))
    await t.rejects(
      act(caller('schedules:read', 'runs:write')),
      { ...missing, message: /schedules:write/ },
      name,
    )
  for (const [name, act] of Object.entries(either)) {
    await t.rejects(act(caller('runs:read', 'runs:write')), missing, name)
    await act(caller('schedules:read'))
    await act(caller('schedules:write'))
  }
  t.equal((await sql`select from rowbeat.firings`).length, 0)
  t.match(await control.read(PROCESS, id), { version: 1 })
  for (const [name, act] of Object.entries(writing))
    if (name !== 'revert') await t.resolves(act(caller('schedules:write')), name)
})

t.test('a schedule is found by its name, and only by all of it', async (t) => {
  const { control } = await open(t)
  const { id } = await control.create(PROCESS, body('nightly / Київ'))
  t.equal(await control.find(PROCESS, 'nightly / Київ'), id)
  for (const name of ['nightly', 'Nightly / Київ', '', id])
    await t.rejects(control.find(PROCESS, name), { code: 'RB_SCHEDULE_NOT_FOUND' }, name)
})

t.test(
  'a task of this process is checked by its own schema, one of another by what it registered',
  async (t) => {
    const { control, sql } = await open(t)
    const refused = control.create(PROCESS, body('a', { input: { x: 'one' } }))
    await t.rejects(refused, {
      name: 'EnqueueError',
      code: 'RB_INPUT_INVALID',
      faults: [{ pointer: '/input/x' }, { pointer: '/input/y' }],
    })
    await t.rejects(control.create(PROCESS, body('a', { task: 'demo.other' })), { code: 'RB_TASK_UNKNOWN' })
    await sql`insert into rowbeat.tasks (name) values ('demo.other')`
    t.match(await control.create(PROCESS, body('a', { task: 'demo.other', input: [] })), { input: [] })
    const both = control.create(PROCESS, body('', { input: {}, queue: 'No' }))
    await t.rejects(both, {
      name: 'ScheduleError',
      code: 'RB_SCHEDULE_INVALID',
      faults: [{ pointer: '/name' }, { pointer: '/queue' }, { pointer: '/input/x' }, { pointer: '/input/y' }],
    })
  },
)

t.test('a crontab without a zone is of the zone of this process', async (t) => {
  const { control } = await open(t)
  const made = await control.create(
    PROCESS,
    body('a', { schedule: { kind: 'crontab', hour: '3', minute: '0' } }),
  )
  t.match(made.schedule, { timezone: 'Europe/Kyiv' })
  const { next } = await control.preview(PROCESS, made.id, {
    afterMs: Date.parse('2026-06-01T12:00:00Z'),
    count: 1,
  })
  t.strictSame(next, ['2026-06-02T00:00:00.000Z'])
})

t.test('orphans are those of code that is not here; those of users are nobody else to miss', async (t) => {
  const { control, sql } = await open(t)
  await control.create(PROCESS, body('of a user'))
  await sql`insert into rowbeat.schedules (name, task, schedule, origin) select n, 'demo.add', ${sql.json(TICK)}, 'code' from unnest('{b,a,c}'::text[]) n`
  const names = async (...declared: string[]): Promise<string[]> =>
    (await control.orphans(PROCESS, declared)).map((schedule) => schedule.name)
  t.strictSame(await names(), ['a', 'b', 'c'])
  t.strictSame(await names('b', 'of nobody'), ['a', 'c'])
  t.strictSame(await names('a', 'b', 'c'), [])
})

t.test('a file of five thousand goes in by one statement; replaced, ids and counts stay', async (t) => {
  const { control, sql } = await open(t)
  const schedules = Array.from({ length: 5000 }, (_, n) =>
    body(`s${n}`, { input: { x: n, y: 0 }, tags: [`t${n % 7}`] }),
  )
  const file = { rowbeat: 1, schedules }
  t.strictSame(await control.import(PROCESS, file, 'refuse'), { created: 5000, replaced: 0, skipped: 0 })
  await sql`update rowbeat.schedules set firings_total = 9`
  const before = await sql`select id, name from rowbeat.schedules order by name`

  const exported = await control.export(PROCESS, { tag: 't3' })
  t.equal(exported.schedules.length, 714)
  const changed = { rowbeat: 1, schedules: exported.schedules.map((one) => ({ ...one, priority: 5 })) }
  t.strictSame(await control.import(PROCESS, changed, 'replace'), { created: 0, replaced: 714, skipped: 0 })
  t.strictSame([...(await sql`select id, name from rowbeat.schedules order by name`)], [...before])
  t.match(
    await sql`select count(*)::int as n, min(firings_total)::int as least from rowbeat.schedules where priority = 5 and version = 2`,
    [{ n: 714, least: 9 }],
  )

  const wrong = {
    rowbeat: 1,
    schedules: [
      ...schedules.slice(0, 10).map((one) => ({ ...one, name: `new ${(one as { name: string }).name}` })),
      body('s7'),
    ],
  }
  await t.rejects(control.import(PROCESS, wrong, 'refuse'), {
    code: 'RB_SCHEDULE_DUPLICATE',
    faults: [{ pointer: '/schedules/10/name', detail: /"s7" stands already/ }],
  })
  t.match(await sql`select count(*)::int as n from rowbeat.schedules`, [{ n: 5000 }])
})

t.test('what only the database refuses is told with its place too', async (t) => {
  const { control, sql } = await open(t)
  await sql`alter table rowbeat.schedules add constraint schedules_queue_check1 check (queue <> 'closed')`
  await t.rejects(control.create(PROCESS, body('a', { queue: 'closed' })), {
    code: 'RB_SCHEDULE_INVALID',
    faults: [{ pointer: '/queue' }],
  })
  const large = { x: 1, y: 2, text: '"'.repeat(500_000) }
  t.ok(await control.create(PROCESS, body('large', { input: large })))
})
