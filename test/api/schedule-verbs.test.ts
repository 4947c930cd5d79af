/** Verbs on schedules over REST: run, pause, resume, backfill, revert, firings, preview, export, import. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { serve, type Answer, type World } from './world.ts'

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const TICK = { kind: 'interval', every: 10, period: 'seconds' }
const DAILY = { kind: 'crontab', minute: '0', hour: '3', timezone: 'Europe/Kyiv' }

const make = async ({ call }: World, more: object = {}): Promise<any> =>
  (await call('POST', '/v1/schedules', { name: randomUUID(), task: 'demo.echo', schedule: TICK, ...more }))
    .json
const pointers = ({ json }: Answer): string[] =>
  json.errors.map((fault: { pointer: string }) => fault.pointer).toSorted()

t.test(':run answers a run with all that the schedule says, and what the call says instead', async (t) => {
  const world = await serve(t)
  const { call } = world
  const { id, name } = await make(world, {
    task: 'demo.add',
    input: { x: 1, y: 2 },
    queue: 'high',
    priority: 7,
    tags: ['a'],
    headers: { trace: '1' },
    expires: '1 hour',
    jitter: '10 minutes',
    enabled: false,
  })
  const plain = await call('POST', `/v1/schedules/${id}:run`)
  t.equal(plain.status, 202)
  t.equal(plain.headers.location, `/v1/runs/${plain.json.id}`)
  t.match(plain.json, {
    task: 'demo.add',
    input: { x: 1, y: 2 },
    queue: 'high',
    priority: 7,
    tags: ['a'],
    headers: { trace: '1' },
    schedule: name,
    due_at: INSTANT,
    expires_at: INSTANT,
    state: 'PENDING',
  })
  const other = await call('POST', `/v1/schedules/${id}:run`, {
    as_of: '2026-01-01T00:00:00+02:00',
    input: { x: 5, y: 6 },
    queue: 'default',
    priority: -1,
    tags: ['b'],
    time_limit: '90 s',
    attempts_max: 3,
    retry: { backoff: ['1s'] },
    unique_key: 'k',
    delay: '1 hour',
    concurrency_key: 'c',
  })
  t.match(other.json, {
    due_at: '2025-12-31T22:00:00.000Z',
    input: { x: 5, y: 6 },
    queue: 'default',
    priority: -1,
    tags: ['b'],
    headers: { trace: '1' },
    time_limit: 90,
    attempts_max: 3,
    unique_key: 'k',
    state: 'SCHEDULED',
  })
  const clash = await call('POST', `/v1/schedules/${id}:run`, { unique_key: 'k', on_conflict: 'reject' })
  t.equal(clash.status, 409)
  t.equal(clash.json.code, 'RB_RUN_DUPLICATE')
  const { items } = (await call('GET', `/v1/schedules/${id}/firings`)).json
  t.strictSame(
    items.map((item: { run_id: string }) => item.run_id),
    [plain.json.id, other.json.id],
  )
  t.match(items[1], {
    schedule_id: id,
    due_at: '2025-12-31T22:00:00.000Z',
    state: 'fired',
    reason: 'manual',
    count: 1,
    until_at: null,
    version: 1,
    lateness: Number,
    fired_at: INSTANT,
  })
})

t.test(':run refuses what POST /v1/runs refuses, and the task', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const { id } = await make(world, { task: 'demo.add', input: { x: 1, y: 2 } })
  const refused: [given: unknown, pointer: string][] = [
    [{ task: 'demo.echo' }, '/task'],
    [{ as_of: 'now' }, '/as_of'],
    [{ as_of: 5 }, '/as_of'],
    [{ input: { x: 1 } }, '/input/y'],
    [{ priority: 1.5 }, '/priority'],
    [{ due_at: '2026-01-01T00:00:00Z' }, '/due_at'],
    [{ schedule: 'x' }, '/schedule'],
    [{ asOf: '2026-01-01T00:00:00Z' }, '/asOf'],
    [[], ''],
    ['x', ''],
  ]
  for (const [given, pointer] of refused) {
    const answer = await call('POST', `/v1/schedules/${id}:run`, JSON.stringify(given))
    t.equal(answer.status, 422, JSON.stringify(given))
    t.strictSame(pointers(answer), [pointer], JSON.stringify(given))
  }
  t.equal((await sql`select from rowbeat.runs`).length, 0)
  t.equal((await call('POST', `/v1/schedules/${id}:run`, 'null')).status, 202, 'null is nothing')
  t.equal((await call('POST', `/v1/schedules/${id}:run`, '')).status, 202, 'a type without a body is nothing')
})

t.test(':pause and :resume, with a reason and an end', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const { id } = await make(world)
  const url = `/v1/schedules/${id}`
  const paused = await call('POST', `${url}:pause`, { reason: 'repairs', until: '2 hours' })
  t.equal(paused.status, 200)
  t.equal(paused.headers.etag, '"2"')
  t.match(paused.json, {
    enabled: false,
    pause_reason: 'repairs',
    version: 2,
    next_run_at: null,
    edited_at: null,
  })
  const [{ ahead }] =
    (await sql`select extract(epoch from resume_at - clock_timestamp())::float8 as ahead from rowbeat.schedules`) as never as [
      { ahead: number },
    ]
  t.ok(ahead > 7190 && ahead <= 7200, `${ahead} s by the database's clock`)
  const again = await call('POST', `${url}:pause`, { until: '2099-01-01T00:00:00Z' })
  t.match(again.json, { pause_reason: null, resume_at: '2099-01-01T00:00:00.000Z', version: 3 })
  const resumed = await call('POST', `${url}:resume`)
  t.match(resumed.json, { enabled: true, pause_reason: null, resume_at: null, version: 4 })
  t.equal((await call('POST', `${url}:resume`)).json.version, 4, 'what is on stays as it is')
  for (const given of [
    { until: 'soon' },
    { until: -1 },
    { reason: '' },
    { reason: 'x'.repeat(501) },
    { why: 'x' },
    [],
  ])
    t.equal((await call('POST', `${url}:pause`, given)).status, 422, JSON.stringify(given))
  t.equal((await call('POST', `${url}:resume`, { until: 5 })).status, 422)
})

t.test('what has fired as often as it may is not resumed as if it could', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const { id } = await make(world, { firings_max: 2, enabled: false })
  await sql`update rowbeat.schedules set firings_total = 2`
  const answer = await call('POST', `/v1/schedules/${id}:resume`)
  t.equal(answer.status, 422)
  t.strictSame(pointers(answer), ['/firings_max'])
})

t.test(':backfill fires what was due in a stretch of the past, each instant once', async (t) => {
  const world = await serve(t)
  const { call } = world
  const { id } = await make(world, { schedule: DAILY, input: { a: 1 } })
  const url = `/v1/schedules/${id}:backfill`
  // Daylight saving begins on 29 March.
  const stretch = { from: '2026-03-28T01:00:00Z', to: '2026-03-30T00:00:00Z' }
  const due = ['2026-03-28T01:00:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-30T00:00:00.000Z']
  const dry = await call('POST', url, { ...stretch, dry_run: true })
  t.equal(dry.status, 200)
  t.strictSame(dry.json, {
    dry_run: true,
    items: due.map((due_at) => ({ due_at, run_id: null })),
    fired_before: 0,
  })

  await call('POST', `/v1/schedules/${id}:run`, { as_of: due[1] })
  const done = await call('POST', url, stretch)
  t.equal(done.status, 202)
  t.match(done.json, { dry_run: false, fired_before: 1 })
  t.strictSame(
    done.json.items.map((item: { due_at: string }) => item.due_at),
    [due[0], due[2]],
  )
  for (const { due_at, run_id } of done.json.items)
    t.match((await call('GET', `/v1/runs/${run_id}`)).json, { due_at, input: { a: 1 }, state: 'PENDING' })
  t.strictSame((await call('POST', url, stretch)).json, { dry_run: false, items: [], fired_before: 3 })
  t.strictSame((await call('POST', url, { ...stretch, dry_run: true })).json.items, [])
})

t.test(':backfill refuses a stretch that is none, lies ahead, or takes in too much', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const { id } = await make(world, { anchor_at: '2026-01-01T00:00:00Z' })
  const url = `/v1/schedules/${id}:backfill`
  const refused: [given: object, pointer: string[]][] = [
    [{}, ['/from', '/to']],
    [{ from: '2026-01-01T00:00:00Z' }, ['/to']],
    [{ from: 'x', to: 5 }, ['/from', '/to']],
    [{ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, ['/to']],
    [{ from: '2026-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z' }, ['/to']],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', dry_run: 1 }, ['/dry_run']],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T02:46:41Z' }, ['/to']],
  ]
  for (const [given, where] of refused) {
    const answer = await call('POST', url, given)
    t.equal(answer.status, 422, JSON.stringify(given))
    t.strictSame(pointers(answer), where)
  }
  const much = await call('POST', url, { from: '2026-01-01T00:00:10Z', to: '2026-01-01T02:46:50Z' })
  t.match(much.json.detail, /more than 1000 due instants; end with 2026-01-01T02:46:40\.000Z/)
  t.equal((await sql`select from rowbeat.runs`).length, 0)
  t.equal((await call('POST', url)).status, 400)
  const most = await call('POST', url, { from: '2026-01-01T00:00:10Z', to: '2026-01-01T02:46:40Z' })
  t.equal(most.json.items.length, 1000)
  t.equal((await sql`select from rowbeat.runs`).length, 1000)
})

t.test(':revert gives a schedule back to the code that declared it', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const own = await make(world)
  const refused = await call('POST', `/v1/schedules/${own.id}:revert`)
  t.equal(refused.status, 409)
  t.equal(refused.json.code, 'RB_SCHEDULE_UNDECLARED')

  const definition = {
    name: 'of the code',
    task: 'demo.echo',
    input: { a: 1 },
    schedule: TICK,
    enabled: true,
    queue: null,
    priority: 3,
    tags: ['a'],
    headers: {},
    expires: 90,
    one_off: false,
    start_at: null,
    end_at: null,
    jitter: null,
    overlap: 'skip',
    catch_up: 'last',
    catch_up_window: null,
    firings_max: null,
    failures_max: null,
    anchor_at: null,
    description: '',
  }
  await sql`select rowbeat.declare_v1(${JSON.stringify([definition])}::text::jsonb)`
  const [declared] = (await call('GET', '/v1/schedules?origin=code')).json.items
  const url = `/v1/schedules/${declared.id}`
  t.match(declared, { version: 1, edited_at: null, expires: 90, priority: 3 })
  const taken = await call(
    'PATCH',
    url,
    { queue: 'high', expires: 5, enabled: false, schedule: DAILY, tags: [] },
    { headers: { 'if-match': '"1"' } },
  )
  t.match(taken.json, { origin: 'code', edited_at: INSTANT, version: 2 })
  const back = await call('POST', `${url}:revert`)
  t.equal(back.status, 200)
  t.match(back.json, { ...definition, anchor_at: INSTANT, origin: 'code', edited_at: null, version: 3 })
  t.equal((await call('POST', `${url}:revert`)).json.version, 3)
  const gone = await call('DELETE', url, undefined, { headers: { 'if-match': '"3"' } })
  t.equal(gone.status, 200)
  t.match(gone.json, { note: /makes it again/ })
})

t.test('firings go page by page, latest due instant first, and filter by state', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const { id } = await make(world)
  await sql`insert into rowbeat.firings (schedule_id, due_at, state, reason, version, count, until_at, fired_at)
    select ${id}, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 microsecond', (array['fired', 'skipped', 'missed'])[1 + n % 3], null, 1, 1, null, null from generate_series(1, 25) n`
  const url = `/v1/schedules/${id}/firings`
  const states: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const { json }: Answer = await call('GET', `${url}?limit=4${cursor ? `&cursor=${cursor}` : ''}`)
    states.push(...json.items.map((item: { state: string }) => item.state))
    cursor = json.next
  }
  t.equal(states.length, 25)
  t.strictSame(states.slice(0, 3), ['skipped', 'fired', 'missed'])
  const { items } = (await call('GET', `${url}?state=skipped,missed&limit=500`)).json
  t.equal(items.length, 17)
  t.strictSame(
    Object.keys(items[0]),
    'schedule_id due_at state reason run_id fired_at lateness version count until_at'.split(' '),
  )
  for (const query of ['state=FIRED', 'cursor=x', 'cursor=MjAyNg', 'limit=x', 'task=a'])
    t.equal((await call('GET', `${url}?${query}`)).status, 422, query)
})

t.test('a preview of what is not saved', async (t) => {
  const { call } = await serve(t, { timezone: 'Asia/Tokyo' })
  const ask = (given: unknown): Promise<Answer> => call('POST', '/v1/schedules:preview', given)
  const spring = await ask({ schedule: { ...DAILY, minute: '30' }, after: '2026-03-28T02:00:00Z', count: 2 })
  t.equal(spring.status, 200)
  t.strictSame(Object.keys(spring.json).toSorted(), ['changes', 'next', 'notes', 'runs', 'text'])
  t.strictSame(spring.json.next, ['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'])
  t.match(spring.json.runs[0], { at: '2026-03-29T01:00:00.000Z', dst: 'moved' })
  t.match(spring.json.changes, [{ at: '2026-03-29T01:00:00.000Z', before: '+02:00', after: '+03:00' }])
  t.equal(spring.json.text, 'at 03:30')
  const autumn = await ask({ schedule: { ...DAILY, minute: '30' }, after: '2026-10-24T12:00:00Z', count: 1 })
  t.match(autumn.json.runs, [{ at: '2026-10-25T00:30:00.000Z', dst: 'first-only' }])

  const after = '2026-11-21T00:00:00Z'
  const next = async (schedule: object, more: object = {}): Promise<string[]> =>
    (await ask({ schedule, after, count: 2, ...more })).json.next
  t.strictSame(await next(TICK), ['2026-11-21T00:00:10.000Z', '2026-11-21T00:00:20.000Z'])
  t.strictSame(await next(TICK, { anchor_at: '2026-11-20T23:59:55Z' }), [
    '2026-11-21T00:00:05.000Z',
    '2026-11-21T00:00:15.000Z',
  ])
  t.strictSame(await next(TICK, { end_at: '2026-11-21T00:00:15Z' }), ['2026-11-21T00:00:10.000Z'])
  t.strictSame(await next(TICK, { start_at: '2026-11-22T00:00:00Z' }), [
    '2026-11-22T00:00:00.000Z',
    '2026-11-22T00:00:10.000Z',
  ])
  t.strictSame(
    await next({ kind: 'crontab', minute: '0', hour: '9' }),
    ['2026-11-22T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    'in the zone of the server',
  )
  t.strictSame(await next({ kind: 'clocked', at: '2026-12-01T00:00:00Z' }), ['2026-12-01T00:00:00.000Z'])
  t.strictSame(await next({ kind: 'clocked', at: '2026-11-01T00:00:00Z' }), [])
  t.equal((await next({ kind: 'solar', event: 'sunset', latitude: 50.45, longitude: 30.52 })).length, 2)
  t.equal((await ask({ schedule: TICK })).json.next.length, 10)
  t.equal((await ask({ schedule: TICK, count: 100 })).json.next.length, 100)
  const now = (await ask({ schedule: { kind: 'interval', every: 1, period: 'hours' }, count: 1 })).json
    .next[0]
  t.ok(Math.abs(Date.parse(now) - Date.now() - 3_600_000) < 60_000, 'from now')
})

t.test('a preview that is refused names the field', async (t) => {
  const { call } = await serve(t)
  const refused: [given: unknown, where: string[]][] = [
    [{ schedule: { kind: 'crontab', minute: '61' } }, ['/schedule/minute']],
    [
      { schedule: { kind: 'crontab', minute: '5/2', hour: 'x', day_of_week: '?' } },
      ['/schedule/day_of_week', '/schedule/hour', '/schedule/minute'],
    ],
    [{ schedule: { kind: 'crontab', day_of_month: '31', month_of_year: 'feb' } }, ['/schedule/day_of_month']],
    [{ schedule: { kind: 'crontab', timezone: 'Nowhere' } }, ['/schedule/timezone']],
    [{ schedule: { kind: 'interval', every: -1, period: 'seconds' } }, ['/schedule/every']],
    [{ schedule: { kind: 'solar', event: 'sunset', latitude: 100, longitude: 0 } }, ['/schedule/latitude']],
    [{ schedule: { kind: 'clocked' } }, ['/schedule/at']],
    [{ schedule: {} }, ['/schedule/kind']],
    [{ schedule: 5 }, ['/schedule']],
    [{}, ['/schedule']],
    [{ schedule: TICK, count: 0 }, ['/count']],
    [{ schedule: TICK, count: 101 }, ['/count']],
    [{ schedule: TICK, count: '3' }, ['/count']],
    [{ schedule: TICK, after: 'now', more: 1 }, ['/after', '/more']],
    [[], ['']],
    ['null', ['/schedule']],
  ]
  for (const [given, where] of refused) {
    const answer = await call('POST', '/v1/schedules:preview', given)
    t.equal(answer.status, 422, JSON.stringify(given))
    t.equal(answer.json.code, 'RB_SCHEDULE_INVALID')
    t.strictSame(pointers(answer), where, JSON.stringify(given))
  }
  t.equal((await call('POST', '/v1/schedules:preview')).status, 400)
})

t.test('a preview of one that is saved counts from its anchor, and says when it is off', async (t) => {
  const world = await serve(t)
  const { call } = world
  const { id } = await make(world, { anchor_at: '2026-01-01T00:00:05Z', end_at: '2099-01-01T00:00:20Z' })
  const url = `/v1/schedules/${id}/preview`
  const on = await call('GET', `${url}?after=2026-02-01T00:00:00Z&count=1`)
  t.match(on.json, { next: ['2026-02-01T00:00:05.000Z'], text: 'every 10 seconds', notes: [] })
  t.strictSame((await call('GET', `${url}?after=2099-01-01T00:00:00Z`)).json.next, [
    '2099-01-01T00:00:05.000Z',
    '2099-01-01T00:00:15.000Z',
  ])
  t.equal((await call('GET', url)).json.next.length, 10)
  await call('POST', `/v1/schedules/${id}:pause`)
  t.match((await call('GET', url)).json.notes, [/switched off/])
  for (const query of ['count=0', 'count=101', 'count=1e1', 'after=2026', 'from=x'])
    t.equal((await call('GET', `${url}?${query}`)).status, 422, query)
})

t.test('what export answers, import takes: here with replace or skip, elsewhere as it is', async (t) => {
  const here = await serve(t)
  const { call } = here
  await make(here, {
    name: 'b',
    schedule: DAILY,
    input: { a: [1] },
    expires: '90 s',
    tags: ['x'],
    headers: { h: '1' },
    jitter: 0.25,
    failures_max: 3,
  })
  await make(here, { name: 'a', anchor_at: '2026-01-01T00:00:00.123Z', enabled: false })
  await make(here, { name: 'c', schedule: { kind: 'clocked', at: '2099-01-01T00:00:00Z' } })
  const file = (await call('GET', '/v1/schedules:export')).json
  t.equal(file.rowbeat, 1)
  t.strictSame(
    file.schedules.map((item: { name: string }) => item.name),
    ['a', 'b', 'c'],
  )
  t.strictSame((await call('GET', '/v1/schedules:export?tag=x')).json.schedules, [file.schedules[1]])
  t.notOk('version' in file.schedules[0] || 'id' in file.schedules[0])

  const there = await serve(t)
  t.strictSame((await there.call('POST', '/v1/schedules:import', file)).json, {
    created: 3,
    replaced: 0,
    skipped: 0,
  })
  t.strictSame((await there.call('GET', '/v1/schedules:export')).json, file)

  const standing = await there.call('POST', '/v1/schedules:import', file)
  t.equal(standing.status, 409)
  t.equal(standing.json.code, 'RB_SCHEDULE_DUPLICATE')
  t.strictSame(pointers(standing), ['/schedules/0/name', '/schedules/1/name', '/schedules/2/name'])
  const changed = {
    ...file,
    schedules: [
      { ...file.schedules[1], queue: 'high' },
      { ...file.schedules[0], name: 'new' },
    ],
  }
  t.strictSame((await there.call('POST', '/v1/schedules:import?mode=skip', changed)).json, {
    created: 1,
    replaced: 0,
    skipped: 1,
  })
  t.match((await there.call('GET', '/v1/schedules?name=b')).json.items, [{ queue: null, version: 1 }])
  t.strictSame((await there.call('POST', '/v1/schedules:import?mode=replace', changed)).json, {
    created: 0,
    replaced: 2,
    skipped: 0,
  })
  t.match((await there.call('GET', '/v1/schedules?name=b')).json.items, [
    { queue: 'high', version: 2, expires: 90 },
  ])
  t.match(
    (await there.call('GET', '/v1/schedules?name=new')).json.items,
    [{ version: 1 }],
    'as it was: no edit',
  )
})

t.test('a file goes in whole or not at all, and each fault says where it is', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const good = { name: 'good', task: 'demo.echo', schedule: TICK }
  const answer = await call('POST', '/v1/schedules:import', {
    rowbeat: 1,
    schedules: [
      good,
      { ...good, name: 'm', schedule: { kind: 'crontab', minute: '61' } },
      { ...good },
      { ...good, name: 't', task: 'demo.nothing' },
      { ...good, name: 'i', task: 'demo.add', input: { x: 1 } },
      'x',
      { ...good, name: 'v', version: 3 },
    ],
  })
  t.equal(answer.status, 422)
  t.strictSame(pointers(answer), [
    '/schedules/1/schedule/minute',
    '/schedules/2/name',
    '/schedules/3/task',
    '/schedules/4/input/y',
    '/schedules/5',
    '/schedules/6/version',
  ])
  for (const [file, where] of [
    [{}, ['/rowbeat', '/schedules']],
    [{ rowbeat: 2, schedules: [] }, ['/rowbeat']],
    [{ rowbeat: 1, schedules: {} }, ['/schedules']],
    [{ rowbeat: 1, schedules: [], more: 1 }, ['/more']],
    [[], ['']],
  ] as const) {
    const refused = await call('POST', '/v1/schedules:import', file)
    t.equal(refused.status, 422)
    t.strictSame(pointers(refused), where)
  }
  t.equal((await call('POST', '/v1/schedules:import?mode=merge', { rowbeat: 1, schedules: [] })).status, 422)
  t.equal((await sql`select from rowbeat.schedules`).length, 0)
  const many = Array.from({ length: 300 }, () => ({ task: 5 }))
  t.ok(
    (await call('POST', '/v1/schedules:import', { rowbeat: 1, schedules: many })).json.errors.length <= 100,
  )
  t.strictSame((await call('POST', '/v1/schedules:import', { rowbeat: 1, schedules: [] })).json, {
    created: 0,
    replaced: 0,
    skipped: 0,
  })
})
