/** Revoked runs and their workers: who is told, how soon, and what becomes of a handler that listens or does not. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import postgres from 'postgres'
import { Discard, Retry, Snooze, createRowbeat, task } from '../../src/index.ts'
import type { RunHandle } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { entry, makeLedger, scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

/** Revocations at any moment; TEST_REVOKES=10000 takes two minutes. */
const RUNS = Number(process.env.TEST_REVOKES ?? 300)

t.setTimeout(60_000 + RUNS * 30)
t.jobs = 2

/** Runs that wait here go on when the test says, by id. */
const gates = new Map<string, (value: unknown) => void>()
const started = new Map<string, number>()
const signals = new Map<string, AbortSignal>()

/** Takes no notice of its signal: ends when its gate is opened. */
const deaf = task('test.deaf', {}, async (_: object, { run, signal, progress }) => {
  started.set(run.id, performance.now())
  signals.set(run.id, signal)
  const value = await new Promise((resolve) => gates.set(run.id, resolve))
  progress(1, 1)
  return value
})

/** Says what its input tells it to say once it is asked to stop. */
const answers = task(
  'test.answers',
  { attemptsMax: 5 },
  async ({ how }: { how: string }, { run, signal }) => {
    started.set(run.id, performance.now())
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    if (how === 'obey') signal.throwIfAborted()
    if (how === 'pause') await pause(1000, undefined, { signal })
    if (how === 'throw') throw new TypeError('could not stop well')
    if (how === 'retry') throw new Retry({ in: 0 })
    if (how === 'snooze') throw new Snooze(0)
    if (how === 'discard') throw new Discard('never mind')
    return String(signal.reason)
  },
)
const tasks = [deaf, answers, scripted, entry]

const begun = (run: RunHandle): Promise<number> => until(`${run.id} has started`, () => started.get(run.id))
const revocations = (sql: postgres.Sql) => sql`select run_id as id, terminate from rowbeat.revocations`
const settled = (sql: postgres.Sql) =>
  until('no revocation stands', async () => (await revocations(sql)).length === 0, { timeout: 5000 })

t.test(
  'what waits ends at once; what has finished stays; who does not exist is told so',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const { rowbeat } = await startWorker(t, url, { tasks })
    const later = await rowbeat.enqueue(scripted, {}, { delay: '1 hour' })
    t.equal(await rowbeat.revoke(later, { reason: 'changed\u0000 my mind' }), 'REVOKED')
    await t.rejects(later.result(), {
      name: 'RunRevoked',
      code: 'RB_RUN_REVOKED',
      reason: 'revoked',
      message: /^RunRevoked: changed. my mind$/,
    })
    const failing = await rowbeat.enqueue(scripted, { fate: 'retry', again: 3_600_000 }, { attemptsMax: 2 })
    await until('it waits for its next try', async () => (await failing.state()) === 'RETRY')
    t.equal(await failing.revoke(), 'REVOKED')
    t.match(await failing.get(), { state: 'REVOKED', reason: 'revoked', attempt: 1, error: null })
    const done = await rowbeat.enqueue(scripted, { value: 1 })
    await done.result()
    t.equal(await done.revoke({ terminate: true }), 'SUCCESS')
    for (const id of ['0192a0f0-0000-7000-8000-0000000000ff', 'nonsense'])
      await t.rejects(rowbeat.revoke(id), { name: 'ResultError', code: 'RB_RUN_NOT_FOUND' })
    t.strictSame([...(await revocations(sql))], [])
  },
)

t.test('in a transaction of yours it takes effect with its commit', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const { rowbeat } = await startWorker(t, url, { tasks })
  const [waiting, running] = [
    await rowbeat.enqueue(scripted, {}, { delay: '1 hour' }),
    await rowbeat.enqueue(answers, { how: 'obey' }),
  ]
  await begun(running)
  const undo = new Error('undone')
  await t.rejects(
    sql.begin(async (tx) => {
      t.equal(await rowbeat.in(tx).revoke(waiting), 'REVOKED')
      await rowbeat.in(tx).revoke(running.id)
      await t.rejects(rowbeat.in(tx).revoke('0192a0f0-0000-7000-8000-0000000000ff'), {
        code: 'RB_RUN_NOT_FOUND',
      })
      await tx`select 1`
      throw undo
    }),
    undo,
    'and an unknown id does not abort it',
  )
  t.equal(await waiting.state(), 'SCHEDULED')
  t.not((await running.get())?.state, 'REVOKED')
  await sql.begin(async (tx) => {
    await rowbeat.in(tx).revoke(waiting)
    await rowbeat.in(tx).revoke(running)
  })
  await t.rejects(running.result({ timeout: '2s' }), { name: 'RunRevoked', reason: 'revoked' })
  t.equal(await waiting.state(), 'REVOKED')
  await settled(sql)
})

t.test('a handler that is told decides with what it says', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const { rowbeat, heard } = await startWorker(t, url, { tasks })
  const ends: [how: string, expected: object][] = [
    [
      'obey',
      { state: 'REVOKED', reason: 'revoked', error: { name: 'RunRevoked', message: 'enough', cause: null } },
    ],
    ['pause', { state: 'REVOKED', reason: 'revoked', error: { message: 'enough', cause: null } }],
    [
      'throw',
      {
        state: 'REVOKED',
        error: { message: 'enough', cause: { name: 'TypeError', message: 'could not stop well' } },
      },
    ],
    ['retry', { state: 'REVOKED', reason: 'revoked', attempt: 1 }],
    ['snooze', { state: 'REVOKED', reason: 'revoked' }],
    ['discard', { state: 'FAILURE', reason: 'discarded', error: { message: 'never mind' } }],
    ['return', { state: 'SUCCESS', reason: null, result: 'RunRevoked: RunRevoked: enough' }],
  ]
  const runs = await Promise.all(ends.map(([how]) => rowbeat.enqueue(answers, { how })))
  await Promise.all(runs.map(begun))
  for (const run of runs) await run.revoke({ reason: 'enough' })
  for (const [i, [how, expected]] of ends.entries()) {
    await runs[i]!.result({ timeout: '2s' }).catch(() => {})
    t.match(await runs[i]!.get(), { ...expected, attempt: 1, startedAt: String, worker: String }, how)
  }
  const tries = await sql`select run_id as id, outcome from rowbeat.attempts`
  t.strictSame([...tries], [{ id: runs[5]!.id, outcome: 'failed' }])
  t.strictSame(heard.finished.map(({ state }) => state).toSorted(), [
    'FAILURE',
    ...Array(5).fill('REVOKED'),
    'SUCCESS',
  ])
  const wordless = await rowbeat.enqueue(answers, { how: 'obey' })
  await begun(wordless)
  await wordless.revoke()
  await t.rejects(wordless.result({ timeout: '2s' }), {
    message: `run ${wordless.id} ended: revoked`,
    data: null,
  })
  await settled(sql)
})

t.test('a handler that does not listen finishes, unless it is terminated', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const { rowbeat, heard, worker } = await startWorker(t, url, { tasks, queues: { default: 1 } })
  const patient = await rowbeat.enqueue(deaf, {})
  await begun(patient)
  const told = await patient.revoke({ reason: 'please' })
  t.ok(['PENDING', 'STARTED'].includes(told), told)
  await until('it was told', () => signals.get(patient.id)!.aborted)
  t.match(signals.get(patient.id)!.reason, {
    name: 'RunRevoked',
    code: 'RB_RUN_REVOKED',
    runId: patient.id,
    reason: 'revoked',
    data: { message: 'please' },
  })
  gates.get(patient.id)!('made it')
  t.equal(await patient.result({ timeout: '2s' }), 'made it')

  const stubborn = await rowbeat.enqueue(deaf, {})
  await begun(stubborn)
  const next = await rowbeat.enqueue(scripted, { value: 'next' })
  await stubborn.revoke({ reason: 'now' })
  await until('it was told', () => signals.get(stubborn.id)!.aborted)
  t.equal(worker.running, 1)
  await stubborn.revoke({ terminate: true })
  await t.rejects(stubborn.result({ timeout: '2s' }), { code: 'RB_RUN_REVOKED', reason: 'terminated' })
  t.match(await stubborn.get(), {
    state: 'REVOKED',
    reason: 'terminated',
    attempt: 1,
    worker: worker.name,
    startedAt: String,
    error: { name: 'RunRevoked', message: 'now', cause: null },
  })
  t.equal(await next.result({ timeout: '2s' }), 'next', 'its slot is free though its handler goes on')
  gates.get(stubborn.id)!('too late')
  await until('the late outcome is refused', () => heard.refused.length === 1)
  t.match(heard.refused, [{ run: stubborn.id, task: 'test.deaf' }])
  t.match(await stubborn.get(), { state: 'REVOKED', result: null })
  await settled(sql)
  t.equal(worker.running, 0)
  await worker.stop()
  t.equal((await sql`select from rowbeat.progress`).length, 0, 'what it reported late is not written')
})

t.test(
  'a claimed run that has not started ends without running, before a slot is free',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const { rowbeat } = await startWorker(t, url, { tasks, queues: { default: 1 }, prefetch: 20 })
    await Promise.all([rowbeat.enqueue(scripted, {}), rowbeat.enqueue(scripted, {})])
    const handles = await rowbeat.enqueueMany([
      { task: deaf, input: {} },
      ...Array.from({ length: 3 }, () => ({ task: deaf, input: {} })),
    ])
    const [running, ...held] = handles
    await begun(running!)
    await until(
      'the others are claimed',
      async () =>
        (await sql`select from rowbeat_queue._private_jobs where locked_at is not null`).length === 4,
    )
    const began = performance.now()
    for (const run of held) await run.revoke({ reason: 'not needed' })
    for (const run of held)
      await t.rejects(run.result({ timeout: '5s' }), {
        name: 'RunRevoked',
        reason: 'revoked',
        data: { message: 'not needed' },
      })
    t.comment(`${held.length} held runs ended within ${Math.round(performance.now() - began)} ms`)
    for (const run of held) {
      t.match(await run.get(), { attempt: 0, startedAt: null })
      t.notOk(started.has(run.id))
    }
    gates.get(running!.id)!('fine')
    t.equal(await running!.result({ timeout: '5s' }), 'fine')
    await settled(sql)
  },
)

t.test(
  'what transactional runs did is rolled back, told or terminated, and kept when they end well',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    await makeLedger(sql)
    const { rowbeat } = await startWorker(t, url, { tasks })
    const open = (n: number) =>
      until(
        'their transactions are open',
        async () =>
          (
            await sql`select from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and application_name = 'rowbeat task'`
          ).length === n,
      )
    const [obedient, terminated, ends] = [
      await rowbeat.enqueue(entry, { fate: 'hang' }),
      await rowbeat.enqueue(entry, { ms: 1500 }),
      await rowbeat.enqueue(entry, { ms: 1500 }),
    ]
    await open(3)
    await obedient.revoke()
    await terminated.revoke({ terminate: true })
    await ends.revoke()
    await t.rejects(obedient.result({ timeout: '1s' }), { name: 'RunRevoked', reason: 'revoked' })
    await t.rejects(terminated.result({ timeout: '1s' }), { name: 'RunRevoked', reason: 'terminated' })
    t.equal(await ends.result({ timeout: '5s' }), 1)
    await open(0)
    t.strictSame([...(await sql`select run from ledger`)], [{ run: ends.id }])
    await settled(sql)
  },
)

t.test(
  'what is revoked while it waits for its transaction or its schema does not start',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    await makeLedger(sql)
    const only = postgres(url, { max: 1, fetch_types: false })
    t.teardown(() => only.end())
    let open = (): void => {}
    const opened = new Promise<void>((resolve) => (open = resolve))
    const validate = async (value: unknown) => {
      await opened
      return { value: value as object }
    }
    const input = { '~standard': { version: 1 as const, vendor: 'test', validate } }
    const slow = task('test.slow', { input }, (_: object, { run }) => void started.set(run.id, 1))
    const { rowbeat, worker } = await startWorker(t, url, { tasks: [entry, slow], db: only })
    const client = createRowbeat({ databaseUrl: url })
    t.teardown(() => client.close())
    const first = await rowbeat.enqueue(entry, { ms: 1000 })
    await until(
      'it has the connection',
      async () =>
        (
          await sql`select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`
        ).length > 0,
    )
    const runs = [await client.enqueue('test.entry'), await client.enqueue('test.slow')]
    await until('they wait', () => worker.running === 3)
    for (const run of runs) await run.revoke({ terminate: true })
    t.equal(await first.result({ timeout: '5s' }), 1)
    open()
    for (const run of runs)
      await t.rejects(run.result({ timeout: '5s' }), { name: 'RunRevoked', reason: 'revoked' })
    t.strictSame([...(await sql`select run from ledger`)], [{ run: first.id }])
    t.notOk(started.has(runs[1]!.id))
    await settled(sql)
  },
)

t.test('a lost notification costs a second', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const { rowbeat } = await startWorker(t, url, { tasks })
  const run = await rowbeat.enqueue(answers, { how: 'obey' })
  await begun(run)
  const began = performance.now()
  await sql`insert into rowbeat.revocations (run_id) values (${run.id})`
  await t.rejects(run.result({ timeout: '5s' }), { name: 'RunRevoked', reason: 'revoked' })
  t.ok(performance.now() - began < 4500, `${performance.now() - began} ms`)
  await settled(sql)
})

t.test('what was revoked while no worker ran stays so when one starts', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const first = await startWorker(t, url, { tasks, queues: { default: 1 } })
  await first.worker.stop({ grace: 0 })
  const { rowbeat } = first
  const queued = await rowbeat.enqueueMany(Array.from({ length: 20 }, () => ({ task: deaf, input: {} })))
  for (const run of queued) t.equal(await run.revoke(), 'REVOKED')
  const [lost, parked] = [await rowbeat.enqueue(deaf, {}), await rowbeat.enqueue(deaf, {})]
  // With a worker that died: nobody has swept it yet.
  await sql`update rowbeat_queue._private_jobs set locked_by = 'dead-pool', locked_at = now(), attempts = 1`
  t.equal(await lost.revoke(), 'PENDING')
  t.equal(await parked.revoke(), 'PENDING')
  const second = await startWorker(t, url, { tasks })
  await sql`update rowbeat_queue._private_jobs set locked_by = null, locked_at = null where key = ${lost.id}`
  await sql`select pg_notify('rowbeat_queue', 'default')`
  await sql`with j as (delete from rowbeat_queue._private_jobs where key = ${parked.id} returning *)
    insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
    select key::uuid, 'retry', now(), 'test.deaf', 'default', 0, payload, created_at from j`
  await sql`select pg_notify('rowbeat_parked', '')`
  for (const run of [...queued, lost, parked]) {
    await t.rejects(run.result({ timeout: '5s' }), { name: 'RunRevoked', reason: 'revoked' })
    t.notOk(started.has(run.id))
  }
  t.equal(second.worker.running, 0)
  await settled(sql)
})

t.test(
  'a stopping worker ends revoked runs that do not listen, and hands back the others',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const { rowbeat, worker } = await startWorker(t, url, { tasks })
    const [gone, back] = [await rowbeat.enqueue(deaf, {}), await rowbeat.enqueue(deaf, {})]
    await Promise.all([gone, back].map(begun))
    await gone.revoke()
    await until('it was told', () => signals.get(gone.id)!.aborted)
    await worker.stop({ grace: 0 })
    t.match(await gone.get(), { state: 'REVOKED', reason: 'revoked', attempt: 1 })
    t.match(await back.get(), { state: 'PENDING', attempt: 0 })
    t.strictSame([...(await sql`select run_id from rowbeat.attempts`)], [{ run_id: back.id }])
  },
)

t.test('the signal comes soon', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const { rowbeat } = await startWorker(t, url, { tasks, queues: { default: 50 } })
  const asked = new Map<string, number>()
  const rounds: number[][] = []
  for (let round = 0; round < 6; round++) {
    const late: number[] = []
    rounds.push(late)
    const runs = await rowbeat.enqueueMany(Array.from({ length: 50 }, () => ({ task: deaf, input: {} })))
    await Promise.all(runs.map(begun))
    for (const run of runs)
      signals.get(run.id)!.addEventListener('abort', () => late.push(performance.now() - asked.get(run.id)!))
    await Promise.all(
      runs.map(async (run) => {
        await pause(Math.random() * 300)
        asked.set(run.id, performance.now())
        await run.revoke()
      }),
    )
    await until('all were told', () => late.length === 50)
    for (const run of runs) gates.get(run.id)!(null)
  }
  // Other tests may have taken the machine for a moment: the calmer half of the rounds says what the signal takes.
  const calmer = rounds.sort((a, b) => Math.max(...a) - Math.max(...b)).slice(0, 3)
  const late = calmer.flat().sort((a, b) => a - b)
  const [p50, p99] = [late[late.length >> 1]!, late[Math.floor(late.length * 0.99)]!]
  t.comment(
    `from the call to the signal, ${late.length} runs of 300: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, most ${late.at(-1)!.toFixed(1)} ms`,
  )
  t.ok(p99 <= 500, `p99 ${p99} ms`)
  await settled(sql)
})

t.test(
  `${RUNS} revocations at any moment: every end is legal, and each run has one`,
  { buffered: true, timeout: 60_000 + RUNS * 30 },
  async (t) => {
    const { url, sql } = await setup(t)
    const ended = new Map<string, string[]>()
    const begins: [id: string, at: number][] = []
    const any = task(
      'test.any',
      { attemptsMax: 3, retry: { backoff: 'constant', base: 0.02, jitter: false } },
      async ({ ms, fate }: { ms: number; fate: number }, { run, signal, progress }) => {
        begins.push([run.id, Date.now()])
        if (fate > 0.9) progress(1, 2)
        if (ms > 0) await pause(ms, undefined, fate < 0.4 ? { signal } : {})
        if (fate > 0.5 && fate < 0.7 && run.attempt < 3) throw new Error('again')
        if (fate > 0.7 && fate < 0.75) throw new Snooze('30ms')
        if (fate > 0.75 && fate < 0.8) throw new Discard('no')
        return fate
      },
    )
    const workers = [
      await startWorker(t, url, { tasks: [any], queues: { default: 20 } }),
      await startWorker(t, url, { tasks: [any], queues: { default: 5 }, prefetch: 20 }),
    ]
    for (const { worker } of workers)
      worker.events.on('run:finished', ({ run, state }) => {
        if (state !== 'PARK') ended.set(run, [...(ended.get(run) ?? []), state])
      })
    const rowbeat = createRowbeat({ databaseUrl: url, tasks: [any], connections: 10 })
    t.teardown(() => rowbeat.close())
    const said = new Map<string, string[]>()
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        while (said.size < RUNS) {
          const delay = Math.random() < 0.2 ? 0.1 : 0
          const run = await rowbeat.enqueue(
            any,
            { ms: Math.random() < 0.2 ? 0 : Math.random() * 150, fate: Math.random() },
            { delay },
          )
          said.set(run.id, [])
          if (Math.random() < 0.9) await pause(Math.random() * 300)
          said.get(run.id)!.push(await run.revoke({ terminate: Math.random() < 0.3, reason: 'chance' }))
          if (Math.random() < 0.2) said.get(run.id)!.push(await run.revoke({ terminate: true }))
        }
      }),
    )
    await until(
      'all have ended',
      async () => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n >= said.size,
      { timeout: 20_000 },
    )
    const rows =
      await sql`select id, state, reason, error, extract(epoch from finished_at)::float8 * 1000 as at from rowbeat.results`
    t.equal(rows.length, said.size)
    t.match(
      await sql`select (select count(*)::int from rowbeat_queue._private_jobs) as jobs, (select count(*)::int from rowbeat.parked) as parked`,
      [{ jobs: 0, parked: 0 }],
    )
    const legal = [
      'SUCCESS ',
      'FAILURE discarded',
      'FAILURE attempts_exhausted',
      'REVOKED revoked',
      'REVOKED terminated',
    ]
    const counts: Record<string, number> = {}
    for (const { id, state, reason, error } of rows) {
      const end = `${state} ${reason ?? ''}`
      counts[end] = (counts[end] ?? 0) + 1
      if (!legal.includes(end)) t.fail(`${id} ended as ${end}`)
      const final = said.get(id)!.find((one) => ['SUCCESS', 'FAILURE', 'REVOKED'].includes(one))
      if (final && final !== state) t.fail(`${id} was told to be ${final} and is ${state}`)
      if (state === 'REVOKED' && error?.message !== 'chance')
        t.fail(`${id} was revoked with other words: ${error?.message}`)
      const told = ended.get(id) ?? []
      if (told.length > 1 || (told[0] ?? state) !== state)
        t.fail(`${id} is ${state}, and its workers said ${told}`)
    }
    t.comment(counts)
    const endedAt = new Map(rows.map(({ id, at }) => [id, at]))
    const lateStarts = begins.filter(([id, at]) => at > endedAt.get(id)! + 5)
    t.strictSame(lateStarts, [], 'none started after it had ended')
    t.ok(
      counts['REVOKED revoked'] && counts['REVOKED terminated'] && counts['SUCCESS '],
      'each kind of end was met',
    )
    for (const { heard } of workers) t.strictSame(heard.trouble, [])
    await settled(sql)
  },
)
