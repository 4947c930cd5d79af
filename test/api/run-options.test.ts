/** POST /v1/runs: routes, the policy for unknown queues, and the options that hold a second run off. */
import t from 'tap'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { serve, TASKS } from './world.ts'

const { sql } = await setup(t)
const rowbeat = createRowbeat({
  db: sql,
  tasks: TASKS,
  unknownQueue: 'refuse',
  routes: [(_, { slow }) => (slow ? { queue: 'high', priority: 9 } : null), { 'demo.a*': 'nowhere' }],
})
const { call } = await serve(t, { rowbeat })
// A server of its own database: the routes and the rows under test are of the other, which the rowbeat is bound to.
const { issueKey } = await import('../../src/auth/key.ts')
const { toQueryable } = await import('../../src/db/handle.ts')
const { key } = await issueKey(toQueryable(sql), { name: 'routes', scopes: ['*'] })
const post = (body: object): ReturnType<typeof call> => call('POST', '/v1/runs', body, { key })

t.test('routes apply, the call comes first, and what nobody defined is a 422', async (t) => {
  t.match(await post({ task: 'demo.echo', input: { slow: true } }), { json: { queue: 'high', priority: 9 } })
  t.match(await post({ task: 'demo.echo', input: { slow: true }, priority: 1 }), {
    json: { queue: 'high', priority: 1 },
  })
  t.match(await post({ task: 'demo.echo', input: { slow: true }, queue: 'default' }), {
    json: { queue: 'default' },
  })
  const refused = await post({ task: 'demo.add', input: { x: 1, y: 2 } })
  t.match(refused, { status: 422, json: { code: 'RB_QUEUE_UNKNOWN', errors: [{ pointer: '/queue' }] } })
  t.match(refused.json.detail, /"nowhere" is not defined/)
})

t.test('a second run is held off as the options say, and answered with the first', async (t) => {
  const twice = async (options: object): Promise<[number, number, boolean]> => {
    const one = await post({ task: 'demo.echo', input: {}, ...options })
    const two = await post({ task: 'demo.echo', input: {}, ...options })
    return [one.status, two.status, one.json.id === two.json.id]
  }
  t.same(await twice({ idempotency_key: 'a', idempotency_for: '1h' }), [202, 200, true])
  t.same(await twice({ unique_key: 'b', unique_for: 3600, unique_while: 'queued' }), [202, 200, true])
  t.same(await twice({ unique_key: 'c', debounce: '10s', debounce_max: '1m' }), [202, 202, false])
  const sent = (header: string): ReturnType<typeof call> =>
    call('POST', '/v1/runs', { task: 'demo.echo' }, { key, headers: { 'idempotency-key': header } })
  const first = await sent('"as a header"')
  t.equal(first.status, 202)
  t.match(await sent('as a header'), { status: 200, json: { id: first.json.id } })
  t.match(await sent(''), { status: 422, json: { errors: [{ pointer: '/idempotency_key' }] } })
  t.match(await post({ task: 'demo.echo', input: { other: 1 }, idempotency_key: 'as a header' }), {
    status: 422,
    json: { code: 'RB_IDEMPOTENCY_REUSED', errors: [{ pointer: '/input' }] },
  })
  const keyed = await post({ task: 'demo.echo', concurrency_key: 'k', rate_key: 'r' })
  t.equal(keyed.status, 202)
})

t.test('every wrong place is told at once', async (t) => {
  const pointersOf = async (options: object): Promise<string[]> => {
    const { status, json } = await post({ task: 'demo.echo', ...options })
    t.equal(status, 422)
    return json.errors.map(({ pointer }: { pointer: string }) => pointer)
  }
  t.same(
    await pointersOf({ unique_for: 'long', unique_while: 'ever', idempotency_key: '', debounce: '1s' }),
    ['/unique_for', '/unique_while', '/idempotency_key', '/debounce'],
  )
  t.same(await pointersOf({ idempotency_for: '1h', concurrency_key: 5 }), [
    '/concurrency_key',
    '/idempotency_for',
  ])
  t.same(
    await pointersOf({ unique_key: 'k', debounce: '1s', eta: '2030-01-01T00:00:00Z', on_conflict: 'keep' }),
    ['/eta', '/on_conflict'],
  )
  t.same(await pointersOf({ delay: 'soon', eta: '2030-01-01T00:00:00Z' }), ['/delay', '/eta'])
})
