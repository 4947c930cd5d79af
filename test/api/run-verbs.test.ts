/** Verbs on runs, and operations, over HTTP: what they answer, whom they refuse, and the words of a refusal. */
import t from 'tap'
import { workOperations } from '../../src/dispatcher/operations.ts'
import { serve } from './world.ts'

const UNKNOWN = '0192a0f0-0000-7000-8000-0000000000ff'
const world = await serve(t)
const { call, sql, db, rowbeat } = world
await sql`insert into rowbeat.tasks (name, input_schema) values ('far.away', '{"type": "object", "required": ["n"]}')`

const make = async (options: object = {}): Promise<string> =>
  (await call('POST', '/v1/runs', { task: 'demo.add', input: { x: 1, y: 2 }, ...options })).json.id

t.test(':revoke answers the run after', async (t) => {
  const id = await make({ delay: '1 hour' })
  const revoked = await call('POST', `/v1/runs/${id}:revoke`, { reason: 'not needed', terminate: null })
  t.match(revoked, {
    status: 200,
    json: { id, state: 'REVOKED', reason: 'revoked', error: { message: 'not needed' } },
  })
  t.match(
    await call('POST', `/v1/runs/${id.toUpperCase()}:revoke`),
    { status: 200, json: { state: 'REVOKED' } },
    'again, without a body',
  )
  t.match(await call('POST', `/v1/runs/${UNKNOWN}:revoke`), {
    status: 404,
    json: { code: 'RB_RUN_NOT_FOUND' },
  })
  t.match(await call('POST', '/v1/runs/nonsense:revoke'), { status: 404, json: { code: 'RB_RUN_NOT_FOUND' } })
  for (const body of [{ terminate: 'yes' }, { reason: 5 }, { why: 'so' }, []])
    t.match(await call('POST', `/v1/runs/${id}:revoke`, body), {
      status: 422,
      json: { code: 'RB_OPTION_INVALID', errors: [{}] },
    })
  t.match(await call('POST', `/v1/runs/${id}:revoke?x=1`), {
    status: 422,
    json: { code: 'RB_QUERY_INVALID' },
  })
  t.match(await call('GET', `/v1/runs/${id}:revoke`), { status: 405, headers: { allow: 'POST' } })
})

t.test(':retry of a finished run answers the new one, of a parked one itself', async (t) => {
  const id = await make({ tags: ['t'] })
  t.match(await call('POST', `/v1/runs/${id}:retry`), {
    status: 409,
    json: { code: 'RB_RUN_STATE', detail: /is PENDING: .*revoke it first\.$/ },
  })
  await rowbeat.revoke(id)
  const retried = await call('POST', `/v1/runs/${id}:retry`)
  t.match(retried, {
    status: 202,
    json: { retry_of: id, state: 'PENDING', tags: ['t'], input: { x: 1, y: 2 } },
  })
  t.equal(retried.headers.location, `/v1/runs/${retried.json.id}`)
  const changed = await call('POST', `/v1/runs/${id}:retry`, { input: { x: 5, y: 5 } })
  t.match(changed, { status: 202, json: { retry_of: id, input: { x: 5, y: 5 } } })
  t.match(await call('POST', `/v1/runs/${id}:retry`, { input: { x: 'five' } }), {
    status: 422,
    json: { code: 'RB_INPUT_INVALID', errors: [{ pointer: /^\/input/ }] },
  })
  t.match(await call('POST', `/v1/runs/${id}:retry`, { inputs: {} }), {
    status: 422,
    json: { errors: [{ pointer: '/inputs' }] },
  })
  const far = await call('POST', '/v1/runs', { task: 'far.away', input: { n: 1 } })
  await rowbeat.revoke(far.json.id)
  t.match(
    await call('POST', `/v1/runs/${far.json.id}:retry`, { input: {} }),
    { status: 422, json: { code: 'RB_INPUT_INVALID' } },
    'by the schema of a task that only others know',
  )

  const later = await make({ delay: '1 hour' })
  const released = await call('POST', `/v1/runs/${later}:retry`)
  t.match(released, { status: 200, json: { id: later, retry_of: null } })
  t.notOk(released.headers.location)
  t.ok(Date.parse(released.json.run_at) <= Date.now())
  t.match(await call('POST', `/v1/runs/${UNKNOWN}:retry`), { status: 404 })
})

t.test(':reschedule moves what waits; DELETE takes what has finished', async (t) => {
  const id = await make()
  const moved = await call('POST', `/v1/runs/${id}:reschedule`, { delay: '1 hour' })
  t.match(moved, { status: 200, json: { id, state: 'SCHEDULED', reason: 'eta' } })
  const eta = '2030-01-31T12:00:00.000Z'
  t.match(await call('POST', `/v1/runs/${id}:reschedule`, { eta }), { status: 200, json: { run_at: eta } })
  for (const body of [undefined, {}, { eta: 'soon' }, { eta, delay: 5 }, { delay: null }])
    t.match(await call('POST', `/v1/runs/${id}:reschedule`, body), {
      status: 422,
      json: { code: 'RB_OPTION_INVALID' },
    })
  t.match(await call('DELETE', `/v1/runs/${id}`), {
    status: 409,
    json: { code: 'RB_RUN_LIVE', detail: /revoke it first/ },
  })
  await rowbeat.revoke(id)
  t.match(await call('POST', `/v1/runs/${id}:reschedule`, { eta }), {
    status: 409,
    json: { code: 'RB_RUN_STATE', detail: /retry it/ },
  })
  t.match(await call('DELETE', `/v1/runs/${id}`), { status: 204, text: '' })
  t.match(await call('DELETE', `/v1/runs/${id}`), { status: 404 })
  t.match(await call('GET', `/v1/runs/${id}`), { status: 404 })
})

t.test('operations: begun, seen, listed, stopped', async (t) => {
  for (let i = 0; i < 3; i++) await make({ tags: ['bulk'] })
  const begun = await call('POST', '/v1/operations', {
    kind: 'revoke',
    filter: { tag: 'bulk', state: null },
    reason: 'enough',
    terminate: null,
  })
  const { id } = begun.json
  t.match(begun, {
    status: 202,
    headers: { location: `/v1/operations/${id}` },
    json: {
      kind: 'revoke',
      filter: { tag: 'bulk' },
      options: { reason: 'enough' },
      state: 'running',
      total: null,
      done: 0,
      percent: null,
      error: null,
    },
  })
  while (await workOperations(db));
  const done = await call('GET', `/v1/operations/${id}`)
  t.match(done, {
    status: 200,
    json: { state: 'done', total: 3, done: 3, skipped: 0, failed: 0, percent: 100, created_by: String },
  })
  t.strictSame(Object.keys(done.json), Object.keys(begun.json), 'all keys, always')
  const retry = await call('POST', '/v1/operations', {
    kind: 'retry',
    filter: { tag: 'bulk', state: 'REVOKED' },
    throttle: 1,
  })
  t.match(await call('POST', `/v1/operations/${retry.json.id}:stop`), {
    status: 200,
    json: { state: 'stopped' },
  })
  const first = await call('GET', '/v1/operations?limit=1')
  t.match(first.json, { items: [{ id: retry.json.id }], next: String })
  t.match((await call('GET', `/v1/operations?limit=1&cursor=${first.json.next}`)).json, {
    items: [{ id }],
    next: null,
  })
  t.match((await call('GET', '/v1/operations?state=done&kind=revoke')).json, { items: [{ id }], next: null })
  t.match(await call('GET', '/v1/operations?state=over'), { status: 422 })
  t.match(await call('GET', `/v1/operations/${UNKNOWN}`), {
    status: 404,
    json: { code: 'RB_OPERATION_NOT_FOUND' },
  })
  t.match(await call('POST', '/v1/operations/nonsense:stop'), {
    status: 404,
    json: { code: 'RB_OPERATION_NOT_FOUND' },
  })
  t.match(await call('DELETE', `/v1/operations/${id}`), { status: 405, headers: { allow: 'GET, HEAD' } })
})

t.test('an operation that is not understood is refused with the place', async (t) => {
  const refused: [body: unknown, pointer: string][] = [
    [{}, '/kind'],
    [{ kind: 'revoke' }, '/filter'],
    [{ kind: 'revoke', filter: {} }, '/filter'],
    [{ kind: 'revoke', filter: { task: 'a', zz: 'b' } }, '/filter'],
    [{ kind: 'explode', filter: { all: true } }, '/kind'],
    [{ kind: 'move', filter: { queue: 'a' }, to: 'No' }, '/to'],
    [{ kind: 'revoke', filter: { all: true }, eta: '2030-01-01T00:00:00Z' }, '/eta'],
    [{ kind: 'revoke', filter: { tag: '\u0000' } }, '/filter/tag'],
    [{ kind: 'retry', filter: { task: 'demo.add' }, input: { x: 'no' } }, '/input/x'],
  ]
  for (const [body, pointer] of refused)
    t.match(
      await call('POST', '/v1/operations', body),
      { status: 422, json: { errors: [{ pointer }] } },
      JSON.stringify(body),
    )
  t.match(await call('POST', '/v1/operations'), { status: 400 })
})

t.test('who may only read does nothing; who may only write sees no input', async (t) => {
  const [reader, writer] = [await world.issue(['runs:read']), await world.issue(['runs:write'])]
  const id = await make({ delay: '1 hour' })
  const as = (key: string) => (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) =>
    call(method, path, body, { key })
  const [read, write] = [as(reader.key), as(writer.key)]
  for (const path of [
    `/v1/runs/${id}:revoke`,
    `/v1/runs/${id}:retry`,
    `/v1/runs/${id}:reschedule`,
    '/v1/operations',
    `/v1/operations/${id}:stop`,
  ])
    t.match(await read('POST', path, {}), { status: 403, json: { code: 'RB_SCOPE_MISSING' } }, path)
  t.match(await read('DELETE', `/v1/runs/${id}`), { status: 403 })
  t.match(await write('POST', `/v1/runs/${id}:revoke`), {
    status: 200,
    json: { state: 'REVOKED', input: null, tags: [] },
  })
  t.match(await write('POST', `/v1/runs/${id}:retry`), { status: 202, json: { input: null } })
  t.match(await write('GET', '/v1/operations'), { status: 403 })
  t.match(await call('POST', `/v1/runs/${id}:revoke`, {}, { key: null }), { status: 401 })
})
