import t from 'tap'
import { createLive } from '../../src/api/live.ts'
import { revokeKey } from '../../src/auth/key.ts'
import { until } from '../helpers/wait.ts'
import { watch, type Watcher } from './watcher.ts'
import { serve } from './world.ts'

const world = await serve(t)
const { sql, rowbeat } = world
const base = await world.listen()

const open = (key = world.key): Promise<Watcher> => watch(base, '/v1/live', key)
const named = (watcher: Watcher, name: string) => watcher.events.filter(({ event }) => event === name)
const figures = (watcher: Watcher) => named(watcher, 'figures').at(-1)?.data
const told = (watcher: Watcher, id: string) =>
  named(watcher, 'runs').flatMap(({ data }) => data.items.filter((run: { id: string }) => run.id === id))

t.test('who watches is told the figures each second', async (t) => {
  await rowbeat.enqueue('demo.echo', { waits: true })
  const watcher = await open()
  t.match(watcher.headers, { 'content-type': /^text\/event-stream/, 'cache-control': 'no-store' })
  await until('two looks', () => named(watcher, 'figures').length >= 2)
  t.match(figures(watcher), {
    at: /Z$/,
    running: 0,
    slots: 0,
    waiting: { PENDING: 1, SCHEDULED: 0, RETRY: 0, capped: false },
    oldest_age: Number,
    throughput: { succeeded: 0, failed: 0 },
    queues: [{ name: 'default', state: 'open', waiting: { hot: 1 }, running: 0, capped: false }],
    workers: [],
    problems: { errors: 2, warnings: 0, first: { code: 'queue_unserved', level: 'error' } },
  })
  watcher.stop()
})

t.test('a run that is enqueued, begins, tells of itself and ends is named each time', async (t) => {
  const watcher = await open()
  await until('a look', () => named(watcher, 'figures').length >= 1)
  const { id } = await rowbeat.enqueue('demo.echo', { secret: 'x'.repeat(50) }, { tags: ['red'] })
  await until('that it is new', () => told(watcher, id).length > 0)
  const [fresh] = told(watcher, id)
  t.match(fresh, {
    task: 'demo.echo',
    queue: 'default',
    state: 'PENDING',
    tags: ['red'],
    error: null,
    created_at: /Z$/,
  })
  t.notOk('input' in fresh, 'what may be large is not told')

  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, version, pools, queues) values ('w', 'w1', 'worker', 'h', 1, '1', '{pool}', '{"default": 4}')`
  await sql`update rowbeat_queue._private_jobs set locked_by = 'pool', locked_at = now(), attempts = 1 where key = ${id}`
  await sql`update rowbeat.workers set running = jsonb_build_array(jsonb_build_object('id', ${id}::text, 'started_at', now(), 'attempt', 1)), seen_at = clock_timestamp()`
  await sql`select pg_notify('rowbeat_live', '')`
  const began = performance.now()
  await until('its start', () => told(watcher, id).at(-1)?.state === 'STARTED')
  t.ok(
    performance.now() - began < 900,
    `a start is told ${Math.round(performance.now() - began)} ms after its worker wrote it`,
  )
  await until('the figures', () => figures(watcher).running === 1)
  t.match(figures(watcher), { slots: 4, workers: [{ name: 'w1', running: 1, slots: 4, quiet: false }] })

  await sql`insert into rowbeat.progress (run_id, current, total, at) values (${id}, 30, 60, clock_timestamp())`
  await sql`select pg_notify('rowbeat_runs', ${id})`
  await until('its progress', () => told(watcher, id).at(-1)?.progress?.percent === 50)

  const ended = performance.now()
  await sql.begin(async (tx) => {
    await tx`delete from rowbeat_queue._private_jobs where key = ${id}`
    await tx`insert into rowbeat.results (id, task, queue, state, reason, priority, input, error, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
      values (${id}, 'demo.echo', 'default', 'FAILURE', 'error', 0, '{}', ${sql.json({ name: 'Error', message: 'm'.repeat(5000), stack: 's' })}, 1, 1, 0, now(), now(), now(), now() + interval '1 day')`
    await tx`select pg_notify('rowbeat_runs', ${id})`
  })
  await until('its end', () => told(watcher, id).at(-1)?.state === 'FAILURE')
  t.ok(performance.now() - ended < 450, `an end is told ${Math.round(performance.now() - ended)} ms after`)
  t.equal(told(watcher, id).at(-1).error.message.length, 200, 'a message is told as far as a line goes')
  watcher.stop()
})

t.test('when more changes than is named, that is said', async (t) => {
  const watcher = await open()
  await until('a look', () => named(watcher, 'figures').length >= 1)
  const runs = await rowbeat.enqueueMany(
    Array.from({ length: 150 }, (_, i) => ({ task: 'demo.echo', input: { i } })),
  )
  const before = named(watcher, 'runs').length
  await sql`select pg_notify('rowbeat_runs', ${runs
    .slice(0, 100)
    .map(({ id }) => id)
    .join(',')}), pg_notify('rowbeat_runs', ${runs
    .slice(100)
    .map(({ id }) => id)
    .join(',')})`
  await until('the runs', () =>
    named(watcher, 'runs')
      .slice(before)
      .some(({ data }) => data.more && data.items.length === 100),
  )
  await sql`select pg_notify('rowbeat_runs', '*')`
  await until('that nobody names them', () =>
    named(watcher, 'runs')
      .slice(before)
      .some(({ data }) => data.more && data.items.length === 0),
  )
  t.ok(named(watcher, 'runs').every(({ data }) => data.items.length <= 100))
  watcher.stop()
})

t.test('it needs all the rights that the pages need, and stays no longer than they are held', async (t) => {
  const { key: less } = await world.issue(['runs:read', 'queues:read', 'workers:read'])
  t.match(await world.call('GET', '/v1/live', undefined, { key: less }), {
    status: 403,
    json: { code: 'RB_SCOPE_MISSING' },
  })
  t.equal((await world.call('GET', '/v1/live?x=1')).status, 422)
  const { id, key } = await world.issue(['runs:read', 'queues:read', 'workers:read', 'schedules:read'])
  const watcher = await open(key)
  await until('a look', () => named(watcher, 'figures').length >= 1)
  await revokeKey(world.db, id)
  await until('the end of the stream', () => watcher.ended)
  t.pass()
})

t.test('twenty who watch are served by the looks of one, and nobody by none', async (t) => {
  const seen = { looks: 0, reads: 0, hears: 0, frames: 0 }
  const closers: (() => void)[] = []
  let hear: (ids: readonly string[]) => void = () => {}
  const live = createLive({
    feed: {
      follow: () => () => {},
      hear(hearer) {
        hear = hearer
        seen.hears++
        return () => void seen.hears--
      },
      close: async () => {},
    },
    sockets: {
      open(_, { onClose }) {
        closers.push(onClose)
        return { isFull: false, send: () => void seen.frames++, end: () => {} }
      },
      close: () => {},
    },
    control: {
      async look() {
        seen.looks++
        return { figures: {} as never, changed: [] }
      },
      async readRuns() {
        seen.reads++
        return []
      },
    },
    onProblem: (error) => t.fail(String(error)),
  })
  for (let i = 0; i < 20; i++) live.open({} as never, 'key')
  await until('two looks', () => seen.looks === 2)
  t.match(seen, { hears: 1, frames: 40 })
  for (let i = 0; i < 50; i++) hear([`run ${i}`])
  await until('one reading for all', () => seen.frames >= 60)
  t.equal(seen.reads, 1)
  for (const close of closers) close()
  const { looks } = seen
  await new Promise((resolve) => setTimeout(resolve, 1300))
  t.match(seen, { looks, hears: 0 }, 'nothing is looked at while nobody watches')
})
