/** The enqueue that tells: the document that comes back with a new run is the one that any later look gives. */
import t from 'tap'
import { enqueueRunsTold, readRun } from '../../src/db/statements/runs.ts'
import { sendBodiesTold } from '../../src/queue/telling.ts'
import { parseRun } from '../../src/results/run.ts'
import { setup } from '../helpers/bundle.ts'

const { sql, db } = await setup(t)
await sql`insert into rowbeat.tasks (name, queue, priority, attempts_max, time_limit, soft_time_limit, code)
  values ('told.known', 'high', 3, 4, 60, 30, '{"time_limit": 60, "soft_time_limit": 30}')`
await sql`insert into rowbeat.queues (name, paused_at) values ('paused', now())`
await sql`insert into rowbeat.queues (name, concurrency) values ('narrow', 1)`

const read = async (id: string) => parseRun((await readRun(db, id))!)

t.test('a new run is told as it is read later, whatever it was asked for', async (t) => {
  const bodies = [
    { task: 'told.plain', input: { n: 1, deep: [{ text: 'Ж "quoted" \\' }] } },
    { task: 'told.known' },
    { task: 'told.known', priority: -5, queue: 'default', time_limit: 10, soft_time_limit: 5 },
    {
      task: 'told.plain',
      delay: '2 hours',
      expires: '3 hours',
      tags: ['a', 'b'],
      headers: { traceparent: 'x' },
    },
    { task: 'told.plain', eta: '2031-01-01T00:00:00.123Z', unique_key: 'once', attempts_max: 9 },
    { task: 'told.plain', queue: 'paused', parent: '0192a0f0-0000-7000-8000-0000000000ff' },
    { task: 'told.plain', queue: 'narrow', concurrency_key: 'k' },
    { task: 'told.plain', id: '0192a0f0-0000-7000-8000-0000000000aa', retry: { backoff: 'linear', base: 2 } },
    { task: 'told.plain', idempotency_key: 'again', ignore_result: true, retention: '1 day' },
  ]
  const told = await enqueueRunsTold(db, JSON.stringify(bodies))
  t.equal(told.length, bodies.length)
  for (const [n, { id, run, created }] of told.entries()) {
    t.equal(created, true)
    const document = parseRun(run!)
    t.strictSame(document, await read(id), JSON.stringify(bodies[n]))
    t.equal(document.task, bodies[n]!.task, 'in the order they were asked for')
  }
})

t.test('many that differ in their input only are told each with its own', async (t) => {
  for (const fields of [
    { task: 'told.plain' },
    { task: 'told.plain', delay: 60 },
    { task: 'told.known' },
    { task: 'told.known', tags: ['a'], headers: { b: 1 }, expires: '1h', time_limit: 5, soft_time_limit: 2 },
    { task: 'told.plain', queue: 'paused' },
    { task: 'told.plain', queue: 'narrow' },
  ]) {
    const bodies = [0, 1, 2].map((n) => ({ fields, input: JSON.stringify({ n }) }))
    const told = await sendBodiesTold(db, [...bodies, { fields, input: undefined }])
    for (const [n, { id, run }] of told.entries()) {
      t.strictSame(run, await read(id), 'to the millisecond')
      t.strictSame(run!.input, n < 3 ? { n } : {})
    }
    t.equal(told.length, 4)
  }
})

t.test('a run that stood already is not told: it may be anywhere by now', async (t) => {
  const told = await enqueueRunsTold(
    db,
    JSON.stringify([
      { task: 'told.plain', unique_key: 'once' },
      { task: 'told.plain', idempotency_key: 'again' },
      { task: 'told.plain', idempotency_key: 'anew' },
    ]),
  )
  t.match(told, [
    { created: false, run: null },
    { created: false, run: null },
    { created: true, run: String },
  ])
})

t.test('nobody may call it but those who are granted it', async (t) => {
  const [row] =
    await sql`select count(*)::int as n from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where p.pronamespace = 'rowbeat'::regnamespace and p.proname in ('fresh_run_v1', 'fresh_runs_v1', 'enqueue_many_told_v1', 'place_same_v1', 'enqueue_same_told_v1') and a.grantee = 0`
  t.equal(row!['n'], 0)
})
