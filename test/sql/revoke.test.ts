/** rowbeat.revoke from SQL: what it does to a run in each place, and that no move of a run between two looks escapes it. */
import postgres from 'postgres'
import t from 'tap'
import { toQueryable } from '../../src/db/handle.ts'
import { finishRuns, type FinishRow } from '../../src/db/statements/finish.ts'
import { releaseDue } from '../../src/db/statements/jobs.ts'
import { handBack } from '../../src/db/statements/recovery.ts'
import { settleRevocations } from '../../src/db/statements/revocations.ts'
import { setup } from '../helpers/bundle.ts'
import { until, within } from '../helpers/wait.ts'

const { sql, db, url, admin, adminUrl } = await setup(t)
const NOBODY = '0192a0f0-0000-7000-8000-0000000000ff'

const enqueue = async (rest = ''): Promise<string> =>
  (await sql.unsafe(`select rowbeat.enqueue('r.run'${rest && `, ${rest}`}) as id`))[0]!.id
const revoke = async (id: string, rest = ''): Promise<string> =>
  (await sql.unsafe(`select rowbeat.revoke('${id}'${rest && `, ${rest}`}) as state`))[0]!.state
const run = async (id: string): Promise<any> => (await sql`select * from rowbeat.run(${id})`)[0]
const standing = async (): Promise<any[]> => [
  ...(await sql`select run_id as id, terminate, reason from rowbeat.revocations order by at`),
]
/** As a worker's pool claims it. */
const claim = (id: string, pool = 'pool-1') =>
  sql`update rowbeat_queue._private_jobs set locked_by = ${pool}, locked_at = now(), attempts = attempts + 1 where key = ${id}`
const claimed = async (rest = ''): Promise<string> => {
  const id = await enqueue(rest)
  await claim(id)
  return id
}
const finish = async (id: string, row: Partial<FinishRow>, pool = 'pool-1') => {
  const [job] =
    await sql`select id::text as job, attempts as claims from rowbeat_queue._private_jobs where key = ${id}`
  return await finishRuns(
    db,
    'w1',
    [pool],
    [{ attempt: 1, allowed: 3, state: 'SUCCESS', ...(job as any), ...row }],
  )
}
const retry: Partial<FinishRow> = {
  state: 'PARK',
  reason: 'retry',
  delay: 0,
  patch: { attempt: 1 },
  outcome: 'retry',
  error: { name: 'TypeError', message: 'boom', code: null, stack: null, cause: null },
}

t.test('a run that waits is REVOKED at once, wherever it waits, and tells who waits for it', async (t) => {
  const told: string[] = []
  const listening = await sql.listen('rowbeat_runs', (ids) => void told.push(...ids.split(',')))
  const queued = await enqueue(
    `'{"a": 1}', queue => 'high', priority => 3, tags => array['x'], headers => '{"h": 1}', options => '{"attempts_max": 4}'`,
  )
  t.equal(await revoke(queued), 'REVOKED')
  t.match(await run(queued), {
    task: 'r.run',
    queue: 'high',
    state: 'REVOKED',
    reason: 'revoked',
    priority: 3,
    input: { a: 1 },
    result: null,
    error: null,
    attempt: 0,
    attempts_max: 4,
    worker: null,
    started_at: null,
    finished_at: Date,
    tags: ['x'],
    headers: { h: 1 },
  })
  const eta = await enqueue(`delay => '1 hour'`)
  t.equal(await revoke(eta, `reason => 'the order was cancelled'`), 'REVOKED')
  t.match(await run(eta), {
    state: 'REVOKED',
    reason: 'revoked',
    error: {
      name: 'RunRevoked',
      message: 'the order was cancelled',
      code: 'RB_RUN_REVOKED',
      stack: null,
      cause: null,
    },
  })
  const trying = await claimed()
  await sql`insert into rowbeat.progress values (${trying}, 30, 40, '{"m": 1}', now())`
  await finish(trying, { ...retry, delay: 3600 })
  t.match(await run(trying), { state: 'RETRY', attempt: 1 })
  t.equal(await revoke(trying, 'terminate => true'), 'REVOKED')
  t.match(
    await run(trying),
    {
      state: 'REVOKED',
      reason: 'revoked',
      attempt: 1,
      progress: { current: 30, total: 40, percent: 75, meta: { m: 1 } },
    },
    'nothing was there to terminate',
  )
  await sql`update rowbeat.queues set overflow = 0 where name = 'default'`
  const overflow = await enqueue()
  await sql`update rowbeat.queues set overflow = null where name = 'default'`
  t.match(await run(overflow), { reason: 'overflow' })
  t.equal(await revoke(overflow), 'REVOKED')
  t.strictSame(await standing(), [], 'none needs a row')
  t.match(
    await sql`select (select count(*)::int from rowbeat.parked) as parked, (select count(*)::int from rowbeat.progress) as progress,
    (select count(*)::int from rowbeat_queue._private_jobs) as queued`,
    [{ parked: 0, progress: 0, queued: 0 }],
  )
  await until('all were told', () => [queued, eta, trying, overflow].every((id) => told.includes(id)))
  await listening.unlisten()
})

t.test('its result is kept as long as the run, or its task, says', async (t) => {
  await sql`insert into rowbeat.tasks (name, retention) values ('r.short', 60)`
  const ids =
    await sql`select rowbeat.enqueue('r.short') as a, rowbeat.enqueue('r.short', options => '{"retention": 600}') as b, rowbeat.enqueue('r.run') as c`
  const seconds = []
  for (const id of Object.values(ids[0]!)) {
    await revoke(id)
    const [row] =
      await sql`select extract(epoch from keep_until - finished_at)::int as s from rowbeat.results where id = ${id}`
    seconds.push(row!.s)
  }
  t.strictSame(seconds, [60, 600, 2_592_000])
})

t.test('a finished run stays as it is, an unknown one is P0002', async (t) => {
  const done = await claimed()
  await finish(done, { result: 5 })
  t.equal(await revoke(done, `true, 'too late'`), 'SUCCESS')
  t.match(await run(done), { state: 'SUCCESS', result: 5, error: null })
  const once = await enqueue()
  await revoke(once, `reason => 'first'`)
  t.equal(await revoke(once, `reason => 'second'`), 'REVOKED')
  t.match(await run(once), { error: { message: 'first' } })
  await t.rejects(revoke(NOBODY), { code: 'P0002', message: `run ${NOBODY} is unknown` })
  await t.rejects(sql`select rowbeat.revoke(null)`, { code: 'P0002' })
  t.strictSame(await standing(), [])
})

t.test('a run that a worker has gets a row, is told of, and keeps its state', async (t) => {
  const told: string[] = []
  const listening = await sql.listen('rowbeat_control', (id) => void told.push(id))
  const id = await claimed()
  t.equal(await revoke(id, `reason => 'why'`), 'PENDING')
  t.strictSame(await standing(), [{ id, terminate: false, reason: 'why' }])
  await until('it was told', () => told.includes(id))
  t.equal(await revoke(id, `terminate => true`), 'PENDING')
  t.strictSame(await standing(), [{ id, terminate: true, reason: 'why' }], 'a second one makes it harder')
  await revoke(id, `terminate => null, reason => repeat('long', 1000)`)
  const [row] = await standing()
  t.match(row, { terminate: true }, 'and never softer')
  t.equal(row.reason.length, 2000)
  t.match(await run(id), { state: 'PENDING', reason: null })

  const undone = await claimed()
  const undo = new Error('undone')
  await t.rejects(
    sql.begin(async (tx) => {
      await tx`select rowbeat.revoke(${undone})`
      throw undo
    }),
    undo,
  )
  t.equal((await standing()).length, 1, 'a rolled back revocation is none')
  await sql`truncate rowbeat.revocations, rowbeat_queue._private_jobs`
  await listening.unlisten()
})

t.test('what a worker had ends as its handler ended it, but is not tried again', async (t) => {
  const [good, bad, again, later, free] = [
    await claimed(),
    await claimed(),
    await claimed(),
    await claimed(),
    await claimed(),
  ]
  await revoke(good)
  await revoke(bad)
  await revoke(again, `true, 'enough'`)
  await revoke(later)
  const { ours: kept, revoked: none } = await finish(good, { result: 1 })
  t.strictSame([kept.length, none.length], [1, 0])
  await finish(bad, { state: 'FAILURE', reason: 'error', error: retry.error, outcome: 'failed' })
  const { ours, revoked } = await finish(again, retry)
  t.strictSame(revoked, ours, 'the worker is told what became of it')
  await finish(later, { state: 'PARK', reason: 'snooze', delay: 0, outcome: 'snooze' })
  t.strictSame((await finish(free, { ...retry, delay: 3600 })).revoked, [])
  t.match(await run(good), { state: 'SUCCESS', result: 1 })
  t.match(await run(bad), { state: 'FAILURE', reason: 'error' })
  t.match(await run(again), {
    state: 'REVOKED',
    reason: 'revoked',
    attempt: 1,
    worker: 'w1',
    error: { name: 'RunRevoked', message: 'enough', cause: { name: 'TypeError', message: 'boom' } },
  })
  t.match(await run(later), { state: 'REVOKED', reason: 'revoked', error: null })
  t.match(await run(free), { state: 'RETRY' }, 'nobody revoked that one')
  t.equal((await sql`select from rowbeat.attempts where run_id = any (${[again, later]})`).length, 0)
  t.equal((await standing()).length, 4)
  await settleRevocations(db)
  t.strictSame(await standing(), [], 'the rows go when the runs have ended')
})

t.test(
  'what came back from its worker ends when it is settled; what a worker still has, stays',
  async (t) => {
    const [parked, handed, kept] = [await claimed(), await claimed(''), await claimed()]
    for (const id of [parked, handed, kept]) await revoke(id, `reason => 'no more'`)
    // As a finish statement leaves it that began before the revocation was committed.
    await sql`with j as (delete from rowbeat_queue._private_jobs where key = ${parked} returning *)
    insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
    select key::uuid, 'retry', now(), 'r.run', 'default', 0, payload, created_at from j`
    await sql`update rowbeat_queue._private_jobs set locked_by = 'pool-2' where key = ${kept}`
    await handBack(db, ['pool-1'])
    await settleRevocations(db)
    for (const id of [parked, handed])
      t.match(await run(id), { state: 'REVOKED', reason: 'revoked', error: { message: 'no more' } })
    t.strictSame(
      (await standing()).map(({ id }) => id),
      [kept],
    )
    t.match(await run(kept), { state: 'PENDING' })
    await sql`truncate rowbeat.revocations, rowbeat_queue._private_jobs`
  },
)

t.test('an id that is used again is not revoked with the run that had it before', async (t) => {
  const id = await claimed()
  await revoke(id)
  await finish(id, {})
  await sql`delete from rowbeat.results where id = ${id}`
  await enqueue(`id => '${id}'`)
  await settleRevocations(db)
  t.match(await run(id), { state: 'PENDING' })
  t.strictSame(await standing(), [])
  await claim(id)
  await sql`insert into rowbeat.revocations (run_id, at) values (${id}, now() - interval '1 hour')`
  await finish(id, { ...retry, delay: 3600 })
  t.match(await run(id), { state: 'RETRY' })
  await revoke(id)
  await settleRevocations(db)
})

t.test('a revocation in a transaction that stays open holds up no worker', async (t) => {
  const id = await claimed()
  const other = postgres(url, { max: 1 })
  t.teardown(() => other.end())
  let close = (): void => {}
  const open = new Promise<void>((resolve) => (close = resolve))
  const revoking = other.begin(async (tx) => {
    await tx`select rowbeat.revoke(${id})`
    await open
  })
  await until(
    'it holds its row',
    async () =>
      (await admin`select from pg_locks where relation = 'rowbeat.revocations'::regclass`).length > 0,
  )
  t.strictSame((await within('the finish', finish(id, retry), 1000)).revoked, [])
  await settleRevocations(db)
  t.match(await run(id), { state: 'RETRY' }, 'it was not revoked yet')
  close()
  await revoking
  await settleRevocations(db)
  t.match(await run(id), { state: 'REVOKED' }, 'and is from the commit on')
  t.strictSame(await standing(), [])
})

t.test('runs that move all the time are revoked, each once', { timeout: 60_000 }, async (t) => {
  const RUNS = 400
  const made =
    await sql`select rowbeat.enqueue('r.moves', delay => n % 2 * interval '10 milliseconds') as id from generate_series(1, ${RUNS}) n`
  const ids = made.map((row) => row.id as string)
  const [kind] = await sql`select id from rowbeat_queue._private_tasks where identifier = 'default:r.moves'`
  const movers = Array.from({ length: 4 }, () => postgres(url, { max: 1 }))
  t.teardown(() => Promise.all(movers.map((one) => one.end())))
  let over = false
  /** Parked, queued, claimed, handed back or parked again, as fast as it goes. */
  const move = async (mover: postgres.Sql, n: number): Promise<void> => {
    const own = toQueryable(mover)
    while (!over) {
      await releaseDue(own, 20)
      const jobs =
        await mover`select id::text as job, attempts as claims from rowbeat.claim_v1(${`pool-${n}`}, ${[kind!.id]}::int[], 10)`
      if (jobs.length > 0 && Math.random() < 0.7)
        await finishRuns(
          own,
          'w',
          [`pool-${n}`],
          jobs.map(({ job, claims }) => ({ ...retry, job, claims, attempt: 1, allowed: 9 }) as FinishRow),
        )
      await handBack(own, [`pool-${n}`])
    }
  }
  const moving = movers.map(move)
  const answers: Record<string, number> = {}
  for (const id of ids) {
    const state = await revoke(id)
    answers[state] = (answers[state] ?? 0) + 1
  }
  await until(
    'all have ended',
    async () => {
      await settleRevocations(db)
      return (await sql`select from rowbeat.results where task = 'r.moves'`).length === RUNS
    },
    { timeout: 30_000 },
  )
  over = true
  await Promise.all(moving)
  t.comment(answers)
  t.ok(answers.REVOKED! > 0 && answers.PENDING! > 0, 'some waited and some were with a worker')
  t.match(
    await sql`select state, reason, count(*)::int as n from rowbeat.results where task = 'r.moves' group by 1, 2`,
    [{ state: 'REVOKED', reason: 'revoked', n: RUNS }],
  )
  await settleRevocations(db)
  t.strictSame(await standing(), [])
  t.equal((await sql`select from rowbeat.runs where task = 'r.moves'`).length, RUNS)
})

t.test('EXECUTE on revoke is enough to revoke, and for nothing else', async (t) => {
  const role = `revoker_${process.pid}`
  await admin.unsafe(
    `create role ${role}; grant usage on schema rowbeat to ${role}; grant execute on function rowbeat.revoke to ${role}`,
  )
  t.teardown(async () => {
    const again = postgres(adminUrl, { max: 1 })
    await again.unsafe(`drop owned by ${role} cascade; drop role ${role}`)
    await again.end()
  })
  const [waits, runs] = [await enqueue(), await claimed()]
  const as = (text: string): Promise<any> =>
    admin.begin(async (tx) => {
      await tx.unsafe(
        `create temp table revocations (run_id uuid) on commit drop; grant all on revocations to ${role}; set local role ${role}; set local search_path = pg_temp, pg_catalog`,
      )
      return await tx.unsafe(text)
    })
  t.match(await as(`select rowbeat.revoke('${waits}') as state`), [{ state: 'REVOKED' }])
  t.match(await as(`select rowbeat.revoke('${runs}', terminate => true) as state`), [{ state: 'PENDING' }])
  t.strictSame(await standing(), [{ id: runs, terminate: true, reason: null }])
  for (const text of [
    `select rowbeat.revoke_v1('${waits}', false, null)`,
    `select rowbeat.settle_revocations_v1()`,
    `select rowbeat.end_waiting_v2('${waits}', 'revoked', null, null)`,
    `select * from rowbeat.revocations`,
    `select * from rowbeat.runs`,
  ])
    await t.rejects(as(text), { code: '42501' }, text)
})
