/** rowbeat.enqueue and rowbeat.enqueue_many as any language calls them: what they take, from where the rest comes, what they answer. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'

const { sql, admin } = await setup(t)
const enqueue = async (parameters: string): Promise<string> =>
  (await sql.unsafe(`select rowbeat.enqueue(${parameters})::text as id`))[0]!.id
const run = async (id: string): Promise<Record<string, unknown>> =>
  (await sql`select rowbeat.run_json_v1(r) as run from rowbeat.run(${id}) r`)[0]!.run
const many = (runs: unknown): Promise<{ ordinal: number; id: string; created: boolean }[]> =>
  sql`select * from rowbeat.enqueue_many(${JSON.stringify(runs)}::text::jsonb)` as never

t.test('a task name is enough; the rest is the defaults', async (t) => {
  const at = new Date()
  const id = await enqueue(`'orders.send'`)
  const made = await run(id)
  t.match(made, {
    id,
    task: 'orders.send',
    queue: 'default',
    state: 'PENDING',
    reason: null,
    priority: 0,
    input: {},
    attempt: 0,
    attempts_max: 1,
    redeliveries: 0,
    tags: [],
    headers: {},
    unique_key: null,
  })
  t.ok(Math.abs(Date.parse(String(made.created_at)) - at.getTime()) < 10_000)
  t.equal(made.run_at, made.created_at)
})

t.test('every parameter and option arrives', async (t) => {
  const parent = await enqueue(`'parent'`)
  const id =
    await enqueue(`'orders.send', '{"orderId": 1}', queue => 'high', priority => -7, delay => '1 hour', expires => '2999-01-01T00:00:00Z',
    id => '0192A0F0-0000-7000-8000-000000000001', unique_key => 'order 1', tags => array['a', 'b'], headers => '{"trace": null, "n": [1]}',
    options => '{"on_conflict": "reject", "attempts_max": 4, "retry": {"backoff": "linear", "base": "2s", "jitter": false}, "time_limit": "1 minute",
      "soft_time_limit": 50, "concurrency_key": "c", "rate_key": "r", "ignore_result": true, "parent": "${parent}", "retention": "1 day"}'`)
  t.match(await run(id), {
    id: '0192a0f0-0000-7000-8000-000000000001',
    task: 'orders.send',
    queue: 'high',
    state: 'SCHEDULED',
    reason: 'eta',
    priority: -7,
    input: { orderId: 1 },
    attempts_max: 4,
    time_limit: 60,
    soft_time_limit: 50,
    expires_at: '2999-01-01T00:00:00.000Z',
    unique_key: 'order 1',
    tags: ['a', 'b'],
    headers: { trace: null, n: [1] },
    parent,
  })
  const [{ payload }] = (await sql`select payload from rowbeat.parked where id = ${id}`) as never as [
    { payload: object },
  ]
  t.match(payload, {
    retry: { backoff: 'linear', base: '2s', jitter: false },
    concurrency_key: 'c',
    rate_key: 'r',
    ignore_result: true,
    retention: 86_400,
  })
  t.notOk('on_conflict' in payload || 'delay' in payload || 'id' in payload, 'nothing is stored twice')
})

t.test('what the caller left out comes from the registered task', async (t) => {
  await sql`insert into rowbeat.tasks (name, queue, priority, attempts_max, time_limit, soft_time_limit)
    values ('known', 'slow', 9, 5, 30, 20)`
  t.match(await run(await enqueue(`'known'`)), {
    queue: 'slow',
    priority: 9,
    attempts_max: 5,
    time_limit: 30,
    soft_time_limit: 20,
  })
  t.match(
    await run(
      await enqueue(
        `'known', queue => 'high', priority => 0, options => '{"attempts_max": 1, "time_limit": 60}'`,
      ),
    ),
    {
      queue: 'high',
      priority: 0,
      attempts_max: 1,
      time_limit: 60,
      soft_time_limit: 20,
    },
  )
  const [first] = await many([
    { task: 'known', attempts_max: null, time_limit: null, queue: null, priority: null },
  ])
  t.match(
    await run(first!.id),
    { queue: 'slow', priority: 9, attempts_max: 5, time_limit: 30 },
    'null is left out',
  )
})

t.test('many: one answer for each, in order, in one transaction', async (t) => {
  const before = await sql`select count(*)::int as n from rowbeat.runs`
  const made = await many([
    { task: 'm.hot', input: { n: 0 } },
    { task: 'm.cold', input: { n: 1 }, delay: '1h' },
    { task: 'm.hot', input: { n: 2 }, queue: 'high' },
    { task: 'm.own', input: { n: 3 }, id: '0192a0f0-0000-7000-8000-0000000000b0' },
    { task: 'm.keyed', input: { n: 4 }, unique_key: 'k' },
    { task: 'm.keyed', input: { n: 5 }, unique_key: 'k' },
    { task: 'm.own', input: { n: 6 }, id: '0192A0F0-0000-7000-8000-0000000000B0' },
    { task: 'm.hot', input: { n: 7 } },
  ])
  t.strictSame(
    made.map((row) => row.ordinal),
    [1, 2, 3, 4, 5, 6, 7, 8],
  )
  t.strictSame(
    made.map((row) => row.created),
    [true, true, true, true, true, false, false, true],
  )
  t.equal(made[5]!.id, made[4]!.id, 'the second of one unique key is the first')
  t.equal(made[6]!.id, '0192a0f0-0000-7000-8000-0000000000b0')
  for (const [n, row] of made.entries()) if (row.created) t.match(await run(row.id), { input: { n } })
  t.match(await sql`select count(*)::int as n from rowbeat.runs`, [{ n: before[0]!.n + 6 }])
})

t.test('many: all or nothing, five thousand at once', async (t) => {
  const runs = Array.from({ length: 5000 }, (_, n) => ({
    task: `bulk.${n % 7}`,
    input: { n },
    queue: n % 3 ? 'bulk' : 'bulk2',
  }))
  const broken = many([...runs, { task: 'bulk.0', queue: 'No' }])
  await t.rejects(broken, { code: '22023', detail: '5000' })
  t.match(await sql`select count(*)::int as n from rowbeat.runs where task like 'bulk.%'`, [{ n: 0 }])
  const made = await many(runs)
  t.equal(new Set(made.map((row) => row.id)).size, 5000)
  t.strictSame(
    made.map((row) => row.id),
    made.map((row) => row.id).toSorted(),
    'ids are in the order of the input',
  )
  const stored =
    await sql`select id::text as id, (input->>'n')::int as n, queue from rowbeat.runs where task like 'bulk.%' order by id`
  t.ok(stored.every((row, n) => row.n === n && row.queue === runs[n]!.queue))
})

t.test(
  'numbers and texts in SQL stay what they are, also where JavaScript could not hold them',
  async (t) => {
    const id = await enqueue(
      `'exact', '{"n": 9007199254740993, "d": 0.1000000000000000055511151231257827, "same": 1, "same": 2}'`,
    )
    t.match(
      await sql`select input->>'n' as n, input->>'d' as d, input->>'same' as same from rowbeat.run(${id})`,
      [{ n: '9007199254740993', d: '0.1000000000000000055511151231257827', same: '2' }],
    )
  },
)

t.test(
  'enqueue is part of the transaction: unseen before commit, gone after rollback, also by savepoint',
  async (t) => {
    const there = async (task: string): Promise<number> =>
      (await admin`select count(*)::int as n from rowbeat.runs where task = ${task}`)[0]!.n
    await sql.begin(async (tx) => {
      await tx`select rowbeat.enqueue('tx.kept')`
      await tx
        .savepoint(async (inner) => {
          await inner`select rowbeat.enqueue('tx.inner')`
          throw new Error('no')
        })
        .catch(() => {})
      t.equal(await there('tx.kept'), 0)
    })
    t.equal(await there('tx.kept'), 1)
    t.equal(await there('tx.inner'), 0)
    await sql
      .begin(async (tx) => {
        await tx`select * from rowbeat.enqueue_many('[{"task": "tx.gone"}, {"task": "tx.gone", "delay": 60}]')`
        throw new Error('no')
      })
      .catch(() => {})
    t.equal(await there('tx.gone'), 0)
  },
)

t.test('enqueue works in every isolation level, and from a trigger', async (t) => {
  for (const level of ['read committed', 'repeatable read', 'serializable']) {
    await sql.begin(`isolation level ${level}`, async (tx) => {
      await tx`select rowbeat.enqueue(${`level.${level.replace(' ', '_')}`}, unique_key => 'k')`
      await tx`select rowbeat.enqueue('level.again')`
    })
  }
  t.match(await sql`select count(*)::int as n from rowbeat.runs where task like 'level.%'`, [{ n: 6 }])
  await sql.unsafe(`create table orders (id int);
    create function on_order() returns trigger language plpgsql as $$ begin perform rowbeat.enqueue('orders.placed', to_jsonb(new)); return new; end $$;
    create trigger t after insert on orders for each row execute function on_order()`)
  await sql`insert into orders select n from generate_series(1, 3) n`
  t.match(await sql`select input from rowbeat.runs where task = 'orders.placed' order by id`, [
    { input: { id: 1 } },
    { input: { id: 2 } },
    { input: { id: 3 } },
  ])
})
