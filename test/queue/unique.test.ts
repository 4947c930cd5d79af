/** Unique keys, debounce, idempotency keys and the keys of limits, from TypeScript: what the store makes of them is tested by SQL. */
import t from 'tap'
import { createRowbeat, EnqueueError, task, type EnqueueOptions } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const { url, sql } = await setup(t)
const sync = task('u.sync', {}, ({ customer }: { customer: number }) => customer)
const limited = task(
  'u.limited',
  {
    concurrency: { limit: 2, key: ({ customer }: { customer: string }) => `c${customer}` },
    rate: { limit: '1000/s', key: ({ customer }: { customer: any }) => customer.toUpperCase() },
  },
  ({ customer }: { customer: any }) => customer,
)
const rowbeat = createRowbeat({ databaseUrl: url, tasks: { sync, limited } })
t.teardown(() => rowbeat.close())
const ask = (options: EnqueueOptions): ReturnType<typeof rowbeat.enqueue<typeof sync>> =>
  rowbeat.enqueue(sync, { customer: 7 }, options)
const runOf = async (id: string): Promise<any> => (await sql`select * from rowbeat.runs where id = ${id}`)[0]
const payloadOf = async (id: string): Promise<any> =>
  (
    await sql`select payload from rowbeat_queue._private_jobs where key = ${id} union all select payload from rowbeat.parked where id = ${id}`
  )[0]!.payload
const finish = (id: string): Promise<unknown> =>
  sql`with j as (delete from rowbeat_queue._private_jobs where key = ${id}) insert into rowbeat.results
    (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    values (${id}, 'u.sync', 'default', 'SUCCESS', 0, 1, 1, 0, now(), now(), now(), now() + interval '1 day')`

t.test(
  'a key is held while the run is unfinished; with uniqueWhile queued, until a worker takes it',
  async (t) => {
    const first = await ask({ uniqueKey: 'while' })
    t.match(await ask({ uniqueKey: 'while' }), { id: first.id, created: false })
    await sql`update rowbeat_queue._private_jobs set locked_at = now(), locked_by = 'w' where key = ${first.id}`
    t.match(await ask({ uniqueKey: 'while' }), { id: first.id, created: false }, 'taken is not finished')
    t.match(await ask({ uniqueKey: 'while', uniqueWhile: 'queued' }), { created: true })
    await sql`update rowbeat_queue._private_jobs set locked_at = null, locked_by = null`
  },
)

t.test('with uniqueFor a key is held for a period, also when its run has finished', async (t) => {
  const first = await ask({ uniqueKey: 'for', uniqueFor: '1 hour' })
  await finish(first.id)
  t.match(await ask({ uniqueKey: 'for' }), { id: first.id, created: false })
  const brief = await ask({ uniqueKey: 'brief', uniqueFor: '50ms' })
  await finish(brief.id)
  await until('the period is over', async () => (await ask({ uniqueKey: 'brief' })).created)
})

t.test(
  'a debounced run waits, and each further call replaces it, until the first has waited long enough',
  async (t) => {
    const first = await ask({ uniqueKey: 'd', debounce: '10s', debounceMax: '12s' })
    const { state, run_at: firstAt } = await runOf(first.id)
    t.equal(state, 'SCHEDULED')
    const second = await rowbeat.enqueue(
      sync,
      { customer: 8 },
      { uniqueKey: 'd', debounce: '10s', debounceMax: '12s' },
    )
    t.ok(second.created)
    t.match(await runOf(first.id), { state: 'REVOKED', reason: 'replaced' })
    const { run_at: secondAt } = await runOf(second.id)
    t.ok(secondAt > firstAt, 'the wait starts anew')
    const third = await ask({ uniqueKey: 'd', debounce: '1 hour', debounceMax: '12s' })
    const { run_at: thirdAt } = await runOf(third.id)
    const afterMs = thirdAt - firstAt
    t.ok(afterMs > 1900 && afterMs < 2100, `2 s later than the first, not an hour: ${afterMs}`)
  },
)

t.test('an idempotency key answers the first run of its task, finished too, while it holds', async (t) => {
  const first = await ask({ idempotencyKey: 'i' })
  t.match(await ask({ idempotencyKey: 'i' }), { id: first.id, created: false })
  await finish(first.id)
  t.match(await ask({ idempotencyKey: 'i', uniqueKey: 'beside' }), { id: first.id, created: false })
  t.match(await rowbeat.enqueue('u.other', {}, { idempotencyKey: 'i' }), { created: true }, 'of its task')
  await ask({ idempotencyKey: 'j', idempotencyFor: '50ms' })
  await until('idempotencyFor is over', async () => (await ask({ idempotencyKey: 'j' })).created)
  const [one, two] = await rowbeat.enqueueMany([
    { task: sync, input: { customer: 1 }, idempotencyKey: 'm' },
    { task: sync, input: { customer: 1 }, idempotencyKey: 'm' },
  ])
  t.match(two, { id: one.id, created: false }, 'of many in one statement')
})

t.test('ten callers at once with one key get one run', async (t) => {
  for (const options of [{ idempotencyKey: 'many' }, { uniqueKey: 'many' }] satisfies EnqueueOptions[]) {
    const handles = await Promise.all(Array.from({ length: 10 }, () => ask(options)))
    t.equal(new Set(handles.map(({ id }) => id)).size, 1)
    t.equal(handles.filter(({ created }) => created).length, 1)
  }
})

t.test("keys of limits come from the task's functions, or from the call", async (t) => {
  const { id } = await rowbeat.enqueue(limited, { customer: 'ann' })
  t.match(await payloadOf(id), { concurrency_key: 'cann', rate_key: 'ANN' })
  const own = await rowbeat.enqueue(limited, { customer: 'ann' }, { concurrencyKey: 'x', rateKey: 'y' })
  t.match(await payloadOf(own.id), { concurrency_key: 'x', rate_key: 'y' })
  const named = await rowbeat.enqueue('u.limited', { customer: 'bob' })
  t.match(await payloadOf(named.id), { concurrency_key: 'cbob' }, 'by name too, where the task is known')
})

t.test('a key function that throws or answers no text refuses the run, and nothing is written', async (t) => {
  const before = (await sql`select count(*)::int as n from rowbeat.runs`)[0]!.n
  const bad = task('u.bad', { concurrency: { limit: 1, key: ({ key }: { key: any }) => key } }, () => null)
  const cases: [unknown, any, RegExp][] = [
    [
      limited,
      { customer: 5 },
      /rate_key could not be computed: rate\.key of task u\.limited threw: .*toUpperCase/,
    ],
    [bad, {}, /concurrency_key must be text of 1 to 512 characters, and concurrency\.key of task u\.bad/],
    [bad, { key: '' }, /1 to 512/],
    [bad, { key: 'x'.repeat(513) }, /1 to 512/],
    [bad, { key: 7 }, /1 to 512/],
  ]
  for (const [target, input, words] of cases) {
    await t.rejects(rowbeat.enqueue(target as typeof bad, input), {
      constructor: EnqueueError,
      code: 'RB_OPTION_INVALID',
      message: words,
    })
  }
  t.equal((await sql`select count(*)::int as n from rowbeat.runs`)[0]!.n, before)
})

t.test('what means nothing alone, or cannot stand together, is refused with a pointer', async (t) => {
  const cases: [EnqueueOptions, string][] = [
    [{ uniqueWhile: 'queued' }, '/unique_while'],
    [{ uniqueFor: '1h' }, '/unique_for'],
    [{ debounce: '1s' }, '/debounce'],
    [{ uniqueKey: 'k', debounceMax: '1s' }, '/debounce_max'],
    [{ idempotencyFor: '1h' }, '/idempotency_for'],
    [{ uniqueKey: 'k', debounce: '1s', delay: '1s' }, '/delay'],
    [{ uniqueKey: 'k', debounce: '1s', onConflict: 'reject' }, '/on_conflict'],
    [{ idempotencyKey: 'x'.repeat(513) }, '/idempotency_key'],
    [{ uniqueKey: 'k', uniqueWhile: 'always' as 'queued' }, '/unique_while'],
    [{ uniqueKey: 'k', uniqueFor: 'long' as '1h' }, '/unique_for'],
  ]
  for (const [options, pointer] of cases) {
    await t.rejects(
      ask(options),
      { code: 'RB_OPTION_INVALID', faults: [{ pointer }] },
      JSON.stringify(options),
    )
  }
})

t.test('a worker writes the limits of its tasks and queues, and leaves what an operator set', async (t) => {
  const { defineQueue } = await import('../../src/index.ts')
  await sql`insert into rowbeat.queues (name, concurrency) values ('steady', 3)`
  const plain = task('u.plain', { rate: '10/m', concurrency: 4, queue: 'mail' }, () => null)
  const skipping = task('u.skip', { concurrency: { limit: 1, strategy: 'skip' } }, () => null)
  await startWorker(t, url, {
    tasks: [plain, skipping, limited],
    routes: [() => 'nowhere', { 'u.plain': { queue: 'routed', priority: 4 } }],
    queueDefinitions: [
      defineQueue('steady', { concurrency: 9, rate: '5/s', burst: 2 }),
      defineQueue('fresh', { rate: 20 }),
    ],
  })
  t.match(
    await sql`select name, queue, priority, concurrency, concurrency_strategy, rate, rate_burst from rowbeat.tasks where name like 'u.%' order by name`,
    [
      { name: 'u.limited', queue: null, concurrency: 2, concurrency_strategy: 'wait', rate: '1000/s' },
      { name: 'u.plain', queue: 'routed', priority: 4, concurrency: 4, rate: '10/m', rate_burst: null },
      { name: 'u.skip', concurrency: 1, concurrency_strategy: 'skip', rate: null },
    ],
    'with the queue that the patterns of routes give it',
  )
  t.match(
    await sql`select name, concurrency, rate, rate_burst from rowbeat.queues where name in ('steady', 'fresh') order by name`,
    [
      { name: 'fresh', concurrency: null, rate: '20', rate_burst: null },
      { name: 'steady', concurrency: 3, rate: '5/s', rate_burst: 2 },
    ],
  )
})
