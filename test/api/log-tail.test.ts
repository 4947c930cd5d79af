/** What a run says, as it says it: every line once and in order, whoever comes late, comes back, or reads slowly. */
import t from 'tap'
import { createClient } from '../../src/client/client.ts'
import { until } from '../helpers/wait.ts'
import { watch, type Watcher } from './watcher.ts'
import { serve } from './world.ts'

const world = await serve(t)
const { sql, rowbeat, key } = world
const base = await world.listen()

async function say(id: string, from: number, until_: number, size = 5): Promise<void> {
  await sql`insert into rowbeat.logs (run_id, at, attempt, level, message, data)
    select ${id}, clock_timestamp(), 1, 'info', 'line ' || i, jsonb_build_object('pad', repeat('x', ${size}::integer)) from generate_series(${from}::integer, ${until_}::integer) i`
}
async function finish(id: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`delete from rowbeat_queue._private_jobs where key = ${id}`
    await tx`insert into rowbeat.results (id, task, queue, state, priority, input, result, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
      values (${id}, 'demo.echo', 'default', 'SUCCESS', 0, '{}', '1', 1, 1, 0, now(), now(), clock_timestamp(), now() + interval '1 day')`
    await tx`select pg_notify('rowbeat_runs', ${id})`
  })
}
const begin = async (): Promise<string> => (await rowbeat.enqueue('demo.echo', {})).id
const follow = (id: string, headers = {}): Promise<Watcher> =>
  watch(base, `/v1/runs/${id}/logs/events`, key, headers)
const lines = ({ events }: Watcher): string[] =>
  events.filter(({ event }) => event === 'log').map(({ data }) => data.message as string)
const upTo = (last: number, first = 1): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => `line ${first + i}`)

t.test(
  'lines that stand come at once, each new one within a second, and after the end the end',
  async (t) => {
    const id = await begin()
    await say(id, 1, 3)
    const watcher = await follow(id)
    t.match(watcher.headers, { 'content-type': /^text\/event-stream/ })
    await until('what stood', () => lines(watcher).length === 3)
    const began = performance.now()
    await say(id, 4, 5)
    await until('what came', () => lines(watcher).length === 5)
    t.ok(watcher.events.at(-1)!.at - began < 1000, `after ${watcher.events.at(-1)!.at - began} ms`)
    await finish(id)
    // The worker's last words may be stored behind the outcome.
    await say(id, 6, 6)
    await until('the end', () => watcher.ended)
    t.strictSame(lines(watcher), upTo(6))
    t.match(watcher.events.at(-1), { event: 'end', id: 'end' })
    t.match(watcher.events[0], {
      id: String(watcher.events[0]!.data.seq),
      data: { level: 'info', attempt: 1, data: { pad: 'xxxxx' } },
    })
  },
)

t.test('who comes back goes on where he was; who saw the end is told that there is no more', async (t) => {
  const id = await begin()
  await say(id, 1, 4)
  const first = await follow(id)
  await until('lines', () => lines(first).length === 4)
  first.stop()
  const again = await follow(id, { 'last-event-id': first.events[1]!.id! })
  await until('the rest', () => lines(again).length === 2)
  t.strictSame(lines(again), upTo(4, 3))
  await finish(id)
  await until('the end', () => again.ended)
  const none = await follow(id, { 'last-event-id': 'end' })
  t.equal(none.status, 204)
})

t.test('of a run that ended long ago the lines come, and the end with them', async (t) => {
  const id = await begin()
  await say(id, 1, 1200)
  await finish(id)
  await sql`update rowbeat.results set finished_at = now() - interval '1 minute' where id = ${id}`
  const watcher = await follow(id)
  await until('the end', () => watcher.ended)
  t.strictSame(lines(watcher), upTo(1200))
})

t.test('who reads slowly misses nothing', async (t) => {
  const id = await begin()
  const watcher = await follow(id)
  watcher.pause()
  for (let i = 0; i < 5; i++) await say(id, 1 + i * 100, 100 + i * 100, 16_000)
  await finish(id)
  watcher.resume()
  await until('the end', () => watcher.ended, { timeout: 15_000 })
  t.strictSame(lines(watcher), upTo(500))
})

t.test('the client tells line by line, over broken streams, until the end', async (t) => {
  const id = await begin()
  await say(id, 1, 2)
  let calls = 0
  const broken: typeof fetch = async (input, init) => {
    const cut = new AbortController()
    if (++calls === 1) setTimeout(() => cut.abort(new TypeError('cut')), 700)
    return await fetch(input, { ...init, signal: AbortSignal.any([cut.signal, init!.signal!]) })
  }
  const client = createClient({ url: base, key, fetch: broken })
  const said: string[] = []
  for await (const { message } of client.followLogs(id, { retryMs: 5 })) {
    said.push(message)
    if (said.length === 2) setTimeout(() => void say(id, 3, 4).then(() => finish(id)), 900)
  }
  t.strictSame(said, upTo(4))
  t.ok(calls > 1)
})

t.test('an unknown run is 404, and nobody is told without the right', async (t) => {
  const unknown = await world.call('GET', '/v1/runs/0199c0de-4a5b-7c6d-8e9f-0a1b2c3d4e5f/logs/events')
  t.match(unknown, { status: 404, json: { code: 'RB_RUN_NOT_FOUND' } })
  const { key: other } = await world.issue(['queues:read'])
  t.equal(
    (await world.call('GET', `/v1/runs/${await begin()}/logs/events`, undefined, { key: other })).status,
    403,
  )
})
