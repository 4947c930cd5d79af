import { randomUUID } from 'node:crypto'
import t from 'tap'
import { revokeKey } from '../../src/auth/key.ts'
import { until } from '../helpers/wait.ts'
import { watch } from './watcher.ts'
import { serve, type World } from './world.ts'

/** What a worker does to a run, step by step, so that a test says when. */
function pretend({ sql }: World, id: string) {
  return {
    async start() {
      await sql`update rowbeat_queue._private_jobs set locked_by = 'pool', locked_at = now(), attempts = 1 where key = ${id}`
      await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, version, pools) values ('w', 'w', 'worker', 'h', 1, '1', '{pool}')
        on conflict do nothing`
      await sql`update rowbeat.workers set running = running || jsonb_build_object('id', ${id}::text, 'started_at', now(), 'attempt', 1)`
    },
    async progress(current: number, { tell = true } = {}) {
      await sql`insert into rowbeat.progress (run_id, current, total, at) values (${id}, ${current}, 100, clock_timestamp())
        on conflict (run_id) do update set current = excluded.current, at = excluded.at`
      if (tell) await sql`select pg_notify('rowbeat_runs', ${id})`
    },
    async finish({ tell = true } = {}) {
      await sql.begin(async (tx) => {
        await tx`delete from rowbeat_queue._private_jobs where key = ${id}`
        await tx`insert into rowbeat.results (id, task, queue, state, priority, input, result, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
          values (${id}, 'demo.echo', 'default', 'SUCCESS', 0, '{}', '1', 1, 1, 0, now(), now(), now(), now() + interval '1 day')`
        if (tell) await tx`select pg_notify('rowbeat_runs', ${id})`
      })
    },
  }
}

async function open(world: World, options: { headers?: Record<string, string>; key?: string } = {}) {
  const { id } = await world.rowbeat.enqueue('demo.echo', {})
  const base = await world.listen()
  const path = `/v1/runs/${id}/events`
  const watcher = await watch(base, path, options.key ?? world.key, options.headers)
  return { id, base, path, watcher, run: pretend(world, id) }
}

t.test('a stream begins with the run, tells each change, and ends after its end', async (t) => {
  const world = await serve(t)
  const { watcher, run, id } = await open(world)
  t.equal(watcher.status, 200)
  t.match(watcher.headers, {
    'content-type': /^text\/event-stream/,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  await until('the run as it is', () => watcher.states[0] === 'PENDING')
  t.match(watcher.raw, /^event: run\ndata: \{"id":/)
  t.match(watcher.events[0], { event: 'run', data: { id, task: 'demo.echo', state: 'PENDING', input: {} } })
  await run.start()
  const began = performance.now()
  await until('its start', () => watcher.states.at(-1) === 'STARTED')
  t.ok(performance.now() - began < 1600, `STARTED is seen by the poll, ${performance.now() - began} ms after`)
  await run.progress(50)
  await until('its progress', () => watcher.events.at(-1)?.data.progress?.percent === 50)
  await run.finish()
  await until('the end of the stream', () => watcher.ended)
  t.strictSame(watcher.states, ['PENDING', 'STARTED', 'PROGRESS', 'SUCCESS'])
  t.equal(watcher.events.at(-1)!.data.result, 1)
})

t.test('of a run that has finished there is one event, and for who has seen it none', async (t) => {
  const world = await serve(t)
  const { watcher, run, base, path } = await open(world)
  await run.finish()
  await until('the end of the stream', () => watcher.ended)
  const again = await watch(base, path, world.key)
  await until('the end of the second stream', () => again.ended)
  t.strictSame(again.states, ['SUCCESS'])
  const known = await watch(base, path, world.key, { 'last-event-id': again.events[0]!.id! })
  t.equal(known.status, 204, 'EventSource stops asking')
})

t.test('an unknown id is 404 before any stream, a missing key 401', async (t) => {
  const world = await serve(t)
  const base = await world.listen()
  const unknown = await watch(base, `/v1/runs/${randomUUID()}/events`, world.key)
  t.equal(unknown.status, 404)
  t.match(unknown.headers['content-type'], /problem\+json/)
  t.equal((await watch(base, `/v1/runs/${randomUUID()}/events`, 'x')).status, 401)
})

t.test('changes that no notification tells are seen by the poll', async (t) => {
  const world = await serve(t)
  const { watcher, run } = await open(world)
  await run.start()
  await run.progress(10, { tell: false })
  await until('the progress', () => watcher.states.at(-1) === 'PROGRESS', { timeout: 3000 })
  await run.finish({ tell: false })
  await until('the end', () => watcher.ended, { timeout: 3000 })
  t.equal(watcher.states.at(-1), 'SUCCESS')
})

t.test(
  'however fast a run changes, a stream has at most five events a second, and the last one',
  async (t) => {
    const world = await serve(t)
    const { watcher, run } = await open(world)
    await run.start()
    const end = performance.now() + 2500
    for (let n = 1; performance.now() < end; n++) await run.progress(n)
    await run.progress(99)
    await run.finish()
    await until('the end of the stream', () => watcher.ended)
    const times = watcher.events.map(({ at }) => at)
    const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 990).length))
    t.ok(most <= 5, `${most} events in a second`)
    t.ok(times.length >= 8, `${times.length} events in 2.5 s`)
    t.equal(watcher.states.at(-1), 'SUCCESS')
  },
)

t.test('many watchers of one run are all told, those too who come late', async (t) => {
  const world = await serve(t)
  const { watcher, run, base, path } = await open(world)
  const others = await Promise.all(Array.from({ length: 20 }, () => watch(base, path, world.key)))
  await run.start()
  await until('all see it start', () =>
    [watcher, ...others].every(({ states }) => states.at(-1) === 'STARTED'),
  )
  const late = await watch(base, path, world.key)
  await run.finish()
  await until('all streams end', () => [watcher, late, ...others].every(({ ended }) => ended))
  t.ok([watcher, ...others].every(({ states }) => states.join() === 'PENDING,STARTED,SUCCESS'))
  t.equal(late.states.join(), 'STARTED,SUCCESS')
})

t.test('all streams share one listening connection', async (t) => {
  const world = await serve(t)
  const { base, watcher } = await open(world)
  const runs = await world.rowbeat.enqueueMany(
    Array.from({ length: 30 }, () => ({ task: 'demo.echo', input: {} })),
  )
  const watchers = await Promise.all(runs.map(({ id }) => watch(base, `/v1/runs/${id}/events`, world.key)))
  const listening = async (): Promise<number> => {
    const rows =
      await world.admin`select 1 from pg_stat_activity where datname = current_database() and query ilike 'listen%'`
    return rows.length
  }
  t.equal(await until('somebody listens', listening), 1)
  for (const { stop } of [watcher, ...watchers]) stop()
})

t.test('a revoked key ends its streams within about a second', async (t) => {
  const world = await serve(t)
  const { id, key } = await world.issue(['runs:read'])
  const { watcher, base, path } = await open(world, { key })
  const other = await watch(base, path, world.key)
  await until('both have their first event', () => watcher.states.length + other.states.length === 2)
  await revokeKey(world.db, id)
  await until('its stream ends', () => watcher.ended, { timeout: 3000 })
  t.equal(other.ended, false)
  other.stop()
})

t.test('a forgotten run ends its streams', async (t) => {
  const world = await serve(t)
  const { watcher, id } = await open(world)
  await world.sql`delete from rowbeat_queue._private_jobs where key = ${id}`
  await until('the end of the stream', () => watcher.ended)
  t.strictSame(watcher.states, ['PENDING'])
})

t.test('when the server closes, streams end and it does not wait for them', async (t) => {
  const world = await serve(t)
  const { watcher } = await open(world)
  await until('the first event', () => watcher.states.length === 1)
  const began = performance.now()
  await world.app.close()
  t.ok(performance.now() - began < 2500, `closed in ${performance.now() - began} ms`)
  await until('the end of the stream', () => watcher.ended)
})

t.test('more streams than allowed are refused with 503', async (t) => {
  const world = await serve(t, { streamsMax: 2 })
  const { watcher, base, path } = await open(world)
  const second = await watch(base, path, world.key)
  const third = await watch(base, path, world.key)
  t.equal(third.status, 503)
  t.ok(third.headers['retry-after'])
  watcher.stop()
  await until('there is room again', async () => {
    const next = await watch(base, path, world.key)
    next.stop()
    return next.status === 200
  })
  second.stop()
})

t.test('a watcher who does not read is not told twice as much later, but only the latest', async (t) => {
  const world = await serve(t)
  const { id } = await world.rowbeat.enqueue('demo.echo', { text: 'x'.repeat(900_000) })
  const base = await world.listen()
  const watcher = await watch(base, `/v1/runs/${id}/events`, world.key)
  watcher.pause()
  const run = pretend(world, id)
  await run.start()
  const end = performance.now() + 3000
  for (let n = 1; performance.now() < end; n++) await run.progress(n)
  watcher.resume()
  await run.finish()
  await until('the end of the stream', () => watcher.ended)
  t.equal(watcher.states.at(-1), 'SUCCESS')
  t.ok(watcher.events.length < 10, `${watcher.events.length} events in three seconds of changes`)
})

t.test('a silent stream gets a comment now and then', async (t) => {
  const world = await serve(t, { pingMs: 100 })
  const { watcher } = await open(world)
  await until('two comments', () => watcher.comments.length >= 2)
  t.strictSame([...new Set(watcher.comments)], [': ping'])
  t.strictSame(watcher.states, ['PENDING'])
  watcher.stop()
})
