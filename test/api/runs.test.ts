import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { until } from '../helpers/wait.ts'
import { serve } from './world.ts'

const ALL_KEYS =
  'id task queue state reason priority input result error progress attempt attempts_max redeliveries worker created_at run_at started_at finished_at expires_at time_limit soft_time_limit unique_key tags headers parent retry_of schedule due_at'.split(
    ' ',
  )

t.test('POST /v1/runs answers 202, the address of the run, and the run', async (t) => {
  const { call } = await serve(t)
  const answer = await call('POST', '/v1/runs', {
    task: 'demo.add',
    input: { x: 1, y: 2 },
    queue: 'high',
    priority: -3,
    tags: ['a', 'b'],
    headers: { trace: '1' },
    time_limit: '90 s',
    soft_time_limit: 30,
    expires: '1 hour',
    attempts_max: 4,
    unique_key: 'k',
  })
  t.equal(answer.status, 202)
  t.equal(answer.headers.location, `/v1/runs/${answer.json.id}`)
  t.strictSame(Object.keys(answer.json), ALL_KEYS, 'all keys, in the documented order')
  t.match(answer.json, {
    task: 'demo.add',
    queue: 'high',
    state: 'PENDING',
    reason: null,
    priority: -3,
    input: { x: 1, y: 2 },
    tags: ['a', 'b'],
    headers: { trace: '1' },
    time_limit: 90,
    soft_time_limit: 30,
    attempt: 0,
    attempts_max: 4,
    unique_key: 'k',
    created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    expires_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  })
  const again = await call('GET', String(answer.headers.location))
  t.equal(again.status, 200)
  t.strictSame(again.json, answer.json, 'reading it gives the same')
  t.equal((await call('GET', `/v1/runs/${answer.json.id.toUpperCase()}`)).json.id, answer.json.id)
})

t.test('a delay or an eta parks the run as SCHEDULED', async (t) => {
  const { call } = await serve(t)
  const eta = '2099-01-31T12:00:00+02:00'
  const later = await call('POST', '/v1/runs', { task: 'demo.echo', input: {}, eta })
  t.match(later.json, { state: 'SCHEDULED', reason: 'eta', run_at: '2099-01-31T10:00:00.000Z' })
  const soon = await call('POST', '/v1/runs', { task: 'demo.echo', delay: '1 hour' })
  t.match(soon.json, { state: 'SCHEDULED', reason: 'eta', input: {} })
})

t.test('a known id or a kept unique key answers 200 and the standing run', async (t) => {
  const { call } = await serve(t)
  const id = randomUUID()
  const first = await call('POST', '/v1/runs', { task: 'demo.echo', input: { n: 1 }, id })
  t.equal(first.status, 202)
  const second = await call('POST', '/v1/runs', { task: 'demo.echo', input: { n: 2 }, id })
  t.equal(second.status, 200)
  t.strictSame(second.json, first.json)
  t.equal(second.headers.location, first.headers.location)

  const key = { task: 'demo.echo', unique_key: 'the one' }
  const holder = await call('POST', '/v1/runs', key)
  t.equal((await call('POST', '/v1/runs', key)).json.id, holder.json.id)
  const clash = await call('POST', '/v1/runs', { ...key, on_conflict: 'reject' })
  t.equal(clash.status, 409)
  t.match(clash.json, { code: 'RB_RUN_DUPLICATE', errors: [{ pointer: '/unique_key' }] })
  const other = await call('POST', '/v1/runs', { ...key, on_conflict: 'replace' })
  t.equal(other.status, 202)
  t.match((await call('GET', `/v1/runs/${holder.json.id}`)).json, { state: 'REVOKED', reason: 'replaced' })
})

t.test('every wrong place of a body is told at once, and nothing is written', async (t) => {
  const { call, sql } = await serve(t)
  const answer = await call('POST', '/v1/runs', {
    task: 'demo.add',
    input: { x: 'one' },
    queue: 'No',
    priority: 1.5,
    delay: '5 parsecs',
    eta: '2026-02-30T00:00:00Z',
    expires: 'tomorrow',
    id: 'x',
    tags: [''],
    headers: [],
    attempts_max: 0,
    retry: { backoff: 'sometimes' },
    time_limit: -1,
    unique_key: 'k'.repeat(513),
    on_conflict: 'ignore',
    ignore_result: 'yes',
    parent: '1',
    'a/b': 1,
  })
  t.equal(answer.status, 422)
  t.match(String(answer.headers['content-type']), 'application/problem+json')
  t.strictSame(
    answer.json.errors.map((fault: { pointer: string }) => fault.pointer).sort(),
    '/attempts_max /a~1b /delay /eta /expires /headers /id /ignore_result /input/x /input/y /on_conflict /parent /priority /queue /retry /tags /time_limit /unique_key'.split(
      ' ',
    ),
  )
  t.match(answer.json, {
    type: '/problems/RB_OPTION_INVALID',
    status: 422,
    instance: '/v1/runs',
    request_id: answer.headers['x-request-id'],
  })
  const [{ n }] = (await sql`select count(*)::integer as n from rowbeat.runs`) as unknown as [{ n: number }]
  t.equal(n, 0)
})

t.test('fields refused and taken, one by one', async (t) => {
  const { call } = await serve(t)
  const refused: [object, string][] = [
    [{ queue: 1 }, '/queue'],
    [{ priority: 32_768 }, '/priority'],
    [{ priority: '1' }, '/priority'],
    [{ delay: 1, eta: '2099-01-01T00:00:00Z' }, '/eta'],
    [{ eta: '2099-01-01' }, '/eta'],
    [{ eta: '2099-01-01T00:00:00' }, '/eta'],
    [{ eta: 5 }, '/eta'],
    [{ time_limit: 1, soft_time_limit: 2 }, '/soft_time_limit'],
    [{ tags: Array.from({ length: 21 }, (_, i) => String(i)) }, '/tags'],
    [{ tags: ['x'.repeat(65)] }, '/tags'],
    [{ tags: ['\u0000'] }, '/tags/0'],
    [{ headers: { a: '\ud800' } }, '/headers/a'],
    [{ unique_key: '' }, '/unique_key'],
    [{ retry_of: randomUUID() }, '/retry_of'],
    [{ schedule: 's' }, '/schedule'],
    [{ uniqueKey: 'k' }, '/uniqueKey'],
    [{ input: { a: '\u0000' } }, '/input/a'],
    [{ input: { a: [0, '\ud800'] } }, '/input/a/1'],
    [{ retry: { when: 1 } }, '/retry'],
  ]
  for (const [fields, pointer] of refused) {
    const answer = await call('POST', '/v1/runs', { task: 'demo.echo', ...fields })
    t.equal(answer.status, 422, JSON.stringify(fields))
    t.equal(answer.json.errors?.[0]?.pointer, pointer, JSON.stringify(fields))
  }
  const taken: object[] = [
    { queue: null, priority: null, tags: null },
    { eta: '2020-01-01T00:00:00.123456+05:45' },
    { unique_key: '🎈'.repeat(512) },
    { tags: ['🎈'.repeat(64)] },
    { retry: { backoff: ['1s', 5], cap: '1m', jitter: false } },
    { expires: '2099-01-01T00:00:00Z' },
    { input: null },
    { input: [1, 2] },
    { input: 'text' },
    { retention: '1 d', ignore_result: true, concurrency_key: 'c', rate_key: 'r', parent: randomUUID() },
  ]
  for (const fields of taken) {
    const answer = await call('POST', '/v1/runs', { task: 'demo.echo', ...fields })
    t.equal(answer.status, 202, `${JSON.stringify(fields)} ${answer.text}`)
  }
})

t.test('what is in an input comes back as it went in', async (t) => {
  const { call } = await serve(t)
  const texts = [
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    '{"quote":"\\" \\\\ </script> \\u2028","emoji":"🎈","empty":"","n":-0.5,"e":1e21,"safe":9007199254740991}',
    '{"a":[[],{},null,true,[{"b":[1]}]]}',
  ]
  for (const text of texts) {
    const answer = await call('POST', '/v1/runs', `{"task":"demo.echo","input":${text}}`)
    t.equal(answer.status, 202, text)
    t.ok(isDeepStrictEqual(answer.json.input, JSON.parse(text)), text)
  }
  t.equal(({} as { polluted?: number }).polluted, undefined)
})

t.test('an integer that JavaScript cannot hold is refused, not changed', async (t) => {
  const { call } = await serve(t)
  const body = (number: string): string => `{"task":"demo.echo","input":{"deep":[{"n":${number}}]}}`
  const answer = await call('POST', '/v1/runs', body('9007199254740993'))
  t.equal(answer.status, 422)
  t.strictSame(answer.json.errors[0].pointer, '/input/deep/0/n')
  for (const fine of ['0.12345678901234567', '"9007199254740993"', '9007199254740991']) {
    t.equal((await call('POST', '/v1/runs', body(fine))).status, 202, fine)
  }
})

t.test(
  'the input of a task that only another process has is checked by the schema it registered',
  async (t) => {
    const { call, sql } = await serve(t)
    const body = { task: 'other.task', input: { name: 5 } }
    const unknown = await call('POST', '/v1/runs', body)
    t.equal(unknown.status, 422)
    t.match(unknown.json, { code: 'RB_TASK_UNKNOWN', errors: [{ pointer: '/task' }] })

    const schema = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } }
    await sql`insert into rowbeat.tasks (name, queue, input_schema) values ('other.task', 'high', ${sql.json(schema)})`
    const wrong = await call('POST', '/v1/runs', body)
    t.equal(wrong.status, 422)
    t.match(wrong.json, { code: 'RB_INPUT_INVALID', errors: [{ pointer: '/input/name' }] })
    t.match((await call('POST', '/v1/runs', { task: 'other.task' })).json.errors, [
      { pointer: '/input/name' },
    ])
    const right = await call('POST', '/v1/runs', { task: 'other.task', input: { name: 'x' } })
    t.equal(right.status, 202)
    t.equal(right.json.queue, 'high', 'with the defaults it registered')

    await sql`insert into rowbeat.tasks (name) values ('free.task')`
    t.equal((await call('POST', '/v1/runs', { task: 'free.task', input: [1] })).status, 202)
    for (const task of ['__proto__', 'constructor', 'toString', '../../x', 'a:b', '']) {
      t.equal((await call('POST', '/v1/runs', { task })).status, 422, task)
    }
  },
)

t.test('tasks of this process are written to rowbeat.tasks when it is ready', async (t) => {
  const { sql } = await serve(t)
  const row = await until('demo.add is registered', async () => {
    const [row] = await sql`select input_schema from rowbeat.tasks where name = 'demo.add'`
    return row
  })
  t.match(row.input_schema, { properties: { x: { type: 'number' } } })
})

t.test('many at once are each answered with their own run', async (t) => {
  const { call } = await serve(t)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => call('POST', '/v1/runs', { task: 'demo.echo', input: { n } })),
  )
  t.ok(answers.every(({ status }, n) => status === 202 && answers[n]!.json.input.n === n))
  t.equal(new Set(answers.map(({ json }) => json.id)).size, 200)
})

t.test('an id that no run has is 404, whatever it looks like', async (t) => {
  const { call } = await serve(t)
  for (const id of [
    randomUUID(),
    'x',
    '1',
    '%00',
    "'",
    'a:unheard-of',
    '00000000-0000-0000-0000-00000000000g',
  ]) {
    const answer = await call('GET', `/v1/runs/${id}`)
    t.equal(answer.status, 404, id)
    t.equal(answer.json.code, 'RB_RUN_NOT_FOUND')
  }
})
