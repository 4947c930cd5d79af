/** The short form of `npm run torture -- fuzz`: some requests to each operation, made from the API's own description. */
import t from 'tap'
import { fuzz } from './fuzz/fuzz.ts'
import { createOracle } from './fuzz/oracle.ts'
import { operationsOf, type Asked } from './fuzz/requests.ts'
import { serve } from './world.ts'

const COUNT = 1000

const world = await serve(t)

t.test('no request from the description is answered by more, or other, than it tells', async (t) => {
  const { sent, accepted, faults, heapGrowthBytes } = await fuzz(world, COUNT, 20_261_121, () => {})
  t.strictSame(faults, [])
  t.equal(sent.valid + sent.nearly + sent.hostile, COUNT)
  t.ok(accepted.valid > sent.valid / 3, `${accepted.valid} of ${sent.valid} that are valid were accepted`)
  t.ok(accepted.hostile < sent.hostile / 2, `${accepted.hostile} of ${sent.hostile} that are hostile were`)
  t.ok(heapGrowthBytes < 48 * 1_048_576, `the heap grew by ${heapGrowthBytes} bytes`)
  t.notOk('polluted' in {})
})

t.test('the fuzzer finds what it looks for', async (t) => {
  const { call } = world
  const document = (await call('GET', '/openapi.json')).json
  const oracle = createOracle(document)
  const find = (id: string) => operationsOf(document).find((one) => one.id === id)!
  const told = await call('POST', '/v1/runs', { task: 'demo.echo' })
  const headers = told.headers as Record<string, unknown>
  const of = (status: number, json: object, more = {}): string | null =>
    oracle.fault(find('enqueueRun'), { status, headers: { ...headers, ...more }, text: JSON.stringify(json) })
  t.equal(of(202, told.json), null)
  t.equal(of(500, told.json), '500')
  t.equal(of(418, told.json), '418 is not told')
  t.match(of(202, { ...told.json, surprise: 1 }), /additional/)
  t.match(of(202, { ...told.json, attempt: 'one' }), /attempt/)
  t.match(of(202, told.json, { 'content-type': 'text/html' }), /has the type/)
  t.match(of(202, told.json, { location: undefined }), /lacks Location/)
  const problem = (await call('POST', '/v1/runs', {})).json
  const refused = (json: object): string | null =>
    of(422, json, { 'content-type': 'application/problem+json' })
  t.equal(refused(problem), null)
  t.match(refused({ ...problem, code: 'RB_RUN_LIVE' }), /code/)
  t.match(refused({ ...problem, type: 'about:blank' }), /type/)

  const asked = (more: Partial<Asked>): Asked =>
    ({ kind: 'valid', parts: {}, query: [], headers: {}, body: undefined, key: 'whole', ...more }) as Asked
  const refusal = (id: string, more: Partial<Asked>): string | null => oracle.refusal(find(id), asked(more))
  t.equal(refusal('enqueueRun', { body: { json: { task: 'demo.add' } } }), null)
  t.match(refusal('enqueueRun', { body: { json: { task: 'demo.add', x: 1 } } }), /additional/)
  t.match(refusal('enqueueRun', { body: { json: { task: 'demo.add', priority: 'high' } } }), /priority/)
  t.match(refusal('enqueueRun', {}), /no body/)
  t.match(refusal('enqueueRun', { body: { text: '{' } }), /no JSON/)
  t.equal(refusal('listRuns', { query: [['limit', 7]] }), null)
  t.match(refusal('listRuns', { query: [['limit', 501]] }), /limit/)
  t.match(refusal('listRuns', { query: [['Limit', 1]] }), /Limit/)
  t.match(refusal('listRuns', { query: [['state', ['SUCCESS', 'x']]] }), /state/)
})
