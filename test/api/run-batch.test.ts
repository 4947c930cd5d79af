import { randomUUID } from 'node:crypto'
import t from 'tap'
import { serve } from './world.ts'

const { call, sql, issue } = await serve(t)
const add = (x: unknown, more: object = {}) => ({ task: 'demo.add', input: { x, y: 1 }, ...more })
const count = async (): Promise<number> => (await sql`select count(*)::int as n from rowbeat.runs`)[0]!.n

t.test('a batch makes all its runs, in order', async (t) => {
  const id = randomUUID()
  const runs = [add(1), add(2, { id, queue: 'high', delay: '1h' }), { task: 'demo.echo', input: 'text' }]
  const { status, json } = await call('POST', '/v1/runs:batch', { runs })
  t.equal(status, 202)
  t.match(json.items, [
    { created: true, task: 'demo.add' },
    { id, created: true },
    { created: true, task: 'demo.echo' },
  ])
  t.match((await call('GET', `/v1/runs/${id}`)).json, { queue: 'high', state: 'SCHEDULED', input: { x: 2 } })
  t.strictSame((await call('GET', `/v1/runs/${json.items[2].id}`)).json.input, 'text')
  const again = await call('POST', '/v1/runs:batch', { runs: [add(2, { id })] })
  t.equal(again.status, 200, 'all stood already')
  t.strictSame(again.json.items, [{ id, created: false, task: 'demo.add' }])
})

t.test('a thousand go in one request, and one more does not', async (t) => {
  const before = await count()
  const runs = Array.from({ length: 1000 }, (_, x) => add(x))
  const { status, json } = await call('POST', '/v1/runs:batch', { runs })
  t.equal(status, 202)
  t.equal(new Set(json.items.map((item: { id: string }) => item.id)).size, 1000)
  t.equal(await count(), before + 1000)
  const over = await call('POST', '/v1/runs:batch', { runs: [...runs, add(1)] })
  t.match(over, { status: 422, json: { errors: [{ pointer: '/runs' }] } })
  t.equal(await count(), before + 1000)
})

t.test('what is wrong with any is told at once, and nothing is written', async (t) => {
  const before = await count()
  const runs = [
    add(1),
    add('one'),
    { task: 'demo.unknown' },
    add(4, { priority: 1e9, colour: 'red' }),
    { input: {} },
    'text',
    { task: 'demo.unknown' },
    add(Number.NaN, { queue: 'No' }),
  ]
  const { status, json } = await call('POST', '/v1/runs:batch', { runs })
  t.equal(status, 422)
  t.strictSame(
    json.errors.map((fault: { pointer: string }) => fault.pointer),
    [
      '/runs/1/input/x',
      '/runs/2/task',
      '/runs/3/priority',
      '/runs/3/colour',
      '/runs/4/task',
      '/runs/5',
      '/runs/6/task',
      '/runs/7/queue',
      '/runs/7/input/x',
    ],
  )
  t.match(json.detail, /^The batch is refused: \/runs\/1\/input\/x .*, and 8 more\.$/)
  t.equal(await count(), before)
})

t.test('what only the database refuses has its number too', async (t) => {
  const before = await count()
  const held = add(1, { unique_key: 'held' })
  t.equal((await call('POST', '/v1/runs', held)).status, 202)
  const clash = { ...held, on_conflict: 'reject' }
  const { status, json } = await call('POST', '/v1/runs:batch', { runs: [add(5), clash] })
  t.match({ status, json }, { status: 409, json: { code: 'RB_RUN_DUPLICATE', detail: /held/ } })
  t.equal(await count(), before + 1)
})

t.test('a batch that is sent again with its key makes nothing twice', async (t) => {
  const before = await count()
  const send = () =>
    call(
      'POST',
      '/v1/runs:batch',
      { runs: [add(1), add(1), { task: 'demo.echo' }] },
      { headers: { 'idempotency-key': '"monday"' } },
    )
  const answers = await Promise.all([send(), send(), send()])
  t.strictSame(answers.map(({ status }) => status).sort(), [200, 200, 202])
  const ids = answers.map(({ json }) => json.items.map((item: { id: string }) => item.id).join())
  t.equal(new Set(ids).size, 1)
  t.equal(await count(), before + 3)
  const other = [add(1), add(7), { task: 'demo.echo' }]
  const reused = await call(
    'POST',
    '/v1/runs:batch',
    { runs: other },
    { headers: { 'idempotency-key': 'monday' } },
  )
  t.match(reused, {
    status: 422,
    json: { code: 'RB_IDEMPOTENCY_REUSED', errors: [{ pointer: '/runs/1/input' }] },
  })
  t.equal(await count(), before + 3)
})

t.test('a batch needs a body of its form and the right to write', async (t) => {
  for (const body of [{}, { runs: [] }, { runs: {} }, [], { runs: [add(1)], more: 1 }, null])
    t.equal((await call('POST', '/v1/runs:batch', body)).status, 422, JSON.stringify(body))
  t.equal((await call('POST', '/v1/runs:batch')).status, 400)
  t.equal((await call('POST', '/v1/runs:batch?x=1', { runs: [add(1)] })).status, 422)
  const reader = await issue(['runs:read'])
  t.equal((await call('POST', '/v1/runs:batch', { runs: [add(1)] }, { key: reader.key })).status, 403)
  t.equal((await call('GET', '/v1/runs:batch')).status, 405)
})
