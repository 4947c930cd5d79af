import t from 'tap'
import { SCAN_MAX } from '../../src/db/statements/list-runs.ts'
import { serve, type World } from './world.ts'

interface Row {
  id: string
  state: string
  task: string
  queue: string
  tags: string[]
}

/** Runs in every place and state: waiting, started, with progress, parked for each reason, finished in each state. */
async function fill({ sql }: World): Promise<Row[]> {
  await sql`select rowbeat.make_partition_v1((now() at time zone 'UTC')::date - n) from generate_series(2, 20) n`
  await sql`insert into rowbeat.queues (name) values ('default'), ('high') on conflict do nothing`
  await sql`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until, tags)
    select (substr(rowbeat.uuid7_floor_v1(now() - i * interval '1 hour')::text, 1, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid,
      'demo.t' || i % 3, case when i % 2 = 0 then 'default' else 'high' end, (array['SUCCESS', 'FAILURE', 'REVOKED'])[1 + i % 3], 0, 1, 1, 0, now(), now(), now(),
      now() + interval '1 day', case when i % 5 = 0 then array['five', 'x'] end from generate_series(1, 300) i`
  await sql`select count(*) from rowbeat.enqueue_many((select jsonb_agg(jsonb_build_object('task', 'demo.t' || i % 3,
      'queue', case when i % 2 = 0 then 'default' else 'high' end, 'tags', case when i % 5 = 0 then '["five"]'::jsonb else '[]' end)) from generate_series(1, 120) i))`
  await sql`select count(*) from rowbeat.enqueue_many((select jsonb_agg(jsonb_build_object('task', 'demo.t' || i % 3, 'delay', 3600, 'tags', '["five"]'::jsonb))
      from generate_series(1, 90) i))`
  await sql`update rowbeat.parked set reason = (array['eta', 'snooze', 'retry', 'paused', 'overflow'])[1 + abs(hashtext(id::text)) % 5]`
  await sql`update rowbeat_queue._private_jobs set locked_by = 'pool', locked_at = now() where id in (select id from rowbeat_queue._private_jobs order by id limit 30)`
  await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, version, pools, running)
    select 'w', 'w', 'worker', 'h', 1, '1', '{pool}', jsonb_agg(jsonb_build_object('id', key, 'started_at', now(), 'attempt', 1))
    from (select key from rowbeat_queue._private_jobs where locked_by = 'pool' order by id limit 20) j`
  await sql`insert into rowbeat.progress (run_id, current, at)
    select key::uuid, 1, now() from rowbeat_queue._private_jobs where locked_by = 'pool' order by id limit 8`
  return (await sql`select id, state, task, queue, tags from rowbeat.runs order by id desc`) as unknown as Row[]
}

async function readAll({ call }: World, query: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, json } = await call('GET', `/v1/runs?${query}${cursor ? `&cursor=${cursor}` : ''}`)
    if (status !== 200) throw new Error(JSON.stringify(json))
    rows.push(...(json.items as Row[]))
    cursor = json.next as string | null
  }
  return rows
}

t.test('every filter gives what the view gives, newest first, page after page', async (t) => {
  const world = await serve(t)
  const rows = await fill(world)
  t.equal(new Set(rows.map((row) => row.state)).size, 8, 'all eight states are there')
  const states = 'PENDING SCHEDULED STARTED PROGRESS RETRY SUCCESS FAILURE REVOKED'.split(' ')
  const sets = [
    null,
    ...states.map((state) => [state]),
    ['PENDING', 'STARTED'],
    ['STARTED', 'PROGRESS'],
    ['PENDING', 'STARTED', 'PROGRESS'],
    ['SUCCESS', 'REVOKED'],
    ['FAILURE', 'RETRY', 'SCHEDULED'],
    states,
  ]
  const others: Record<string, string>[] = [
    {},
    { task: 'demo.t1' },
    { queue: 'high' },
    { tag: 'five' },
    { task: 'demo.t2', queue: 'default', tag: 'five' },
    { task: 'demo.none' },
  ]
  for (const set of sets) {
    for (const other of others) {
      const query = new URLSearchParams({ limit: '37', ...other, ...(set ? { state: set.join(',') } : {}) })
      const expected = rows.filter(
        (row) =>
          (!set || set.includes(row.state)) &&
          (!other.task || row.task === other.task) &&
          (!other.queue || row.queue === other.queue) &&
          (!other.tag || row.tags.includes(other.tag)),
      )
      const found = await readAll(world, query.toString())
      t.strictSame(
        found.map(({ id }) => id),
        expected.map(({ id }) => id),
        query.toString(),
      )
    }
  }
})

t.test('a page has 50 runs unless asked otherwise, and null where the list ends', async (t) => {
  const { call, rowbeat } = await serve(t)
  t.strictSame((await call('GET', '/v1/runs')).json, { items: [], next: null })
  await rowbeat.enqueueMany(Array.from({ length: 51 }, () => ({ task: 'demo.echo', input: {} })))
  const first = (await call('GET', '/v1/runs')).json
  t.equal(first.items.length, 50)
  const second = (await call('GET', `/v1/runs?cursor=${first.next}`)).json
  t.equal(second.items.length, 1)
  t.equal(second.next, null)
  t.equal((await call('GET', '/v1/runs?limit=51')).json.next, null)
  t.equal((await call('GET', '/v1/runs?limit=500')).json.items.length, 51)
  t.equal((await call('GET', '/v1/runs?limit=1')).json.items[0].id, first.items[0].id)
})

t.test('a rare run far down is found by following the cursor, and no page looks at everything', async (t) => {
  const world = await serve(t)
  const { sql } = world
  await sql`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    select (substr(rowbeat.uuid7_floor_v1(now() - i * interval '1 second')::text, 1, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid,
      'demo.t', case when i % ${SCAN_MAX + 5000} = 0 then 'rare' else 'default' end, 'SUCCESS', 0, 1, 1, 0, now(), now(), now(), now() + interval '1 day'
    from generate_series(1, ${2 * SCAN_MAX + 11_000}) i`
  const found = await readAll(world, 'queue=rare&limit=1')
  t.equal(found.length, 2)
})

t.test('parameters that are wrong, unknown or given twice are refused', async (t) => {
  const { call } = await serve(t)
  const wrong: [string, string][] = [
    ['limit=0', '/limit'],
    ['limit=501', '/limit'],
    ['limit=-1', '/limit'],
    ['limit=1e2', '/limit'],
    ['limit=', '/limit'],
    ['limit=5&limit=6', '/limit'],
    ['cursor=', '/cursor'],
    ['cursor=abc', '/cursor'],
    ['cursor=!!!!!!!!!!!!!!!!!!!!!!', '/cursor'],
    ['state=', '/state'],
    ['state=success', '/state'],
    ['state=SUCCESS,', '/state'],
    ["task='; drop table x", '/task'],
    ['queue=Default', '/queue'],
    ['tag=', '/tag'],
    ['tag=%00', '/tag'],
    ['sort=id', '/sort'],
    ['__proto__=1', '/__proto__'],
    ['toString=1', '/toString'],
  ]
  for (const [query, pointer] of wrong) {
    const answer = await call('GET', `/v1/runs?${query}`)
    t.equal(answer.status, 422, query)
    t.match(answer.json, { code: 'RB_QUERY_INVALID', errors: [{ pointer }] }, query)
  }
  t.equal((await call('GET', `/v1/runs/${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}?x=1`)).status, 422)
  t.equal((await call('POST', '/v1/runs?x=1', { task: 'demo.echo' })).status, 422)
  t.equal((await call('GET', '/v1/runs?state=SUCCESS,SUCCESS,FAILURE')).status, 200)
})
