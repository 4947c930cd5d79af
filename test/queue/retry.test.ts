/** Retry, reschedule, delete: in TypeScript and in SQL, inside transactions and out, of runs in every place they can be. */
import t from 'tap'
import { z } from 'zod'
import { task, type RunHandle } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const adds = task('test.adds', { input: z.object({ x: z.number() }) }, ({ x }) => {
  if (x < 0) throw new RangeError('too small')
  return x + 1
})
const tasks = [scripted, adds]

const { url, sql } = await setup(t)
const { rowbeat } = await startWorker(t, url, { tasks })
/** Nobody serves it. */
const idle = { queue: 'idle' }
await sql`insert into rowbeat.queues (name, paused_at) values ('idle', null), ('held', now())`

const UNKNOWN = '0192a0f0-0000-7000-8000-0000000000ff'

t.test('a finished run is repeated by a new one with all it was asked with', async (t) => {
  const run = await rowbeat.enqueue(
    adds,
    { x: -1 },
    {
      priority: 7,
      tags: ['a', 'b'],
      headers: { trace: 'T' },
      attemptsMax: 2,
      retry: { backoff: 'constant', base: '10ms' },
      timeLimit: '9s',
      retention: '2 days',
      expires: '1 hour',
    },
  )
  await t.rejects(run.result(), { name: 'AttemptsExhausted' })
  const again = await run.retry()
  t.not(again.id, run.id)
  t.equal(again.created, true)
  await t.rejects(again.result(), { message: /too small/ })
  const [one, two] = [(await run.get())!, (await again.get())!]
  t.equal(two.retryOf, run.id)
  for (const key of [
    'task',
    'queue',
    'priority',
    'tags',
    'headers',
    'attemptsMax',
    'timeLimit',
    'input',
    'attempt',
  ] as const)
    t.strictSame(two[key], one[key], key)
  t.equal(two.expiresAt, null, 'its expiry is over')
  const kept =
    await sql`select options, date_trunc('second', keep_until - finished_at)::text as keep from rowbeat.results order by id`
  t.match(kept[0]!.options, { retry: { backoff: 'constant', base: '10ms' }, retention: 172_800 })
  t.strictSame(kept[1], kept[0], 'and so is what has no column')

  const mended = await rowbeat.retry(again, { input: { x: 41 } })
  t.equal(await mended.result(), 42)
  t.match(await mended.get(), { retryOf: again.id, input: { x: 41 } })
  await t.rejects(rowbeat.retry(run, { input: { x: 'no' } as never }), { code: 'RB_INPUT_INVALID' })
  const [made] = await sql`select rowbeat.retry(${mended.id}, '{"x": 1}') as id`
  t.equal(await rowbeat.run(adds, made!.id).result(), 2)
})

t.test('what is queued or runs is not retried; the words say what to do', async (t) => {
  const hanging = await rowbeat.enqueue(scripted, { fate: 'hang', obedient: true })
  await until('it runs', async () => (await hanging.state()) === 'STARTED')
  const verbs: (() => Promise<unknown>)[] = [() => hanging.retry(), () => hanging.reschedule({ delay: '1h' })]
  for (const verb of verbs)
    await t.rejects(verb(), { name: 'ResultError', code: 'RB_RUN_STATE', message: /is STARTED: .*revoke it/ })
  await t.rejects(hanging.forget(), { code: 'RB_RUN_LIVE' })
  await t.rejects(sql`select rowbeat.delete_run(${hanging.id})`, {
    code: '55000',
    message: /is STARTED: only a finished/,
  })
  await t.rejects(sql`select rowbeat.retry(${hanging.id})`, { code: '55000' })
  await t.rejects(sql`select rowbeat.reschedule(${hanging.id}, now())`, { code: '55000' })
  const elsewhere = await rowbeat.enqueue(adds, { x: 1 }, idle)
  await t.rejects(rowbeat.retry(elsewhere), { code: 'RB_RUN_STATE', message: /is PENDING/ })
  for (const id of [UNKNOWN, 'nonsense']) {
    await t.rejects(rowbeat.retry(id), { code: 'RB_RUN_NOT_FOUND' })
    await t.rejects(rowbeat.retry(id, { input: {} }), { code: 'RB_RUN_NOT_FOUND' })
    await t.rejects(rowbeat.reschedule(id, { delay: 1 }), { code: 'RB_RUN_NOT_FOUND' })
  }
  for (const verb of ['retry', 'delete_run'])
    await t.rejects(sql.unsafe(`select rowbeat.${verb}('${UNKNOWN}')`), { code: 'P0002' }, verb)
  await t.rejects(sql`select rowbeat.reschedule(${UNKNOWN}, now())`, { code: 'P0002' })
  await t.rejects(sql`select rowbeat.reschedule(${elsewhere.id}, 'infinity')`, { code: '22023' })
  for (const time of [{}, { eta: 'soon' }, { delay: 'long' }, { eta: new Date(0), delay: 1 }])
    await t.rejects(rowbeat.reschedule(elsewhere, time as never), { code: 'RB_OPTION_INVALID' })
})

t.test('a parked run is released now, in its own transaction, and stays the same run', async (t) => {
  const later = await rowbeat.enqueue(adds, { x: 1 }, { delay: '1 day' })
  const undo = new Error('undone')
  await t.rejects(
    sql.begin(async (tx) => {
      await rowbeat.in(tx).retry(later)
      throw undo
    }),
    undo,
  )
  t.equal(await later.state(), 'SCHEDULED')
  await t.rejects(later.retry({ input: { x: 2 } }), { code: 'RB_RUN_STATE', message: /another input/ })
  const same = await rowbeat.retry(later)
  t.match(same, { id: later.id, created: false })
  t.equal(await later.result(), 2)
  const failing = await rowbeat.enqueue(
    scripted,
    { fate: 'fail', times: 1 },
    { attemptsMax: 2, retry: { backoff: 'constant', base: '1 hour', jitter: false } },
  )
  await until('it waits for its next try', async () => (await failing.state()) === 'RETRY')
  await failing.retry()
  t.equal(await failing.result(), 2, 'its second try came at once')
})

t.test('a run that waits is moved to another time, wherever it waits', async (t) => {
  const place = async ({ id }: RunHandle): Promise<unknown> =>
    (
      await sql`select state, reason, round(extract(epoch from run_at - now()) / 60)::int as minutes from rowbeat.run(${id})`
    )[0]
  const queued = await rowbeat.enqueue(adds, { x: 1 }, idle)
  t.equal(await queued.reschedule({ delay: '10 minutes' }), 'SCHEDULED')
  t.match(await place(queued), { state: 'SCHEDULED', reason: 'eta', minutes: 10 })
  t.equal(await rowbeat.reschedule(queued, { eta: new Date(Date.now() + 1_200_000) }), 'SCHEDULED')
  t.match(await place(queued), { minutes: 20 })
  const paused = await rowbeat.enqueue(adds, { x: 2 }, { queue: 'held' })
  t.match(await place(paused), { reason: 'paused' })
  t.equal((await rowbeat.retry(paused)).id, paused.id)
  t.match(await place(paused), { reason: 'paused' }, 'a pause is no time: released, it would be held again')
  await sql`select rowbeat.reschedule(${paused.id}, now() + interval '5 minutes')`
  t.match(await place(paused), { reason: 'eta', minutes: 5 })
  const soon = await rowbeat.enqueue(adds, { x: 1 }, { delay: '1 day' })
  await soon.reschedule({ delay: 0 })
  t.equal(await soon.result(), 2)
})

t.test('a retry keeps the rules that hold for any run: pauses, limits, unique keys', async (t) => {
  const make = (key: string): Promise<RunHandle> =>
    rowbeat.enqueue(adds, { x: 1 }, { ...idle, uniqueKey: key })
  const done = await make('k')
  await done.revoke()
  const holder = await make('k')
  await t.rejects(done.retry(), { code: 'RB_RUN_DUPLICATE', message: new RegExp(holder.id) })
  await holder.revoke()
  await sql`update rowbeat.queues set paused_at = now() where name = 'idle'`
  const again = await done.retry()
  t.match(await again.get(), { state: 'PENDING', reason: 'paused', uniqueKey: 'k' })
  await t.rejects(holder.retry(), { code: 'RB_RUN_DUPLICATE' })
  const [row] =
    await sql`select rowbeat.enqueue('test.adds', '{"x": 1}', unique_key => 'p', queue => 'idle', options => '{"unique_for": "1 hour"}') as id`
  await rowbeat.revoke(row!.id)
  t.ok(await rowbeat.retry(row!.id), 'a key that a finished run holds for a time is its own')
})

t.test('a schedule’s run, retried, stands for the same instant', async (t) => {
  const due = '2026-01-31T12:00:00.000Z'
  const [{ id }] = (await sql`
    select id from rowbeat.enqueue_many(jsonb_build_array(jsonb_build_object('task', 'test.adds', 'queue', 'idle', 'input', '{"x": 1}'::jsonb, 'schedule', 'nightly', 'due_at', ${due}::text)))`) as unknown as [
    { id: string },
  ]
  await rowbeat.revoke(id)
  t.match(await (await rowbeat.retry(id)).get(), { schedule: 'nightly', retryOf: id })
  t.equal(
    (
      await sql`select count(*)::int as n from rowbeat.runs where schedule = 'nightly' and due_at = ${due}`
    )[0]!.n,
    2,
  )
})

t.test('a deleted run is gone with all that belongs to it', async (t) => {
  const run = await rowbeat.enqueue(scripted, { fate: 'fail' }, { attemptsMax: 2, retry: { base: '1ms' } })
  await t.rejects(run.result())
  t.not((await sql`select from rowbeat.attempts where run_id = ${run.id}`).length, 0)
  await sql`select rowbeat.delete_run(${run.id})`
  t.equal((await sql`select from rowbeat.run(${run.id})`).length, 0)
  t.equal((await sql`select from rowbeat.attempts where run_id = ${run.id}`).length, 0)
})

t.test('what expires while it is parked ends without waiting to be released', async (t) => {
  const limits = { expires: '150ms' as const }
  const runs = [
    await rowbeat.enqueue(adds, { x: 1 }, { ...limits, delay: '1 day' }),
    await rowbeat.enqueue(adds, { x: 1 }, { ...limits, queue: 'held' }),
  ]
  const kept = await rowbeat.enqueue(
    adds,
    { x: 1 },
    { delay: '1 day', expires: '2 days', tags: ['expires_at'] },
  )
  for (const run of runs) {
    await t.rejects(run.result({ timeout: '4s' }), { name: 'RunRevoked', reason: 'expired' })
    t.match(await run.get(), { state: 'REVOKED', reason: 'expired', attempt: 0, error: null })
  }
  t.equal(await kept.state(), 'SCHEDULED')
  const plan = await sql.begin(async (tx) => {
    await tx`set local enable_seqscan = off`
    return await tx`explain select id from rowbeat.parked where strpos(payload::text, '"expires_at"') > 0 and rowbeat.expires_at_v1(payload) <= statement_timestamp()`
  })
  t.match(plan.map((line) => line['QUERY PLAN']).join('\n'), /parked_expires_at/)
})
