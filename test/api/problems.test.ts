import t from 'tap'
import { portOf, sendRaw } from './raw.ts'
import { serve } from './world.ts'

t.test('what is no request for a run is told by its code', async (t) => {
  const { call } = await serve(t)
  const json = (body: string | Buffer, headers: Record<string, string> = {}) =>
    call('POST', '/v1/runs', body, { headers })
  const cases: [Promise<{ status: number; json: any }>, number, string][] = [
    [json('{'), 400, 'RB_BODY_INVALID'],
    [json(''), 400, 'RB_BODY_INVALID'],
    [json(Buffer.from([0x22, 0xff, 0x22])), 400, 'RB_BODY_INVALID'],
    [call('POST', '/v1/runs'), 400, 'RB_BODY_INVALID'],
    [json('[]'), 422, 'RB_OPTION_INVALID'],
    [json('null'), 422, 'RB_OPTION_INVALID'],
    [json('"x"'), 422, 'RB_OPTION_INVALID'],
    [json('{}'), 422, 'RB_OPTION_INVALID'],
    [
      json('task=demo.echo', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'RB_MEDIA_TYPE_UNKNOWN',
    ],
    [json('{}', { 'content-type': 'text/plain' }), 415, 'RB_MEDIA_TYPE_UNKNOWN'],
    [json('{}', { 'content-type': 'nonsense' }), 415, 'RB_MEDIA_TYPE_UNKNOWN'],
    [json(JSON.stringify({ task: 'demo.echo', input: 'x'.repeat(1_048_577) })), 413, 'RB_INPUT_TOO_LARGE'],
    [json(JSON.stringify({ task: 'demo.echo', input: 'x'.repeat(3_000_000) })), 413, 'RB_INPUT_TOO_LARGE'],
    [
      json(`{"task":"demo.echo","input":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
      422,
      'RB_INPUT_INVALID',
    ],
    [
      json(`{"task":"demo.echo","input":${'[1234567890123456789,'.repeat(40_000)}0${']'.repeat(40_000)}}`),
      422,
      'RB_INPUT_INVALID',
    ],
    [json(`{"task":"demo.echo","input":${'{"a":'.repeat(65)}1${'}'.repeat(65)}}`), 422, 'RB_INPUT_INVALID'],
    [call('DELETE', '/v1/runs'), 405, 'RB_METHOD_NOT_ALLOWED'],
    [call('PUT', '/v1/runs', '{'), 405, 'RB_METHOD_NOT_ALLOWED'],
    [call('GET', '/nothing'), 404, 'RB_ROUTE_UNKNOWN'],
    [call('GET', '/v1'), 404, 'RB_ROUTE_UNKNOWN'],
    [call('GET', '/%ZZ'), 400, 'RB_REQUEST_INVALID'],
  ]
  for (const [answering, status, code] of cases) {
    const answer = await answering
    t.equal(answer.status, status, code)
    t.equal(answer.json?.code, code)
    t.match(answer.json, {
      type: `/problems/${code}`,
      status,
      title: String,
      detail: String,
      request_id: String,
    })
    t.notMatch(JSON.stringify(answer.json), /node_modules|\.ts:|at \w+ \(|select |rowbeat\./i)
  }
  t.equal((await call('DELETE', '/v1/runs')).headers.allow, 'GET, HEAD, POST')
  t.equal(
    (await json('{"task":"demo.echo"}', { 'content-type': 'application/json; charset=utf-8' })).status,
    202,
  )
  t.equal((await call('POST', '/v1/runs', { task: 'demo.echo', input: 'x'.repeat(1_048_000) })).status, 202)
})

t.test('answers are not stored by caches, nor guessed at by browsers', async (t) => {
  const { call } = await serve(t)
  for (const path of ['/v1/runs', '/v1/runs/x', '/healthz', '/nothing', '/v1/runs?x']) {
    const { headers } = await call('GET', path)
    t.equal(headers['cache-control'], 'no-store', path)
    t.equal(headers['x-content-type-options'], 'nosniff', path)
    t.ok(headers['x-request-id'], path)
  }
})

t.test("the caller's request id is used when it is a plain word", async (t) => {
  const { call } = await serve(t)
  const ask = async (id: string): Promise<unknown> =>
    (await call('GET', '/nothing', undefined, { headers: { 'x-request-id': id } })).json.request_id
  t.equal(await ask('abc-123'), 'abc-123')
  t.not(await ask('a b'), 'a b')
  t.not(await ask('x'.repeat(65)), 'x'.repeat(65))
})

t.test('a fault of ours is told without a word of what it was, and logged whole', async (t) => {
  const { call, admin, said } = await serve(t)
  await admin.unsafe(
    `create or replace function rowbeat.invalid_run_v1(v jsonb) returns text language plpgsql as $$ begin raise exception 'planted secret'; end $$`,
  )
  const answer = await call('POST', '/v1/runs', { task: 'demo.echo' })
  t.equal(answer.status, 500)
  t.equal(answer.json.code, 'RB_INTERNAL')
  t.notMatch(answer.text, /planted|invalid_run|plpgsql/)
  t.ok(
    said.some(
      (line) =>
        line.level === 50 &&
        line.request_id === answer.json.request_id &&
        /planted/.test(JSON.stringify(line)),
    ),
  )
})

t.test('an unmigrated database is 503 with the cure', async (t) => {
  const { call, admin } = await serve(t)
  await admin.unsafe(
    'alter schema rowbeat_queue rename to elsewhere; drop function rowbeat.enqueue_many_v2 cascade',
  )
  const answer = await call('POST', '/v1/runs', { task: 'demo.echo' })
  t.equal(answer.status, 503)
  t.match(answer.json, { code: 'RB_SCHEMA_BEHIND', detail: /rowbeat migrate/ })
  t.ok(answer.headers['retry-after'])
})

t.test('keys are never logged', async (t) => {
  const { call, key, said } = await serve(t)
  await call('GET', '/v1/runs')
  await call('POST', '/v1/runs', '{')
  t.ok(said.length >= 2)
  t.notMatch(JSON.stringify(said), key)
})

t.test('slow, broken and bloated requests are ended, and others are served meanwhile', async (t) => {
  const { listen, call } = await serve(t, { requestTimeoutMs: 1000 })
  const port = portOf(await listen())
  const slow = sendRaw(port, 'POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Le')
  const slowBody = sendRaw(
    port,
    'POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"t',
  )
  const broken = await sendRaw(port, 'GARBAGE\r\n\r\n')
  t.equal(broken.status, 400)
  t.match(broken.head, /application\/problem\+json/)
  t.match(JSON.parse(broken.body), { code: 'RB_REQUEST_INVALID', status: 400 })
  const bloated = await sendRaw(port, `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)
  t.equal(bloated.status, 431)
  t.equal((await call('GET', '/healthz')).status, 200)
  t.equal((await slow).status, 408)
  t.ok(
    [401, 408].includes((await slowBody).status),
    'a body that does not come: refused for its key, or for its time',
  )
})
