import t from 'tap'
import { findTroubles } from '../../src/control/problems.ts'
import { serve } from './world.ts'

const world = await serve(t)
const { call, sql } = world

/** A live process, as its heartbeat writes it. */
async function live(name: string, more: Record<string, unknown> = {}): Promise<void> {
  const row = {
    id: name,
    name,
    kind: 'worker',
    hostname: 'h',
    pid: 1,
    version: '1',
    queues: {},
    tasks: [],
    ...more,
  }
  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, version, queues, tasks, loop_lag_ms, clock_skew_ms, seen_at)
    select id, name, kind, hostname, pid, version, queues, tasks, loop_lag_ms, clock_skew_ms, clock_timestamp() - coalesce(unseen, 0) * interval '1 second'
    from jsonb_to_record(${JSON.stringify(row)}::text::jsonb) as r(id text, name text, kind text, hostname text, pid int, version text, queues jsonb, tasks text[],
      loop_lag_ms float8, clock_skew_ms float8, unseen float8)`
}

t.test('tasks are told with who has them and what asks for them', async (t) => {
  await live('w1', { queues: { default: 10 }, tasks: ['demo.add'] })
  await live('w2', { queues: { default: 10 }, tasks: ['demo.add'], unseen: 60 })
  await sql`select rowbeat.create_schedule('adds', 'demo.add', '{"kind": "interval", "every": 1, "period": "hours"}', '{"x": 1, "y": 2}')`
  const { status, json } = await call('GET', '/v1/tasks')
  t.equal(status, 200)
  t.strictSame(
    json.items.map((task: { name: string }) => task.name),
    ['demo.add', 'demo.countdown', 'demo.echo'],
  )
  t.match(json.items[0], {
    name: 'demo.add',
    input_schema: { type: 'object', required: ['x', 'y'] },
    workers: ['w1'],
    schedules: [{ name: 'adds', enabled: true }],
    seen_at: /Z$/,
  })
  t.strictSame(json.items[2].workers, [])
  t.equal(json.next, null)
})

t.test('a task is told with how its runs did in a period', async (t) => {
  await sql`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, started_at, finished_at, keep_until, worker)
    select rowbeat.uuid7(), 'demo.add', case when i <= 5 then 'high' else 'default' end, case when i = 10 then 'FAILURE' else 'SUCCESS' end, 0, 1, 1, 0, now(), now() - interval '30 seconds',
      now() - interval '20 seconds', now() - interval '20 seconds' + i * interval '1 second', now() + interval '1 day', 'w1' from generate_series(1, 10) i`
  const { json } = await call('GET', '/v1/tasks/demo.add?period=15m')
  t.match(json, {
    name: 'demo.add',
    stats: {
      period: 900,
      finished: 10,
      succeeded: 9,
      failed: 1,
      revoked: 0,
      failure_rate: 0.1,
      capped: false,
    },
  })
  t.match(json.stats.duration, { mean: 5.5, p50: 5.5, p95: 9.55 })
  t.match(json.stats.wait, { mean: 10, p50: 10 })
  const idle = await call('GET', '/v1/tasks/demo.echo')
  t.match(idle.json.stats, { finished: 0, failure_rate: null, duration: { mean: null } })
  t.match(await call('GET', '/v1/tasks/demo.none'), { status: 404, json: { code: 'RB_TASK_NOT_FOUND' } })
  for (const period of ['1s', '8d', 'long', ''])
    t.equal((await call('GET', `/v1/tasks/demo.add?period=${period}`)).status, 422)
  const { key } = await world.issue(['runs:read'])
  t.equal((await call('GET', '/v1/tasks', undefined, { key })).status, 403)
})

t.test('stats have slices without gaps, groups, and what waits', async (t) => {
  await sql`select count(*) from rowbeat.enqueue_many((select jsonb_agg(jsonb_build_object('task', 'demo.echo', 'delay', case when i > 3 then 60 end)) from generate_series(1, 5) i))`
  const { json } = await call('GET', '/v1/stats?period=5m')
  t.match(json, { period: 300, step: 5, by: 'queue', finished: { succeeded: 9, failed: 1, revoked: 0 } })
  t.match(json.now, { PENDING: 3, SCHEDULED: 2, RETRY: 0, RUNNING: 0, capped: false })
  t.match(json.queues, [{ name: 'default', depth: 5, running: 0, state: 'open' }])
  t.equal(json.slices.length, 61)
  const times = json.slices.map(({ at }: { at: string }) => Date.parse(at))
  t.ok(times.every((at: number, i: number) => i === 0 || at - times[i - 1] === 5000))
  t.equal(
    json.slices.reduce((sum: number, slice: { succeeded: number }) => sum + slice.succeeded, 0),
    9,
  )
  t.match(json.groups, [
    { name: 'default', succeeded: 4, failed: 1, failure_rate: 0.2 },
    { name: 'high', succeeded: 5, failed: 0, failure_rate: 0 },
  ])
  const [{ duration, wait }] = json.groups
  t.ok(
    Math.abs(duration.p50 - 8) < 0.5 && Math.abs(duration.p99 - 10) < 0.6 && Math.abs(wait.mean - 10) < 0.6,
    JSON.stringify(duration),
  )
  const byTask = (await call('GET', '/v1/stats?period=5m&by=task')).json
  t.match(byTask.groups, [{ name: 'demo.add', succeeded: 9, failed: 1 }])
  t.equal((await call('GET', '/v1/stats?by=colour&period=0')).json.errors.length, 2)
  const { key } = await world.issue(['runs:read'])
  t.strictSame((await call('GET', '/v1/stats?period=5m', undefined, { key })).json.queues, [])
})

t.test('a slice that is over is counted once, and what finishes later is added', async (t) => {
  const first = (await call('GET', '/v1/stats?period=10m&by=worker')).json
  await sql`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, started_at, finished_at, keep_until, worker)
    values (rowbeat.uuid7(), 'demo.add', 'high', 'REVOKED', 0, 1, 1, 0, now(), now(), null, now(), now() + interval '1 day', null)`
  const again = await (async () => {
    for (;;) {
      const { json } = await call('GET', '/v1/stats?period=10m&by=worker')
      if (json.at !== first.at) return json
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  t.equal(again.finished.revoked, first.finished.revoked + 1)
  t.equal(again.finished.succeeded, first.finished.succeeded)
  t.match(again.groups.at(-1), { name: '', revoked: 1, duration: null, wait: null, failure_rate: null })
})

t.test('a transaction that stays open is told with how to end it', (t) => {
  const facts = {
    processes: [],
    waiting: [],
    backlog: [],
    queues: [],
    schedules: [],
    enabled: 0,
    operations: [],
    poison: [],
  }
  const holder = {
    kind: 'session' as const,
    name: '4711',
    age: 9,
    seconds: 4000,
    state: 'idle in transaction',
    application: 'psql',
  }
  const find = (seconds: number | null) =>
    findTroubles({ ...facts, upkeep: { unseen: null, expired: null } }, [{ ...holder, seconds }]).filter(
      ({ code }) => code === 'transaction_old',
    )
  t.match(find(4000), [
    { level: 'error', subject: '4711', detail: /psql.*67 min/, mend: /pg_terminate_backend\(4711\)/ },
  ])
  t.match(find(400), [{ level: 'warning' }])
  t.strictSame([find(200), find(null)], [[], []])
  t.end()
})

t.test('problems are told with how to mend them', async (t) => {
  await live('w3', { queues: { high: 1 }, tasks: [], loop_lag_ms: 900, clock_skew_ms: -5000, version: '2' })
  await sql`select rowbeat.enqueue('demo.unknown', queue => 'high'), rowbeat.enqueue('demo.echo', queue => 'lonely'), rowbeat.enqueue('demo.add', queue => 'high')`
  await sql`insert into rowbeat.schedules (name, task, schedule) values ('broken', 'demo.add', '{"kind": "crontab", "hour": "3"}')`
  await sql`update rowbeat.schedules set error = 'no such hour' where name = 'broken'`
  await sql`insert into rowbeat.schedules (name, task, schedule) values ('leap', 'demo.add', '{"kind": "crontab", "hour": "4"}')`
  await sql`update rowbeat.schedules set error = 'never fires: no instant of it lies ahead' where name = 'leap'`
  await sql`update rowbeat.workers set listening = name <> 'w3'`
  await sql`insert into rowbeat.results (id, task, queue, state, reason, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    select rowbeat.uuid7(), 'demo.echo', 'default', 'FAILURE', 'worker_lost', 0, 1, 1, 3, now(), now(), now(), now() + interval '1 day' from generate_series(1, 2)`
  await sql`update rowbeat_queue._private_jobs set attempts = 1, payload = (payload::jsonb || '{"redeliveries": 1}')::json
    where task_id = (select id from rowbeat_queue._private_tasks where identifier = 'lonely:demo.echo')`
  await sql`update rowbeat.upkeep set taken_at = now() - interval '5 hours'`
  const { status, json } = await call('GET', '/v1/problems')
  t.equal(status, 200)
  const found = json.items.map(({ code, subject }: { code: string; subject: string }) => `${code} ${subject}`)
  for (const one of [
    'task_unknown demo.unknown',
    'task_unserved demo.add',
    'task_unserved demo.echo',
    'queue_unserved lonely',
    'worker_silent w2',
    'worker_lag w3',
    'worker_clock w3',
    'worker_versions null',
    'schedule_error broken',
    'schedule_never leap',
    'worker_polling w3',
    'run_poison demo.echo',
    'retention_behind null',
  ])
    t.ok(found.includes(one), `${one} in ${found.join(', ')}`)
  const unknown = json.items.find(({ code }: { code: string }) => code === 'task_unknown')
  t.match(unknown, { level: 'error', runs: 1, detail: /demo\.unknown/, mend: /./, links: [/^\/v1\/runs\?/] })
  for (const link of json.items.flatMap(({ links }: { links: string[] }) => links))
    t.equal((await call('GET', link)).status, 200, link)
  const poison = json.items.find(({ code }: { code: string }) => code === 'run_poison')
  t.match(poison, { level: 'error', runs: 3, detail: /2 runs given up .*1 run waiting/ })
  const lost = (await call('GET', poison.links[0])).json.items
  t.strictSame(
    lost.map(({ reason }: { reason: string }) => reason),
    ['worker_lost', 'worker_lost'],
  )
  const levels = json.items.map(({ level }: { level: string }) => level)
  t.strictSame(levels, [...levels].sort(), 'errors first')
  const { key } = await world.issue(['runs:read'])
  t.equal((await call('GET', '/v1/problems', undefined, { key })).status, 403)
})
