/** /v1/schedules: made, read, listed, replaced, edited, deleted; what is refused, where, and by which status. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { serve, type Answer, type World } from './world.ts'

/** As contract.md lists them. */
const ALL_KEYS =
  'id name task input schedule kind enabled queue priority tags headers expires one_off start_at end_at jitter overlap catch_up catch_up_window firings_max pause_reason resume_at failures_max failures origin edited_at version anchor_at next_run_at last_run_at firings_total error description created_at updated_at text'.split(
    ' ',
  )
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const NIGHTLY = { kind: 'crontab', minute: '0', hour: '3', timezone: 'Europe/Kyiv' }
const TICK = { kind: 'interval', every: 10, period: 'seconds' }

const body = (more: object = {}): object => ({
  name: randomUUID(),
  task: 'demo.echo',
  schedule: TICK,
  ...more,
})
const make = async ({ call }: World, more: object = {}): Promise<any> =>
  (await call('POST', '/v1/schedules', body(more))).json
const matching = (tag: string): { headers: { 'if-match': string } } => ({ headers: { 'if-match': tag } })
const pointers = ({ json }: Answer): string[] =>
  json.errors.map((fault: { pointer: string }) => fault.pointer).toSorted()

t.test('POST answers 201, the address, the version and the schedule; GET answers the same', async (t) => {
  const { call } = await serve(t)
  const answer = await call('POST', '/v1/schedules', {
    name: 'nightly import / Київ',
    task: 'demo.add',
    input: { x: 1, y: 2 },
    schedule: NIGHTLY,
    queue: 'high',
    priority: -3,
    tags: ['a', 'b'],
    headers: { trace: '1' },
    expires: '2 hours',
    start_at: '2026-01-01T02:00:00+02:00',
    end_at: '2099-01-01T00:00:00Z',
    jitter: 1.5,
    overlap: 'buffer_one',
    catch_up: 'all',
    catch_up_window: '90m',
    firings_max: 1000,
    failures_max: 5,
    description: 'what for',
  })
  t.equal(answer.status, 201)
  t.equal(answer.headers.location, `/v1/schedules/${answer.json.id}`)
  t.equal(answer.headers.etag, '"1"')
  t.strictSame(Object.keys(answer.json), ALL_KEYS, 'all keys, in the documented order')
  t.match(answer.json, {
    name: 'nightly import / Київ',
    input: { x: 1, y: 2 },
    schedule: {
      kind: 'crontab',
      minute: '0',
      hour: '3',
      day_of_month: '*',
      month_of_year: '*',
      day_of_week: '*',
      timezone: 'Europe/Kyiv',
      mode: 'celery',
    },
    kind: 'crontab',
    enabled: true,
    queue: 'high',
    priority: -3,
    tags: ['a', 'b'],
    headers: { trace: '1' },
    expires: 7200,
    one_off: false,
    start_at: '2026-01-01T00:00:00.000Z',
    end_at: '2099-01-01T00:00:00.000Z',
    anchor_at: '2026-01-01T00:00:00.000Z',
    jitter: 1.5,
    overlap: 'buffer_one',
    catch_up: 'all',
    catch_up_window: 5400,
    firings_max: 1000,
    failures_max: 5,
    failures: 0,
    firings_total: 0,
    origin: 'user',
    edited_at: null,
    version: 1,
    error: null,
    created_at: INSTANT,
    updated_at: INSTANT,
    text: 'at 03:00',
  })
  const read = await call('GET', String(answer.headers.location))
  t.equal(read.status, 200)
  t.equal(read.headers.etag, '"1"')
  t.strictSame(read.json, answer.json)
  t.equal((await call('GET', `/v1/schedules/${answer.json.id.toUpperCase()}`)).json.id, answer.json.id)
})

t.test('each kind is taken, completed, and told in words', async (t) => {
  const { call } = await serve(t, { timezone: 'Asia/Tokyo' })
  const kinds: [given: object, kept: object][] = [
    [
      { kind: 'crontab', minute: '*/5' },
      { minute: '*/5', hour: '*', timezone: 'Asia/Tokyo', mode: 'celery' },
    ],
    [TICK, TICK],
    [
      { kind: 'interval', every: 1, period: 'months' },
      { every: 1, period: 'months' },
    ],
    [{ kind: 'solar', event: 'sunset', latitude: 50.45, longitude: 30.52 }, { event: 'sunset' }],
    [{ kind: 'clocked', at: '2099-01-31T14:00:00+02:00' }, { at: '2099-01-31T12:00:00.000Z' }],
  ]
  for (const [given, kept] of kinds) {
    const { status, json } = await call('POST', '/v1/schedules', body({ schedule: given }))
    t.equal(status, 201, JSON.stringify(json))
    t.match(json.schedule, kept)
    t.equal(json.kind, json.schedule.kind)
    t.equal(json.one_off, json.kind === 'clocked')
    t.type(json.text, 'string')
  }
})

t.test('PUT replaces all, PATCH changes what is given, each as a new version', async (t) => {
  const world = await serve(t)
  const { call } = world
  const made = await make(world, { queue: 'high', tags: ['a'], description: 'x' })
  const url = `/v1/schedules/${made.id}`

  const put = await call(
    'PUT',
    url,
    { name: made.name, task: 'demo.echo', schedule: NIGHTLY },
    matching('"1"'),
  )
  t.equal(put.status, 200)
  t.equal(put.headers.etag, '"2"')
  t.match(put.json, {
    version: 2,
    queue: null,
    tags: [],
    description: '',
    kind: 'crontab',
    edited_at: INSTANT,
  })
  t.equal(put.json.anchor_at, made.anchor_at, 'an anchor that is not given stays')

  const patch = await call('PATCH', url, { tags: ['b'], expires: 60, queue: null }, matching('"2"'))
  t.match(patch.json, { version: 3, tags: ['b'], expires: 60, queue: null, schedule: put.json.schedule })
  t.equal(patch.headers.etag, '"3"')
  const back = await call('PATCH', url, { tags: null, expires: null }, matching('"3"'))
  t.match(back.json, { version: 4, tags: [], expires: null }, 'null is the default')
  const part = await call('PATCH', url, { schedule: { minute: '5' } }, matching('"4"'))
  t.match(
    part.json.schedule,
    { minute: '5', hour: '3', timezone: 'Europe/Kyiv' },
    'without a kind, a part of it',
  )
  const other = await call('PATCH', url, { schedule: { kind: 'crontab', minute: '7' } }, matching('"5"'))
  t.match(other.json.schedule, { minute: '7', hour: '*', timezone: 'UTC' }, 'with a kind, another one')

  const whole = await call('PUT', url, { ...other.json, description: 'read, changed, sent' }, matching('"6"'))
  t.match(whole.json, { version: 7, description: 'read, changed, sent' }, 'what GET answered is taken')
  const same = await call('PATCH', url, { description: 'read, changed, sent' }, matching('"7"'))
  t.match(same.json, { version: 7, updated_at: whole.json.updated_at }, 'what changes nothing is no edit')
  t.equal((await call('PATCH', url, {}, matching('"7"'))).json.version, 7)
})

t.test('a change must say the version it was made to', async (t) => {
  const world = await serve(t)
  const { call } = world
  const { id, name } = await make(world)
  const url = `/v1/schedules/${id}`
  const whole = { name, task: 'demo.echo', schedule: TICK }
  for (const [method, given] of [
    ['PUT', whole],
    ['PATCH', { description: 'x' }],
    ['DELETE', undefined],
  ] as const) {
    const missing = await call(method, url, given)
    t.equal(missing.status, 428, method)
    t.equal(missing.json.code, 'RB_PRECONDITION_MISSING')
    for (const tag of ['"2"', '"0"', '"x"', '""', 'W/"1"', 'W/"1", "2"', '"01"', '"1.0"', '"2", "3"']) {
      const answer = await call(method, url, given, matching(tag))
      t.equal(answer.status, 412, `${method} ${tag}`)
      t.match(answer.json, { code: 'RB_SCHEDULE_CHANGED', detail: /version 1/ })
    }
    for (const tag of ['1', '', '"1', '1"', '"1" "2"', 'W/1', '**', 'nonsense'])
      t.equal((await call(method, url, given, matching(tag))).status, 400, `${method} ${tag}`)
  }
  t.equal((await call('PATCH', url, { description: 'a' }, matching('W/"9", "7" ,"1"'))).status, 200, 'a list')
  t.equal((await call('PATCH', url, { description: 'b' }, matching(' "2" '))).status, 200)
  t.equal((await call('PATCH', url, { description: 'c' }, matching('*'))).json.version, 4)
  t.equal(
    (await call('POST', `${url}:pause`, {}, matching('"3"'))).status,
    412,
    'a verb heeds it when it is sent',
  )
  t.equal((await call('POST', `${url}:pause`, {}, matching('"4"'))).status, 200)
  t.equal((await call('DELETE', url, undefined, matching('"5"'))).status, 204)
})

t.test('what is not there is 404, before anything else', async (t) => {
  const world = await serve(t)
  const { call } = world
  const { id } = await make(world)
  t.equal((await call('DELETE', `/v1/schedules/${id}`, undefined, matching('*'))).status, 204)
  for (const gone of [
    id,
    randomUUID(),
    'x',
    '1',
    '%00',
    "'",
    'a:frob',
    '00000000-0000-0000-0000-00000000000g',
    '%3A',
  ]) {
    const url = `/v1/schedules/${gone}`
    const answers = [
      await call('GET', url),
      await call('PUT', url, body()),
      await call('PUT', url, body(), matching('*')),
      await call('PATCH', url, {}, matching('"1"')),
      await call('DELETE', url),
      await call('GET', `${url}/firings`),
      await call('GET', `${url}/preview`),
    ]
    for (const answer of answers) {
      t.equal(answer.status, 404, gone)
      t.equal(answer.json.code, 'RB_SCHEDULE_NOT_FOUND')
    }
  }
  for (const verb of ['run', 'pause', 'resume', 'revert'])
    t.equal((await call('POST', `/v1/schedules/${id}:${verb}`)).status, 404, verb)
  const stretch = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }
  t.equal((await call('POST', `/v1/schedules/${id}:backfill`, stretch)).status, 404)
})

t.test('a name stands once: 409, by POST, PUT and PATCH', async (t) => {
  const world = await serve(t)
  const { call } = world
  const first = await make(world)
  const second = await make(world)
  const url = `/v1/schedules/${second.id}`
  for (const answer of [
    await call('POST', '/v1/schedules', body({ name: first.name })),
    await call('PUT', url, body({ name: first.name }), matching('*')),
    await call('PATCH', url, { name: first.name }, matching('*')),
  ]) {
    t.equal(answer.status, 409)
    t.match(answer.json, { code: 'RB_SCHEDULE_DUPLICATE', errors: [{ pointer: '/name' }] })
  }
  t.equal((await call('GET', url)).json.version, 1)
})

t.test('every wrong place is told at once, and nothing is written', async (t) => {
  const { call, sql } = await serve(t)
  const answer = await call('POST', '/v1/schedules', {
    name: '',
    task: 'demo.add',
    input: { x: 'one' },
    schedule: {
      kind: 'crontab',
      minute: '61',
      hour: '*/0',
      day_of_week: 'mon#1',
      timezone: 'Mars/Base',
      mode: 'x',
      second: '1',
    },
    enabled: 'yes',
    queue: 'No',
    priority: 1.5,
    tags: [''],
    headers: [],
    expires: 0,
    one_off: 1,
    start_at: 'tomorrow',
    end_at: '2026-02-30T00:00:00Z',
    jitter: -1,
    overlap: 'maybe',
    catch_up: 'some',
    catch_up_window: 'long',
    firings_max: 0,
    failures_max: '3',
    anchor_at: 5,
    description: 5,
    next_run_at: '2099-01-01T00:00:00Z',
    'a/b': 1,
  })
  t.equal(answer.status, 422)
  t.equal(answer.json.code, 'RB_SCHEDULE_INVALID')
  t.match(String(answer.headers['content-type']), 'application/problem+json')
  t.strictSame(
    pointers(answer),
    '/anchor_at /a~1b /catch_up /catch_up_window /description /enabled /end_at /expires /failures_max /firings_max /headers /input/x /input/y /jitter /name /next_run_at /one_off /overlap /priority /queue /schedule/day_of_week /schedule/hour /schedule/minute /schedule/mode /schedule/second /schedule/timezone /start_at /tags'.split(
      ' ',
    ),
  )
  t.equal((await sql`select from rowbeat.schedules`).length, 0)
})

t.test('what is refused, one by one, with its place', async (t) => {
  const { call } = await serve(t)
  const refused: [fields: object, pointer: string][] = [
    [{ name: 5 }, '/name'],
    [{ name: 'x'.repeat(201) }, '/name'],
    [{ name: '   ' }, '/name'],
    [{ name: 'a\u0000b' }, '/name'],
    [{ name: undefined }, '/name'],
    [{ task: undefined }, '/task'],
    [{ task: 'a b' }, '/task'],
    [{ schedule: undefined }, '/schedule'],
    [{ schedule: null }, '/schedule'],
    [{ schedule: [] }, '/schedule'],
    [{ schedule: '0 3 * * *' }, '/schedule'],
    [{ schedule: {} }, '/schedule/kind'],
    [{ schedule: { kind: 'lunar' } }, '/schedule/kind'],
    [{ schedule: { kind: 'crontab', minute: '' } }, '/schedule/minute'],
    [{ schedule: { kind: 'crontab', day_of_month: '31', month_of_year: '2' } }, '/schedule/day_of_month'],
    [{ schedule: { kind: 'interval', every: 0, period: 'seconds' } }, '/schedule/every'],
    [{ schedule: { kind: 'interval', every: 99, period: 'milliseconds' } }, '/schedule/every'],
    [{ schedule: { kind: 'interval', every: 1, period: 'fortnights' } }, '/schedule/period'],
    [{ schedule: { kind: 'interval', period: 'seconds' } }, '/schedule/every'],
    [{ schedule: { kind: 'solar', event: 'moonrise', latitude: 0, longitude: 0 } }, '/schedule/event'],
    [{ schedule: { kind: 'solar', event: 'sunset', latitude: 91, longitude: 0 } }, '/schedule/latitude'],
    [{ schedule: { kind: 'clocked', at: '2020-01-01T00:00:00Z' } }, '/schedule/at'],
    [{ schedule: { kind: 'clocked', at: 'noon' } }, '/schedule/at'],
    [{ end_at: '2020-01-01T00:00:00Z' }, '/end_at'],
    [{ start_at: '2099-01-02T00:00:00Z', end_at: '2099-01-01T00:00:00Z' }, '/end_at'],
    [{ schedule: { kind: 'clocked', at: '2099-01-01T00:00:00Z' }, one_off: false }, '/one_off'],
    [{ headers: { a: '\ud800' } }, '/headers/a'],
    [{ input: { a: ['\u0000'] } }, '/input/a/0'],
    [{ id: randomUUID() }, '/id'],
    [{ version: 3 }, '/version'],
    [{ catchUp: 'all' }, '/catchUp'],
    [{ pause_reason: 'x' }, '/pause_reason'],
  ]
  for (const [fields, pointer] of refused) {
    const answer = await call('POST', '/v1/schedules', body(fields))
    t.equal(answer.status, 422, JSON.stringify(fields))
    t.equal(answer.json.errors?.[0]?.pointer, pointer, `${JSON.stringify(fields)} ${answer.text}`)
  }
  for (const given of ['[]', 'null', '"x"', '5', 'true', '[{}]'])
    t.equal((await call('POST', '/v1/schedules', given)).status, 422, given)
  for (const given of ['{', '', '{"name":'])
    t.equal((await call('POST', '/v1/schedules', given)).json.code, 'RB_BODY_INVALID', given)
  t.equal((await call('POST', '/v1/schedules')).status, 400)
})

t.test('the input is what the task takes, and the task one that was registered', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const wrong = await call('POST', '/v1/schedules', body({ task: 'demo.add', input: { x: 1 } }))
  t.equal(wrong.status, 422)
  t.match(wrong.json, { code: 'RB_INPUT_INVALID', errors: [{ pointer: '/input/y' }] })
  const unknown = await call('POST', '/v1/schedules', body({ task: 'demo.nothing' }))
  t.equal(unknown.status, 422)
  t.match(unknown.json, { code: 'RB_TASK_UNKNOWN', errors: [{ pointer: '/task' }] })

  const made = await make(world, { task: 'demo.add', input: { x: 1, y: 2 } })
  const url = `/v1/schedules/${made.id}`
  t.strictSame(pointers(await call('PATCH', url, { input: { y: 'x' } }, matching('*'))), [
    '/input/x',
    '/input/y',
  ])
  t.equal((await call('PATCH', url, { task: 'demo.echo' }, matching('*'))).status, 200)
  t.equal((await call('PATCH', url, { task: 'demo.add', input: {} }, matching('*'))).status, 422)
  t.equal((await call('PATCH', url, { input: [null, 1] }, matching('*'))).status, 200)

  const schema = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } }
  await sql`insert into rowbeat.tasks (name, input_schema) values ('other.task', ${sql.json(schema)})`
  t.strictSame(
    pointers(await call('POST', '/v1/schedules', body({ task: 'other.task', input: { name: 5 } }))),
    ['/input/name'],
  )
  t.equal(
    (await call('POST', '/v1/schedules', body({ task: 'other.task', input: { name: 'x' } }))).status,
    201,
  )
  const input = { ['__proto__']: { polluted: 1 }, 'a/b': [{}, null, ''] }
  t.strictSame((await make(world, { input })).input, input)
})

t.test('lists go page by page, newest first or by name, and filter', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  for (let n = 0; n < 9; n++)
    await make(world, {
      name: `s${8 - n} é"`,
      task: n % 3 === 0 ? 'demo.add' : 'demo.echo',
      ...(n % 3 === 0 ? { input: { x: 1, y: 2 } } : {}),
      schedule: n % 2 === 0 ? TICK : NIGHTLY,
      tags: n < 4 ? ['few'] : [],
      enabled: n !== 5,
      ...(n === 2 ? { queue: 'high' } : {}),
    })
  await sql`update rowbeat.schedules set error = 'planted' where name like 's3%'`
  await sql`update rowbeat.schedules set origin = 'code' where name like 's7%'`
  const all = async (query: string): Promise<any[]> => {
    const items: any[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const { status, json } = await call(
        'GET',
        `/v1/schedules?limit=2&${query}${cursor ? `&cursor=${cursor}` : ''}`,
      )
      if (status !== 200) throw new Error(JSON.stringify(json))
      t.ok(json.items.length <= 2)
      items.push(...json.items)
      cursor = json.next
    }
    return items
  }
  const names = async (query: string): Promise<string[]> =>
    (await all(query)).map((item) => item.name.slice(0, 2))
  t.strictSame(await names(''), ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8'], 'newest first')
  t.strictSame(await names('order=name'), ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8'])
  t.strictSame(await names('task=demo.add&order=name'), ['s2', 's5', 's8'])
  t.strictSame(await names('tag=few&kind=crontab'), ['s5', 's7'])
  t.strictSame(await names('enabled=false'), ['s3'])
  t.strictSame(await names('queue=high'), ['s6'])
  t.strictSame(await names('origin=code'), ['s7'])
  t.strictSame(await names('error=true'), ['s3'])
  t.equal((await names('error=false')).length, 8)
  t.strictSame(await names(`name=${encodeURIComponent('s4 é"')}`), ['s4'])
  t.strictSame(await names('name=s4'), [], 'a name is the whole name')
  t.strictSame(Object.keys((await all(''))[0]), ALL_KEYS)
  t.strictSame((await call('GET', '/v1/schedules?limit=500')).json.next, null)
  for (const query of [
    'limit=0',
    'limit=501',
    'cursor=x',
    'cursor=',
    'order=best',
    'kind=lunar',
    'enabled=1',
    'state=x',
    'tag=',
    'task=a&task=b',
    'order=name&cursor=AAAA%00',
    'name=%00',
  ]) {
    const answer = await call('GET', `/v1/schedules?${query}`)
    t.equal(answer.status, 422, query)
    t.equal(answer.json.code, 'RB_QUERY_INVALID')
  }
  const { next } = (await call('GET', '/v1/schedules?limit=2&order=name')).json
  t.equal((await call('GET', `/v1/schedules?cursor=${next}`)).status, 422, 'a cursor of the other order')
})

t.test(
  'a row that SQL wrote and nobody can read is answered, edited and deleted like any other',
  async (t) => {
    const world = await serve(t)
    const { call, sql } = world
    const schedule = { kind: 'crontab', minute: 'every so often' }
    await sql`insert into rowbeat.schedules (name, task, schedule, expires) values ('odd', 'demo.echo', ${sql.json(schedule)}, '1 month 1 day')`
    const [odd] = (await call('GET', '/v1/schedules')).json.items
    t.match(odd, { schedule, text: null, expires: 31 * 86_400 })
    const url = `/v1/schedules/${odd.id}`
    t.equal((await call('GET', url)).status, 200)
    t.strictSame(pointers(await call('GET', `${url}/preview`)), ['/schedule/minute'])
    t.equal(
      (await call('PATCH', url, { enabled: false }, matching('"1"'))).status,
      200,
      'it can be switched off',
    )
    t.strictSame(pointers(await call('POST', `${url}:resume`)), ['/schedule/minute'])
    t.match((await call('PATCH', url, { schedule: { minute: '5' } }, matching('*'))).json, {
      text: 'at 5 minutes past the hour',
    })
  },
)

t.test('a schedule that has fired its last keeps its other fields to edit', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  const { id } = await make(world, { schedule: { kind: 'clocked', at: '2099-01-01T00:00:00Z' } })
  const url = `/v1/schedules/${id}`
  await sql.begin(async (tx) => {
    await tx`select set_config('rowbeat.writer', 'beat', true)`
    await tx`update rowbeat.schedules set enabled = false, schedule = '{"kind": "clocked", "at": "2020-01-01T00:00:00.000Z"}'`
  })
  t.equal((await call('PATCH', url, { description: 'done' }, matching('*'))).status, 200)
  const { json } = await call('GET', url)
  t.equal((await call('PUT', url, { ...json, tags: ['done'] }, matching('*'))).status, 200)
  t.strictSame(pointers(await call('PATCH', url, { enabled: true }, matching('*'))), ['/schedule/at'])
  t.strictSame(pointers(await call('POST', `${url}:resume`)), ['/schedule/at'])
  t.equal(
    (await call('PATCH', url, { schedule: { at: '2099-01-01T00:00:00Z' }, enabled: true }, matching('*')))
      .status,
    200,
  )
})

t.test('methods that an address does not take are 405 with those it does', async (t) => {
  const world = await serve(t)
  const { call } = world
  const { id } = await make(world)
  const cases: [method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, allow: string][] = [
    ['DELETE', '/v1/schedules', 'GET, HEAD, POST'],
    ['POST', `/v1/schedules/${id}`, 'GET, HEAD, PUT, PATCH, DELETE'],
    ['GET', `/v1/schedules/${id}:run`, 'POST'],
    ['DELETE', `/v1/schedules/${id}:pause`, 'POST'],
    ['GET', '/v1/schedules:preview', 'POST'],
    ['POST', '/v1/schedules:export', 'GET, HEAD'],
    ['PUT', '/v1/schedules:import', 'POST'],
    ['POST', `/v1/schedules/${id}/firings`, 'GET, HEAD'],
  ]
  for (const [method, path, allow] of cases) {
    const answer = await call(method, path, method === 'GET' ? undefined : {})
    t.equal(answer.status, 405, `${method} ${path}`)
    t.equal(answer.headers.allow, allow)
  }
  t.equal(
    (await call('POST', `/v1/schedules/${id}%3Apause`)).json.enabled,
    false,
    'a colon is a colon however it is spelt',
  )
  t.equal((await call('POST', `/v1/schedules/${id}:frob`)).status, 405)
  t.equal((await call('POST', '/v1/schedules:frob')).status, 404)
  t.equal((await call('POST', `/v1/schedules/${id}:run:run`)).status, 405)
  t.equal((await call('GET', `/v1/schedules/${id}?x=1`)).json.code, 'RB_QUERY_INVALID')
})

t.test('reading and writing are two scopes; who may only write does not read by it', async (t) => {
  const world = await serve(t)
  const { call, issue } = world
  const reader = { key: (await issue(['schedules:read', 'runs:write'])).key }
  const writer = { key: (await issue(['schedules:write'])).key }
  const { id } = await make(world, {
    input: { secret: 'planted' },
    headers: { h: 'planted' },
    tags: ['planted'],
  })
  const url = `/v1/schedules/${id}`
  t.equal((await call('GET', url, undefined, reader)).status, 200)
  t.equal((await call('POST', '/v1/schedules:preview', { schedule: TICK }, reader)).status, 200)
  for (const [method, path, given] of [
    ['POST', '/v1/schedules', body()],
    ['PATCH', url, {}],
    ['DELETE', url, undefined],
    ['POST', `${url}:run`, {}],
    ['POST', `${url}:pause`, {}],
    ['POST', '/v1/schedules:import', {}],
  ] as const)
    t.equal(
      (await call(method, path, given, { ...reader, headers: { 'if-match': '*' } })).status,
      403,
      `${method} ${path}`,
    )
  for (const path of ['/v1/schedules', url, `${url}/firings`, `${url}/preview`, '/v1/schedules:export'])
    t.equal((await call('GET', path, undefined, writer)).status, 403, path)
  t.equal((await call('POST', '/v1/schedules', body(), writer)).status, 201)
  for (const answer of [
    await call('PATCH', url, { description: 'x' }, { ...writer, headers: { 'if-match': '*' } }),
    await call('POST', `${url}:pause`, {}, writer),
    await call('POST', `${url}:resume`, {}, writer),
    await call('POST', `${url}:run`, {}, writer),
  ]) {
    t.ok(answer.status < 300, answer.text)
    t.notMatch(answer.text, /planted/)
  }
  t.match((await call('POST', `${url}:run`, {})).json, { input: { secret: 'planted' } })
})
