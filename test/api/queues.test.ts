/** /v1/queues: the list and its figures, limits, pauses, and what each refuses. */
import t from 'tap'
import { serve, type Answer } from './world.ts'

const world = await serve(t)
const { call, sql } = world
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const enqueue = async (queue: string, count = 1, more: object = {}): Promise<void> => {
  const runs = Array.from({ length: count }, () => ({ task: 'demo.echo', queue, ...more }))
  await sql`select from rowbeat.enqueue_many(${sql.json(runs)})`
}
const fault = (answer: Answer, status: number, code: string, ...pointers: string[]): void => {
  t.match(answer, { status, json: { code } }, JSON.stringify(answer.json))
  const found = answer.json.errors?.map(({ pointer }: { pointer: string }) => pointer) ?? []
  t.strictSame(found, pointers)
}

t.test('a queue is told with its limits, what waits on it, and who serves it', async (t) => {
  await enqueue('mixed', 3)
  await enqueue('mixed', 2, { delay: '1 hour' })
  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, queues, version, running)
    select 'w1', 'one', 'worker', 'h', 1, '{"mixed": 7, "elsewhere": 2}', '1', json_build_array(json_build_object('id', key)) from rowbeat_queue._private_jobs limit 1`
  await sql`update rowbeat_queue._private_jobs set locked_at = now(), locked_by = 'p', attempts = 1
    where key = (select running->0->>'id' from rowbeat.workers where id = 'w1')`
  const { status, json } = await call('GET', '/v1/queues/mixed')
  t.equal(status, 200)
  t.match(json.oldest_age, Number)
  t.strictSame(
    { ...json, oldest_age: 0 },
    {
      name: 'mixed',
      concurrency: null,
      rate: null,
      rate_burst: null,
      hot_limit: 5000,
      state: 'open',
      paused_at: null,
      pause_reason: null,
      resume_at: null,
      draining_at: null,
      waiting: {
        hot: 2,
        overflow: 0,
        paused: 0,
        rate: 0,
        concurrency: 0,
        flow: 0,
        eta: 2,
        retry: 0,
        snooze: 0,
      },
      capped: false,
      running: 1,
      oldest_age: 0,
      workers: [{ name: 'one', slots: 7 }],
      slots: 7,
    },
  )
  const list = await call('GET', '/v1/queues')
  t.strictSame(
    list.json.items.map(({ name }: { name: string }) => name),
    ['default', 'elsewhere', 'high', 'mixed'],
  )
  t.equal(list.json.next, null)
})

t.test('PUT makes a queue or sets all its limits, PATCH those that are given', async (t) => {
  const made = await call('PUT', '/v1/queues/held', {
    concurrency: 5,
    rate: '10/m',
    rate_burst: 3,
    hot_limit: 100,
  })
  t.match(made, { status: 201, headers: { location: '/v1/queues/held' } })
  t.match(made.json, { concurrency: 5, rate: '10/m', rate_burst: 3, hot_limit: 100, state: 'open' })
  const edited = await call('PATCH', '/v1/queues/held', { concurrency: null, rate: 50 })
  t.match(edited, { status: 200, json: { concurrency: null, rate: '50', rate_burst: 3, hot_limit: 100 } })
  t.match((await call('PATCH', '/v1/queues/held', {})).json, { rate: '50' })
  t.match((await call('PATCH', '/v1/queues/held', { rate: null, hot_limit: null })).json, {
    rate: null,
    rate_burst: null,
    hot_limit: 5000,
  })
  t.match(await call('PUT', '/v1/queues/held', { concurrency: 2 }), {
    status: 200,
    json: { concurrency: 2, rate: null },
  })
  await enqueue('held', 3)
  t.match((await call('GET', '/v1/queues/held')).json.waiting, { concurrency: 3 })
  await enqueue('unheard', 2)
  t.match((await call('PATCH', '/v1/queues/unheard', { concurrency: 1 })).json, {
    waiting: { concurrency: 2 },
  })
})

t.test('what is wrong with a limit is told with its place', async () => {
  fault(
    await call('PUT', '/v1/queues/x', { concurrency: 0, rate: '0/s', hot_limit: -1, nope: 1 }),
    422,
    'RB_QUEUE_INVALID',
    '/concurrency',
    '/rate',
    '/hot_limit',
    '/nope',
  )
  for (const rate of ['10/y', '-1/s', '10/', '', '1e3', true, '1.1234567/s'])
    fault(await call('PATCH', '/v1/queues/default', { rate }), 422, 'RB_QUEUE_INVALID', '/rate')
  fault(await call('PUT', '/v1/queues/x', { rate_burst: 3 }), 422, 'RB_QUEUE_INVALID', '/rate_burst')
  fault(await call('PATCH', '/v1/queues/default', { rate_burst: 3 }), 422, 'RB_QUEUE_INVALID', '/rate_burst')
  fault(await call('PUT', '/v1/queues/Bad', {}), 422, 'RB_QUEUE_INVALID', '/name')
  fault(await call('PUT', '/v1/queues/x', []), 422, 'RB_QUEUE_INVALID', '')
  fault(await call('PUT', '/v1/queues/x'), 400, 'RB_BODY_INVALID')
  fault(await call('GET', '/v1/queues?limit=5'), 422, 'RB_QUERY_INVALID', '/limit')
  t.equal((await call('GET', '/v1/queues/x')).status, 404, 'nothing was made')
})

t.test('pause, resume, drain', async (t) => {
  await enqueue('work', 2)
  const paused = await call('POST', '/v1/queues/work:pause', { reason: 'a look', for: '1 hour' })
  t.match(paused, {
    status: 200,
    json: {
      state: 'paused',
      pause_reason: 'a look',
      paused_at: INSTANT,
      resume_at: INSTANT,
      waiting: { paused: 2 },
    },
  })
  t.equal(Math.round((Date.parse(paused.json.resume_at) - Date.parse(paused.json.paused_at)) / 1000), 3600)
  const until = '2099-01-31T12:00:00+02:00'
  t.match((await call('POST', '/v1/queues/work:pause', { resume_at: until })).json, {
    pause_reason: null,
    paused_at: paused.json.paused_at,
    resume_at: '2099-01-31T10:00:00.000Z',
  })
  fault(await call('POST', '/v1/queues/work:drain'), 409, 'RB_QUEUE_PAUSED')
  t.match((await call('POST', '/v1/queues/work:resume')).json, {
    state: 'open',
    paused_at: null,
    resume_at: null,
  })
  t.match((await call('POST', '/v1/queues/work:resume', null)).json, { state: 'open' }, 'twice does no harm')
  t.match((await call('POST', '/v1/queues/work:drain', {})).json, { state: 'draining', draining_at: INSTANT })
  t.match((await call('POST', '/v1/queues/work:pause')).json, { state: 'paused' })
  t.match((await call('POST', '/v1/queues/work:resume')).json, { state: 'open', draining_at: null })
  fault(
    await call('POST', '/v1/queues/work:pause', { resume_at: '2020-01-01T00:00:00Z' }),
    422,
    'RB_QUEUE_INVALID',
    '/resume_at',
  )
  fault(
    await call('POST', '/v1/queues/work:pause', { for: '1h', resume_at: until }),
    422,
    'RB_QUEUE_INVALID',
    '/for',
  )
  fault(
    await call('POST', '/v1/queues/work:pause', { for: 0, reason: '', x: 1 }),
    422,
    'RB_QUEUE_INVALID',
    '/for',
    '/reason',
    '/x',
  )
  fault(await call('POST', '/v1/queues/work:resume', { x: 1 }), 422, 'RB_QUEUE_INVALID', '/x')
})

t.test('purge and move answer an operation', async (t) => {
  await enqueue('full', 2)
  const purge = await call('POST', '/v1/queues/full:purge', { reason: 'a test', throttle: 100 })
  t.match(purge, { status: 202, headers: { location: `/v1/operations/${purge.json.id}` } })
  t.match(purge.json, {
    kind: 'purge',
    filter: { queue: 'full' },
    options: { reason: 'a test', throttle: 100 },
  })
  const move = await call('POST', '/v1/queues/full:move', { to: 'other' })
  t.match(move, { status: 202, json: { kind: 'move', filter: { queue: 'full' }, options: { to: 'other' } } })
  t.equal((await call('GET', move.headers.location as string)).json.id, move.json.id)
  fault(await call('POST', '/v1/queues/full:move', {}), 422, 'RB_QUEUE_INVALID', '/to')
  fault(await call('POST', '/v1/queues/full:move', { to: 'full' }), 422, 'RB_QUEUE_INVALID', '/to')
  fault(
    await call('POST', '/v1/queues/full:move', { to: 'No', throttle: 0 }),
    422,
    'RB_QUEUE_INVALID',
    '/to',
    '/throttle',
  )
})

t.test('DELETE takes a queue that nothing uses', async (t) => {
  await call('PUT', '/v1/queues/idle', {})
  t.match(await call('DELETE', '/v1/queues/idle'), { status: 204, text: '' })
  fault(await call('DELETE', '/v1/queues/idle'), 404, 'RB_QUEUE_NOT_FOUND')
  fault(await call('DELETE', '/v1/queues/work'), 409, 'RB_QUEUE_IN_USE')
  await sql`update rowbeat.workers set seen_at = clock_timestamp() where id = 'w1'`
  await call('PUT', '/v1/queues/elsewhere', {})
  const served = await call('DELETE', '/v1/queues/elsewhere')
  fault(served, 409, 'RB_QUEUE_IN_USE')
  t.match(served.json.detail, 'served by one')
})

t.test('a queue that is unknown, a key that may not, a method that is not taken', async (t) => {
  const reader = (await world.issue(['queues:read'])).key
  const stranger = (await world.issue(['runs:write'])).key
  t.equal((await call('GET', '/v1/queues', undefined, { key: stranger })).status, 403)
  t.equal((await call('GET', '/v1/queues/work', undefined, { key: reader })).status, 200)
  for (const verb of ['', ':pause', ':resume', ':drain', ':purge', ':move']) {
    const method = verb ? 'POST' : 'PATCH'
    const body = verb === ':move' ? { to: 'other' } : {}
    fault(await call(method, `/v1/queues/nobody${verb}`, body), 404, 'RB_QUEUE_NOT_FOUND')
    t.equal((await call(method, `/v1/queues/work${verb}`, body, { key: reader })).status, 403, verb)
  }
  for (const name of ['No', 'a%00b', 'a%2Fb'])
    t.equal((await call('GET', `/v1/queues/${name}`)).status, 404, name)
  t.match(await call('POST', '/v1/queues', {}), { status: 405, headers: { allow: 'GET, HEAD' } })
  t.match(await call('GET', '/v1/queues/work:pause'), { status: 405, headers: { allow: 'POST' } })
})
