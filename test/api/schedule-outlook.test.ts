/** Versions, dry runs, the latest firings and the hours ahead over REST: what is taken, and how it is refused. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { serve } from './world.ts'

const { call, issue } = await serve(t)
const DAILY = { kind: 'crontab', minute: '0', hour: '3', timezone: 'UTC' }
const make = async (more: object = {}): Promise<any> =>
  (await call('POST', '/v1/schedules', { name: randomUUID(), task: 'demo.echo', schedule: DAILY, ...more }))
    .json

t.test('versions go page by page, and one of them comes back', async (t) => {
  const { id, name } = await make({ priority: 1 })
  for (const priority of [2, 3])
    await call('PATCH', `/v1/schedules/${id}`, { priority }, { headers: { 'if-match': '*' } })
  const first = await call('GET', `/v1/schedules/${id}/versions?limit=2`)
  t.match(first.json.items, [
    { version: 3, action: 'schedule.update', actor: 'a test', via: 'rest', changed: ['priority'] },
    { version: 2 },
  ])
  const rest = await call('GET', `/v1/schedules/${id}/versions?limit=2&cursor=${first.json.next}`)
  t.match(rest.json, { items: [{ version: 1, definition: { name, priority: 1 } }], next: null })
  const stale = { headers: { 'if-match': '"2"' } }
  t.equal((await call('POST', `/v1/schedules/${id}:revert`, { version: 1 }, stale)).status, 412)
  const reverted = await call('POST', `/v1/schedules/${id}:revert`, { version: 1, reason: 'calm' })
  t.match(reverted, { status: 200, headers: { etag: '"4"' }, json: { priority: 1, version: 4 } })
  for (const [body, pointer] of [
    [{ version: 4 }, '/version'],
    [{ version: 0 }, '/version'],
    [{ to: 1 }, '/to'],
  ] as const) {
    const refused = await call('POST', `/v1/schedules/${id}:revert`, body)
    t.match(refused, { status: 422, json: { errors: [{ pointer }] } })
  }
  t.equal((await call('GET', `/v1/schedules/${randomUUID()}/versions`)).status, 404)
  t.equal((await call('GET', `/v1/schedules/${id}/versions?cursor=eA`)).status, 422)
  const { key } = await issue(['schedules:read'])
  const untold = await call('GET', `/v1/schedules/${id}/versions`, undefined, { key })
  t.match(untold.json.items[0], { actor: null, reason: 'calm' })
})

t.test('a dry run of what stands, of an edit, of a draft; and what is refused', async (t) => {
  const { id, name } = await make({ queue: 'high' })
  const dry = await call('POST', `/v1/schedules/${id}:dry-run`)
  t.match(dry, { status: 200, json: { run: { schedule: name, queue: 'high', state: 'PENDING' }, live: [] } })
  const edited = await call('POST', `/v1/schedules/${id}:dry-run`, {
    as_of: '2030-01-01T03:00:00Z',
    changes: { queue: 'default', schedule: { minute: '30' } },
  })
  t.match(edited.json, {
    due_at: '2030-01-01T03:00:00.000Z',
    run: { queue: 'default' },
    notes: [/no instant of it/],
  })
  const definition = { name: 'draft', task: 'demo.add', input: { x: 1, y: 2 }, schedule: DAILY }
  t.match((await call('POST', '/v1/schedules:dry-run', { definition })).json, { run: { schedule: 'draft' } })
  t.equal((await call('GET', '/v1/schedules?name=draft')).json.items.length, 0)
  t.equal((await call('GET', '/v1/runs')).json.items.length, 0)
  for (const [path, body, pointer] of [
    [`/v1/schedules/${id}:dry-run`, { changes: { overlap: 'x' } }, '/overlap'],
    [`/v1/schedules/${id}:dry-run`, { as_of: 'soon' }, '/as_of'],
    ['/v1/schedules:dry-run', {}, '/definition'],
    ['/v1/schedules:dry-run', { definition: { ...definition, input: { x: 1 } } }, '/input/y'],
  ] as const)
    t.match(await call('POST', path, body), { status: 422, json: { errors: [{ pointer }] } }, pointer)
  const { key } = await issue(['schedules:read', 'runs:read'])
  t.equal((await call('POST', `/v1/schedules/${id}:dry-run`, {}, { key })).status, 403)
})

t.test(
  'the list is searched by part of a name or a task; the latest firings are asked for many at once',
  async (t) => {
    const { id } = await make({ name: 'Nightly Books 100%' })
    for (const [search, count] of [
      ['ly bOOks', 1],
      ['100%', 1],
      ['nightly_books', 0],
    ] as const) {
      const { json } = await call('GET', `/v1/schedules?search=${encodeURIComponent(search)}`)
      t.equal(json.items.length, count, search)
    }
    const run = (await call('POST', `/v1/schedules/${id}:run`)).json
    const other = randomUUID()
    const recent = await call('GET', `/v1/schedules:recent?ids=${other},${id.toUpperCase()}&count=3`)
    t.match(recent.json.items, [
      { schedule_id: other, firings: [] },
      { schedule_id: id, firings: [{ run_id: run.id, reason: 'manual', run_state: 'PENDING' }] },
    ])
    t.equal((await call('GET', '/v1/schedules:recent?ids=a,b')).status, 422)
    t.equal((await call('GET', `/v1/schedules:recent?ids=${id}&count=61`)).status, 422)
  },
)

t.test('the timeline takes a beginning and hours', async (t) => {
  for (const name of ['one', 'two', 'three']) await make({ name, start_at: '2040-01-01T00:00:00Z' })
  const told = await call('GET', '/v1/schedules:timeline?from=2040-01-02T00:00:00Z&hours=48')
  t.match(told.json, {
    until: '2040-01-04T00:00:00.000Z',
    collisions: [{ at: '2040-01-02T03:00:00.000Z', jitter: 60 }],
  })
  t.equal((await call('GET', '/v1/schedules:timeline?hours=169')).status, 422)
  t.equal((await call('GET', '/v1/schedules:timeline?from=now')).status, 422)
})
