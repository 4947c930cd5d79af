/** drain and expectEnqueued against the real database, with a rowbeat and inside a transaction of the test. */
import { AssertionError } from 'node:assert'
import t from 'tap'
import { createRowbeat, createWorker, Retry, Snooze, task } from '../../src/index.ts'
import { drain, expectEnqueued } from '../../src/testing/testing.ts'
import { setup } from '../helpers/bundle.ts'

const { url, sql } = await setup(t)
const done: string[] = []
const step = task('d.step', {}, ({ name }: { name: string }) => void done.push(name))
const mail = task('d.mail', { queue: 'high' }, ({ to }: { to: string }, { progress, log }) => {
  progress(1, 2)
  log.info('sent')
  return to
})
const order = task('d.order', {}, async ({ id }: { id: number }) => {
  await rowbeat.enqueue(mail, { to: `user${id}` }, { tags: ['shop'] })
  return id
})
const fate = task(
  'd.fate',
  { attemptsMax: 3, retry: { base: '1 hour' } },
  ({ fate: which }: { fate: string }, { run }) => {
    if (which === 'fail') throw new Error('always')
    if (which === 'retry' && run.attempt < 3) throw new Retry({ in: '1 day' })
    if (which === 'snooze' && !done.includes('snoozed')) {
      done.push('snoozed')
      throw new Snooze('1 day')
    }
    return run.attempt
  },
)
const exact = task('d.exact', { transactional: true }, async ({ x }: { x: number }, { tx }) => {
  await tx.unsafe('insert into effects values ($1)', [x])
  if (x < 0) throw new Error('no')
  return x
})
const again = task('d.again', {}, async () => void (await rowbeat.enqueue('d.again')))
const limited = task('d.limited', { concurrency: 1 }, () => 'one by one')
const tasks = { step, mail, order, fate, exact, again, limited }
const rowbeat = createRowbeat({ databaseUrl: url, tasks })
t.teardown(() => rowbeat.close())
await sql`create table effects (x int)`

t.test('drain runs what waits and what that enqueues, in the order of priority and age', async (t) => {
  await rowbeat.enqueueMany([
    { task: step, input: { name: 'second' } },
    { task: step, input: { name: 'third' } },
    { task: step, input: { name: 'first' }, priority: -1 },
  ])
  const handle = await rowbeat.enqueue(order, { id: 7 })
  t.match(await drain(rowbeat), { tries: 5, SUCCESS: 5, FAILURE: 0, waiting: {} })
  t.same(done, ['first', 'second', 'third'])
  t.equal(await handle.result(), 7)
  const [sent] = await expectEnqueued(rowbeat, mail, { input: { to: 'user7' }, parent: handle.id })
  t.match(sent, {
    state: 'SUCCESS',
    result: 'user7',
    queue: 'high',
    worker: 'drain',
    progress: { current: 1, total: 2 },
  })
  t.equal((await sql`select from rowbeat.logs where run_id = ${sent!.id}`).length, 1)
  t.match(await drain(rowbeat), { tries: 0 })
})

t.test('tries and snoozes follow at once, an eta only when asked', async (t) => {
  const handles = await rowbeat.enqueueMany([
    { task: fate, input: { fate: 'fail' } },
    { task: fate, input: { fate: 'retry' } },
    { task: fate, input: { fate: 'snooze' } },
    { task: fate, input: { fate: 'ok' }, delay: '1 day' },
  ])
  t.same(await drain({ databaseUrl: url, tasks }), {
    tries: 8,
    SUCCESS: 2,
    FAILURE: 1,
    REVOKED: 0,
    waiting: { eta: 1 },
  })
  t.match(await handles[0].get(), { state: 'FAILURE', reason: 'attempts_exhausted', attempt: 3 })
  t.equal(await handles[1].result(), 3)
  t.equal(await handles[2].result(), 1)
  t.match(await drain(rowbeat, { scheduled: true }), { tries: 1, SUCCESS: 1, waiting: {} })
})

t.test('only the queues that are named; what is paused stays', async (t) => {
  await rowbeat.enqueue(mail, { to: 'a' })
  const held = await rowbeat.enqueue(step, { name: 'later' })
  t.match(await drain(rowbeat, { queues: ['high'] }), { tries: 1, waiting: { queued: 1 } })
  await sql`select rowbeat.pause_queue('high')`
  await rowbeat.enqueue(mail, { to: 'b' })
  t.match(await drain(rowbeat), { tries: 1, waiting: { paused: 1 } })
  t.equal(await held.state(), 'SUCCESS')
  await sql`select rowbeat.resume_queue('high')`
  t.match(await drain(rowbeat), { tries: 1, waiting: {} })
})

t.test('a limit that lets one through at a time lets all through in the end', async (t) => {
  const worker = createWorker({ databaseUrl: url, tasks })
  await worker.start()
  await worker.stop({ grace: 0 })
  await rowbeat.enqueueMany([{ task: limited }, { task: limited }, { task: limited }])
  t.match(await drain(rowbeat, { concurrency: 3 }), { tries: 3, SUCCESS: 3, waiting: {} })
})

t.test('inside a transaction that is rolled back, transactional tasks included', async (t) => {
  await sql
    .begin(async (tx) => {
      await rowbeat.in(tx).enqueue(exact, { x: 1 })
      await rowbeat.in(tx).enqueue(exact, { x: -1 })
      await rowbeat.in(tx).enqueue(fate, { fate: 'retry' })
      await expectEnqueued(tx, exact, { count: 2 })
      await expectEnqueued(rowbeat, exact, { count: 0 })
      t.match(await drain({ db: tx, tasks }), { tries: 5, SUCCESS: 2, FAILURE: 1 })
      t.same([...(await tx`select x from effects`)], [{ x: 1 }])
      throw new Error('undo')
    })
    .catch((error: Error) => t.equal(error.message, 'undo'))
  t.equal((await sql`select from rowbeat.runs where task = 'd.exact'`).length, 0)
  t.equal((await sql`select from effects`).length, 0)
})

t.test('what does not end is told by name after the timeout', async (t) => {
  await rowbeat.enqueue(again)
  await t.rejects(drain(rowbeat, { timeout: '300ms' }), { code: 'RB_RESULT_TIMEOUT', message: /d\.again/ })
  await sql`delete from rowbeat_queue._private_jobs`
  await t.rejects(drain(createRowbeat({ db: sql })), {
    code: 'RB_CONFIG_INVALID',
    message: /its tasks/,
  } as any)
})

t.test('expectEnqueued answers what it found, and lists what there is when it finds nothing', async (t) => {
  const at = new Date(Date.UTC(2026))
  await rowbeat.enqueue(
    'x.report',
    { user: { id: 1, name: 'Ann' }, pages: [1, 2], at },
    {
      queue: 'slow',
      priority: 3,
      tags: ['a', 'b'],
      headers: { trace: 't' },
      uniqueKey: 'k',
      delay: '1 hour',
    },
  )
  for (const like of [
    {},
    { input: { user: { id: 1 } } },
    { input: { pages: [1, 2], at } },
    { input: (input: any) => input.user.name.startsWith('A') },
    {
      queue: 'slow',
      priority: 3,
      tag: 'b',
      state: 'SCHEDULED',
      headers: { trace: 't' },
      uniqueKey: 'k',
      count: 1,
    },
    { state: ['PENDING', 'SCHEDULED'], parent: null },
  ] as const) {
    t.equal((await expectEnqueued(rowbeat, 'x.report', like)).length, 1, JSON.stringify(like))
  }
  for (const like of [
    { input: { user: { id: 2 } } },
    { input: { pages: [1] } },
    { input: { user: { age: undefined, born: 1 } } },
    { queue: 'high' },
    { priority: 0 },
    { tag: 'c' },
    { state: 'PENDING' },
    { headers: { trace: 'u' } },
    { uniqueKey: 'l' },
    { count: 2 },
    { count: 0 },
    { input: () => false },
  ] as const) {
    await t.rejects(
      expectEnqueued(rowbeat, 'x.report', like),
      { constructor: AssertionError, code: 'ERR_ASSERTION' },
      JSON.stringify(like),
    )
  }
  await t.rejects(expectEnqueued(rowbeat, 'x.report', { input: { user: { id: 2 } }, queue: 'slow' }), {
    code: 'ERR_ASSERTION',
    message:
      /expected at least one run of x\.report like \{ input: \{ user: \{ id: 2 \} \}, queue: 'slow' \}, found 0\. Enqueued were:\n {2}\{ input: \{ at: .*name: 'Ann'.*queue: 'slow', priority: 3, tags: .*state: 'SCHEDULED' \}/,
  })
  await t.rejects(expectEnqueued(sql, step, { count: 99 }), { message: /99 runs of d\.step, found 4/ })
  await t.rejects(expectEnqueued({ db: sql }, 'x.other'), {
    message: /nothing was enqueued, but of .*x\.report/,
  })
})
