/** `rowbeat.http` with a real worker: what it sends, what it answers, what is tried again and what is not. */
import t from 'tap'
import { createWorker } from '../../src/index.ts'
import { retryAfterMs } from '../../src/outbound/answer.ts'
import { setup } from '../helpers/bundle.ts'
import { startReceiver } from '../helpers/receiver.ts'
import { until } from '../helpers/wait.ts'
import { scripted } from '../helpers/tasks.ts'
import { startWorker } from '../helpers/worker.ts'

const { url, sql } = await setup(t)
const receiver = await startReceiver(t)
const { rowbeat } = await startWorker(t, url, { outbound: { allow: ['127.0.0.1'] } })
const quick = { retry: { backoff: 'constant', base: '10 ms' } } as const
const call = (input: object, options = {}) =>
  rowbeat.enqueue('rowbeat.http', { url: `${receiver.url}/x`, ...input }, options)

const ended = (run: { result(): Promise<unknown> }): Promise<unknown> =>
  run.result().then(
    () => null,
    (error: unknown) => error,
  )

t.test('a call is sent as it was asked for, with the id of the run to tell it by', async (t) => {
  receiver.answer(() => ({
    status: 201,
    headers: { 'content-type': 'text/plain', 'x-own': 'a' },
    body: 'готово',
  }))
  const run = await call({ json: { a: [1, 'ї'] }, headers: { Authorization: 'Bearer x', 'X-Trace': '1' } })
  t.match(await run.result({ timeout: '10s' }), {
    status: 201,
    headers: { 'content-type': 'text/plain', 'x-own': 'a' },
    body: 'готово',
    encoding: 'utf8',
    truncated: false,
  })
  t.match(receiver.received.at(-1), {
    method: 'POST',
    path: '/x',
    body: '{"a":[1,"ї"]}',
    headers: {
      'idempotency-key': run.id,
      'content-type': 'application/json',
      authorization: 'Bearer x',
      'x-trace': '1',
      'user-agent': /^rowbeat\//,
    },
  })
  await (await call({})).result()
  t.match(receiver.received.at(-1), { method: 'GET', body: '' })
  await (await call({ method: 'PUT', body: 'as it is', headers: { 'idempotency-key': 'own' } })).result()
  t.match(receiver.received.at(-1), {
    method: 'PUT',
    body: 'as it is',
    headers: { 'idempotency-key': 'own' },
  })
})

t.test('bytes that are no text come as base64, and what is too long is cut between characters', async (t) => {
  receiver.answer(() => ({ status: 200, body: Buffer.from([0, 255, 1]) }))
  t.match(await (await call({})).result(), { body: 'AP8B', encoding: 'base64' })
  receiver.answer(() => ({ status: 200, body: `a${'ї'.repeat(200_000)}` }))
  const long = (await (await call({})).result()) as { body: string; truncated: boolean; encoding: string }
  t.strictSame([long.truncated, long.encoding, Buffer.byteLength(long.body)], [true, 'utf8', 262_143])
})

t.test('5xx, 429 and no connection are tried again, under the same key; then it succeeds', async (t) => {
  const seen: string[] = []
  receiver.answer(({ headers }) => ({ status: [500, 429, 200][seen.push(headers['idempotency-key']!) - 1]! }))
  const run = await call({}, quick)
  t.match(await run.result(), { status: 200 })
  t.strictSame(seen, [run.id, run.id, run.id])
  const nobody = await rowbeat.enqueue(
    'rowbeat.http',
    { url: 'http://127.0.0.1:9/' },
    { ...quick, attemptsMax: 2 },
  )
  t.match(await ended(nobody), { reason: 'attempts_exhausted', data: { code: 'RB_OUTBOUND_FAILED' } })
})

t.test('Retry-After is taken at its word', async (t) => {
  receiver.answer(() => ({ status: 503, headers: { 'retry-after': '3600' } }))
  const run = await call({}, quick)
  const wait = await until('it waits', async () => {
    const [row] =
      await sql`select extract(epoch from run_at - now())::float8 as wait from rowbeat.runs where id = ${run.id} and state = 'RETRY'`
    return row?.wait
  })
  t.ok(wait > 3500 && wait <= 3600, String(wait))
  t.equal(retryAfterMs({ headers: { 'retry-after': 'soon' } }), null)
  t.equal(retryAfterMs({ headers: { 'retry-after': '99999999' } }), 86_400_000)
  t.equal(retryAfterMs({ headers: { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' } }), 0)
})

t.test('what another try would not mend ends at once, and says why', async (t) => {
  const refusals: [object, number, RegExp][] = [
    [{}, 404, /It answered 404: no such thing/],
    [{}, 302, /302, to http:\/\/169\.254\.169\.254\/, and redirects are not followed/],
    [{ expect: [404] }, 200, /It answered 200/],
    [{ url: 'http://169.254.169.254/' }, 200, /link-local/],
    [{ url: 'http://10.0.0.1/' }, 200, /private/],
    [{ headers: { Host: 'other' } }, 200, /"Host" is set by the connection/],
    [{ headers: { 'x-a': 'b\r\nx-evil: 1' } }, 200, /"x-a" has characters/],
    [{ headers: { 'a b': '1' } }, 200, /"a b" has characters/],
    [{ timeout: '1 day' }, 200, /timeout must be/],
  ]
  for (const [input, status, words] of refusals) {
    receiver.answer(() => ({
      status,
      headers: { location: 'http://169.254.169.254/' },
      body: 'no such  thing',
    }))
    const run = await call(input, quick)
    t.match(await ended(run), { reason: 'discarded', data: { message: words } }, String(words))
    t.equal(await run.state(), 'FAILURE')
  }
  receiver.answer(() => ({ status: 404 }))
  t.match(await (await call({ expect: [200, 404] })).result(), { status: 404 })
})

t.test('its input is checked by its schema, for SQL and REST too', async (t) => {
  for (const input of [
    {},
    { url: 1 },
    { url: 'https://a', method: 'TRACE' },
    { url: 'https://a', body: '', json: 1 },
    { url: 'https://a', more: 1 },
  ]) {
    const run = await rowbeat.enqueue('rowbeat.http', input)
    t.match(await ended(run), { reason: 'input_invalid' }, JSON.stringify(input))
  }
  const [row] =
    await sql`select input_schema->'required' as needed, attempts_max from rowbeat.tasks where name = 'rowbeat.http'`
  t.strictSame(row, { needed: ['url'], attempts_max: 5 })
})

t.test('a worker that is told not to does not know it', async (t) => {
  const worker = createWorker({ databaseUrl: url, tasks: [scripted], httpTask: false, name: 'without' })
  t.teardown(() => worker.stop({ grace: 0 }))
  await worker.start()
  const [row] = await sql`select tasks from rowbeat.workers where name = 'without'`
  t.strictSame(row!.tasks.toSorted(), ['rowbeat.cleanup', 'rowbeat.webhook', 'test.scripted'])
  t.throws(() => createWorker({ databaseUrl: url, tasks: [scripted], outbound: { allow: ['10.1/8'] } }), {
    code: 'RB_CONFIG_INVALID',
  })
})
