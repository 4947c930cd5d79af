/** Operations: every kind on runs in every place, what a filter matches, and what faults, throttles and stops do to a step. */
import t from 'tap'
import { createRowbeat, task } from '../../src/index.ts'
import type {
  OperationDocument,
  OperationFilter,
  OperationKind,
  OperationOptions,
} from '../../src/queue/operation.ts'
import { workOperation } from '../../src/db/statements/operations.ts'
import { workOperations } from '../../src/dispatcher/operations.ts'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const a = task('test.a', {}, () => 1)
const b = task('test.b', {}, () => 2)
const tasks = [a, b, scripted]

/** One database for those that need no worker, emptied for each. */
const bundle = await setup(t)
const { sql, db } = bundle
const rowbeat = createRowbeat({ db: sql, tasks })

async function empty(): Promise<void> {
  await sql`truncate rowbeat.parked, rowbeat.results, rowbeat.operations, rowbeat_queue._private_jobs`
  await sql`update rowbeat.queues set overflow = null, hot_limit = 5000`
}

/** Begins and works off, as a dispatcher does. */
async function operate(
  kind: OperationKind,
  filter: OperationFilter,
  options?: OperationOptions,
): Promise<OperationDocument> {
  const operation = await rowbeat.operate(kind, filter, options)
  const ended = async (): Promise<OperationDocument | false> => {
    while (await workOperations(db));
    const document = await operation.get()
    return document.state !== 'running' && document
  }
  return await until('it has ended', ended)
}

const counts = async (): Promise<Record<string, number>> =>
  Object.fromEntries(
    (
      await sql`select concat_ws(' ', queue, state, reason) as place, count(*)::int as n from rowbeat.runs group by 1`
    ).map(({ place, n }) => [place, n]),
  )

t.test('each kind does its verb to all that match, wherever they are, and says how many', async (t) => {
  await empty()
  const many = (n: number, options: object = {}) =>
    rowbeat.enqueueMany(Array.from({ length: n }, (_, i) => ({ task: a, input: { i } as never, ...options })))
  await many(800, { tags: ['x'], priority: 3 })
  await many(400, { delay: '1 hour', tags: ['x', 'y'] })
  await sql`update rowbeat.queues set hot_limit = 300 where name = 'default'`
  await sql`select rowbeat.mark_overflow_v1('default', 1000, 3)`
  await many(700, { tags: ['x'], priority: 3 })
  t.strictSame(await counts(), {
    'default PENDING': 800,
    'default PENDING overflow': 700,
    'default SCHEDULED eta': 400,
  })

  const moved = await operate('move', { queue: 'default', tag: 'x', state: 'PENDING' }, { to: 'elsewhere' })
  t.match(moved, { state: 'done', total: 1500, done: 1500, skipped: 0, failed: 0, percent: 100, error: null })
  t.strictSame(await counts(), { 'elsewhere SCHEDULED eta': 1500, 'default SCHEDULED eta': 400 })
  const late =
    await sql`select id, priority from rowbeat.parked where queue = 'elsewhere' and release_at = created_at and priority = 3`
  t.equal(late.length, 1500, 'with their priority, due since they were made')

  t.match(await operate('reschedule', { tag: ['x', 'y'] }, { delay: '2 hours' }), { done: 400 })
  t.match(
    await sql`select count(*)::int as n from rowbeat.parked where release_at > now() + interval '119 minutes'`,
    [{ n: 400 }],
  )
  t.match(await operate('purge', { queue: 'elsewhere' }), { done: 1500 })
  t.match(await operate('revoke', { task: 'test.a' }, { reason: 'no need' }), { done: 400, total: 400 })
  t.strictSame(await counts(), { 'elsewhere REVOKED revoked': 1500, 'default REVOKED revoked': 400 })
  t.match(
    await sql`select error->>'message' as why, count(*)::int as n from rowbeat.results group by 1 order by 2`,
    [
      { why: 'no need', n: 400 },
      { why: 'purged', n: 1500 },
    ],
  )
  t.match(
    await operate('retry', {
      queue: 'default',
      state: 'REVOKED',
      createdBefore: new Date(Date.now() + 60_000),
    }),
    {
      done: 400,
      total: 400,
    },
  )
  t.match(
    await sql`select count(*)::int as n, count(distinct retry_of)::int as of from rowbeat.runs where retry_of is not null`,
    [{ n: 400, of: 400 }],
  )
  t.match(await operate('delete', { all: true }), { done: 1900, total: 1900 })
  t.equal((await sql`select from rowbeat.results`).length, 0)
})

t.test('a filter matches by all it says', async (t) => {
  await empty()
  const ids: Record<string, string> = {}
  const make = async (name: string, task: typeof a | typeof b, options: object = {}): Promise<void> =>
    void (ids[name] = (await rowbeat.enqueue(task, undefined as never, options)).id)
  await make('a', a, { tags: ['one', 'two, three'] })
  await make('b', b, { tags: ['one'] })
  await make('high', a, { queue: 'high' })
  await make('later', a, { delay: 60 })
  await make('later b', b, { delay: 60, queue: 'high', tags: ['one'] })
  const [{ id }] =
    (await sql`select id from rowbeat.enqueue_many('[{"task": "test.a", "schedule": "nightly"}]')`) as unknown as [
      { id: string },
    ]
  ids.nightly = id
  await make('done', a)
  await rowbeat.revoke(ids.done!)
  const cases: [OperationFilter, string[]][] = [
    [{ task: 'test.b' }, ['b', 'later b']],
    [{ queue: 'high' }, ['high', 'later b']],
    [{ queue: 'high', task: 'test.a' }, ['high']],
    [{ tag: 'one' }, ['a', 'b', 'later b']],
    [{ tag: ['one', 'two, three'] }, ['a']],
    [{ tag: 'two' }, []],
    [{ state: 'SCHEDULED' }, ['later', 'later b']],
    [{ state: ['PENDING', 'RETRY'], queue: 'default' }, ['a', 'b', 'nightly']],
    [{ reason: 'eta' }, ['later', 'later b']],
    [{ reason: ['overflow', 'paused'] }, []],
    [{ schedule: 'nightly' }, ['nightly']],
    [{ ids: [ids.a!, ids.later!, ids.done!, '0192a0f0-0000-7000-8000-0000000000ff'] }, ['a', 'later']],
    [{ createdBefore: '2020-01-01T00:00:00Z' }, []],
    [{ createdAfter: '2020-01-01T00:00:00Z', task: 'test.b' }, ['b', 'later b']],
    [{ state: 'STARTED' }, []],
    [{ all: true }, ['a', 'b', 'high', 'later', 'later b', 'nightly']],
  ]
  for (const [filter, names] of cases) {
    const undo = new Error('undone')
    await sql
      .begin(async (tx) => {
        const { id } = await rowbeat.in(tx).operate('revoke', filter)
        await tx`select rowbeat.work_operation_v1()`
        const gone = (await tx`select id from rowbeat.results where id <> ${ids.done!}`)
          .map((row) => row.id)
          .sort()
        t.strictSame(gone, names.map((name) => ids[name]!).sort(), JSON.stringify(filter))
        t.match(await tx`select state, total::int, done::int from rowbeat.operations where id = ${id}`, [
          { state: 'done', total: names.length, done: names.length },
        ])
        throw undo
      })
      .catch((error: unknown) => {
        if (error !== undo) throw error
      })
  }
  t.match(await operate('retry', { task: 'test.a' }), { done: 0 }, 'only what failed, unless it says')
  t.match(await operate('retry', { ids: [ids.done!, ids.later!, ids.a!] }), { done: 2 })
  t.equal(
    (await sql`select from rowbeat.parked where id = ${ids.later!} and release_at <= clock_timestamp()`)
      .length,
    1,
  )
})

t.test('what is not understood is refused with the field, and nothing is begun', async (t) => {
  await empty()
  const cases: [kind: string, filter: object, options: object, pointer: string][] = [
    ['stop', { all: true }, {}, '/kind'],
    ['revoke', {}, {}, '/filter'],
    ['revoke', { tsk: 'a' }, {}, '/filter'],
    ['revoke', { all: false }, {}, '/filter'],
    ['revoke', { task: 5 }, {}, '/filter'],
    ['revoke', { task: 'no name' }, {}, '/filter'],
    ['revoke', { state: 'DONE' }, {}, '/filter'],
    ['revoke', { state: [] }, {}, '/filter'],
    ['revoke', { state: 'SUCCESS' }, {}, '/filter'],
    ['revoke', { ids: ['x'] }, {}, '/filter'],
    ['revoke', { createdBefore: 'yesterday' }, {}, '/filter'],
    ['revoke', { all: true }, { input: 1 }, '/input'],
    ['revoke', { all: true }, { throttle: 0 }, '/throttle'],
    ['revoke', { all: true }, { terminate: 'yes' }, '/terminate'],
    ['retry', { state: 'FAILURE' }, { input: {} }, '/input'],
    ['retry', { state: 'STARTED' }, {}, '/filter'],
    ['delete', { state: 'PENDING' }, {}, '/filter'],
    ['reschedule', { all: true }, {}, '/eta'],
    ['reschedule', { all: true }, { eta: '2030-01-01T00:00:00Z', delay: 1 }, '/eta'],
    ['reschedule', { all: true }, { delay: 'long' }, '/delay'],
    ['purge', { task: 'a' }, {}, '/filter'],
    ['move', { queue: 'a' }, {}, '/to'],
    ['move', { queue: 'a' }, { to: 'a' }, '/to'],
  ]
  for (const [kind, filter, options, pointer] of cases)
    await t.rejects(
      rowbeat.operate(kind as never, filter as never, options as never),
      { name: 'OperationError', code: 'RB_OPERATION_INVALID', faults: [{ pointer }] },
      JSON.stringify([kind, filter, options]),
    )
  await t.rejects(sql`select rowbeat.start_operation('revoke', '{"tag": "\\u0000"}')`, { code: '22P05' })
  await t.rejects(sql`select rowbeat.start_operation('revoke', null)`, { code: '22023' })
  t.equal((await sql`select from rowbeat.operations`).length, 0)
  await t.rejects(rowbeat.operation('0192a0f0-0000-7000-8000-0000000000ff').get(), {
    code: 'RB_OPERATION_NOT_FOUND',
  })
  await t.rejects(rowbeat.operation('nonsense').stop(), { code: 'RB_OPERATION_NOT_FOUND' })
  await t.rejects(sql`select rowbeat.stop_operation(gen_random_uuid())`, { code: 'P0002' })
})

t.test('only what was there when it began: a retry of failures never retries its own', async (t) => {
  await empty()
  await startWorker(t, bundle.url, { tasks, queues: { default: 4 }, prefetch: 4 })
  await rowbeat.enqueueMany(
    Array.from({ length: 50 }, () => ({ task: scripted, input: { fate: 'fail' as const } })),
  )
  const failures = async (): Promise<number> =>
    (await sql`select from rowbeat.results where state = 'FAILURE'`).length
  await until('all failed', async () => (await failures()) === 50)
  const operation = await rowbeat.operate(
    'retry',
    { task: scripted.name, state: 'FAILURE' },
    { throttle: 100 },
  )
  const done = await operation.finished({ timeout: '10s' })
  t.match(done, { state: 'done', done: 50 })
  await until('they failed again', async () => (await failures()) === 100)
  t.match(
    await sql`select count(*)::int as n from rowbeat.results where retry_of in (select id from rowbeat.results where retry_of is not null)`,
    [{ n: 0 }],
  )
})

t.test('those that run are told, those that a worker holds do not start', async (t) => {
  await empty()
  await startWorker(t, bundle.url, { tasks, queues: { default: 4 }, prefetch: 4 })
  const runs = await rowbeat.enqueueMany(
    Array.from({ length: 60 }, (_, i) => ({
      task: scripted,
      input: { fate: 'hang' as const, obedient: i % 2 === 0 },
      tags: ['t'],
    })),
  )
  await until(
    'four run',
    async () => (await sql`select from rowbeat.runs where state = 'STARTED'`).length === 4,
  )
  const operation = await rowbeat.operate('revoke', { tag: 't' }, { terminate: true, reason: 'enough' })
  t.match(await operation.finished({ timeout: '5s' }), { done: 60, skipped: 0 })
  for (const run of runs)
    await t.rejects(run.result({ timeout: '5s' }), { name: 'RunRevoked', message: /enough/ })
  await until('no revocation stands', async () => (await sql`select from rowbeat.revocations`).length === 0)
})

t.test('a throttle holds, and a stop ends it between two steps', async (t) => {
  await empty()
  await rowbeat.enqueueMany(Array.from({ length: 300 }, () => ({ task: a, input: undefined as never })))
  const operation = await rowbeat.operate('revoke', { task: 'test.a' }, { throttle: 80 })
  const begun = performance.now()
  const done = async (): Promise<number> => (await operation.get()).done
  await until('100 are done', async () => (await workOperation(db), (await done()) >= 100), { every: 10 })
  const seconds = (performance.now() - begun) / 1000
  t.ok(seconds > 0.9 && seconds < 2, `100 of 80 a second in ${seconds} s`)
  t.match(await operation.get(), {
    state: 'running',
    total: 300,
    percent: Number,
  })
  t.equal(await operation.stop(), 'stopped')
  const stopped = await done()
  while (await workOperation(db));
  t.match(await operation.get(), { state: 'stopped', done: stopped, finished_at: String })
  t.equal((await sql`select from rowbeat.results`).length, stopped)
  t.equal(await operation.stop(), 'stopped')
})

t.test('one run that cannot be done is found, counted and named; the others are done', async (t) => {
  await empty()
  const runs = await rowbeat.enqueueMany(
    Array.from({ length: 700 }, () => ({ task: a, input: undefined as never })),
  )
  await operate('revoke', { task: 'test.a' })
  await sql`update rowbeat.results set input = null where id = ${runs[5]!.id}`
  await sql`update rowbeat.results set priority = 5, time_limit = -1 where id = ${runs[123]!.id}`
  const retried = await operate('retry', { task: 'test.a', state: 'REVOKED' })
  t.match(retried, { state: 'done', done: 698, skipped: 1, failed: 1, error: /time_limit/ })
  t.equal((await sql`select from rowbeat.runs where retry_of is not null`).length, 698)
})

t.test('a run that an open transaction holds is not waited for', async (t) => {
  await empty()
  const runs = await rowbeat.enqueueMany(
    Array.from({ length: 40 }, () => ({ task: a, input: undefined as never, delay: 60 })),
  )
  const undo = new Error('undone')
  await t.rejects(
    sql.begin(async (tx) => {
      await rowbeat.in(tx).revoke(runs[20]!)
      const done = await operate('revoke', { task: 'test.a' })
      t.match(done, { state: 'done', done: 39, failed: 1, error: /another transaction/ })
      throw undo
    }),
    undo,
  )
  t.equal(await runs[20]!.state(), 'SCHEDULED')
})

t.test(
  'two workers on one operation take turns, and a step that was cut off is as if it had not been',
  async (t) => {
    await empty()
    await rowbeat.enqueueMany(Array.from({ length: 1200 }, () => ({ task: a, input: undefined as never })))
    const operation = await rowbeat.operate('revoke', { task: 'test.a' })
    const cut = new Error('cut off')
    await sql
      .begin(async (tx) => {
        await tx`select rowbeat.work_operation_v1()`
        t.equal(await workOperation(db), false, 'another finds it taken')
        t.equal((await sql`select from rowbeat.results`).length, 0)
        throw cut
      })
      .catch(() => {})
    t.match(await operation.get(), { done: 0, started_at: null })
    await Promise.all(
      Array.from({ length: 3 }, () =>
        until('done', async () => (await workOperation(db), (await operation.get()).state === 'done'), {
          every: 1,
        }),
      ),
    )
    t.match(await operation.get(), { done: 1200, total: 1200, skipped: 0 })
    t.equal((await sql`select from rowbeat.results`).length, 1200)
  },
)

t.test(
  '12,000 waiting runs are read in windows, and what does not match costs no step its end',
  async (t) => {
    await empty()
    await sql`select count(*) from rowbeat.enqueue_same_v1('{"task": "test.a", "delay": 3600}', (select jsonb_agg(i) from generate_series(1, 12000) i))`
    const last = await rowbeat.enqueue(a, undefined as never, { delay: 60, tags: ['rare'] })
    t.match(await operate('revoke', { tag: 'rare' }), { state: 'done', done: 1, total: 1 })
    t.equal(await last.state(), 'REVOKED')
    t.equal((await sql`select from rowbeat.parked`).length, 12_000)
  },
)
