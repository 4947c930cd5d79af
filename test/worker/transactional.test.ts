/** Transactional tasks: their effects and their outcome commit together, whatever kind of handle the transaction is. */
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { drizzle } from 'drizzle-orm/postgres-js'
import { sql as text } from 'drizzle-orm'
import pg from 'pg'
import postgres from 'postgres'
import t from 'tap'
import { Discard, Retry, task } from '../../src/index.ts'
import type { DatabaseHandle } from '../../src/index.ts'
import { begin } from '../../src/db/handle.ts'
import { setup } from '../helpers/bundle.ts'
import { entry, makeLedger, scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

t.setTimeout(60_000)

const { url, sql } = await setup(t)
await makeLedger(sql)
const clear = () =>
  sql`truncate ledger, rowbeat_queue._private_jobs, rowbeat.parked, rowbeat.results, rowbeat.attempts`
const count = async () =>
  (
    await sql`select (select count(*)::int from ledger) as effects, (select count(distinct run)::int from ledger) as runs,
    (select count(*)::int from rowbeat.results where state = 'SUCCESS') as good, (select count(*)::int from rowbeat.results where state <> 'SUCCESS') as bad`
  )[0]!

type Insert = (tx: any, run: string) => PromiseLike<unknown>
const kinds: Record<
  string,
  { open(): { db: DatabaseHandle | undefined; end(): Promise<void> }; insert: Insert }
> = {
  'postgres.js, opened by the worker': {
    open: () => ({ db: undefined, end: async () => {} }),
    insert: (tx: postgres.TransactionSql, run) => tx`insert into ledger values (${run}, 1)`,
  },
  drizzle: {
    open() {
      const client = postgres(url, { max: 8, onnotice: () => {} })
      return { db: drizzle(client), end: () => client.end() }
    },
    insert: (tx, run) => tx.execute(text`insert into ledger values (${run}, 1)`),
  },
  'node-postgres': {
    open() {
      const pool = new pg.Pool({ connectionString: url, max: 8 })
      return { db: pool, end: () => pool.end() }
    },
    insert: (tx: pg.PoolClient, run) => tx.query('insert into ledger values ($1, 1)', [run]),
  },
}

for (const [name, { open, insert }] of Object.entries(kinds)) {
  t.test(`with ${name} an effect happens with its result or not at all`, async (t) => {
    await clear()
    const { db, end } = open()
    t.teardown(end)
    const book = task(
      'test.book',
      { transactional: true, attemptsMax: 3, retry: { backoff: 'constant', base: 0.02 } },
      async ({ fate }: { fate: string }, { tx, run }) => {
        await insert(tx, run.id)
        if (fate === 'fail') throw new Error('after its effect')
        if (fate === 'flaky' && run.attempt < 3) throw new Retry()
        if (fate === 'discard') throw new Discard('after its effect')
        if (fate === 'bad') return 1n
        return run.attempt
      },
    )
    const { rowbeat, heard } = await startWorker(t, url, { tasks: [book], db, queues: { default: 4 } })
    const fates = [...Array(20).fill('good'), ...Array(5).fill('flaky'), 'fail', 'discard']
    await rowbeat.enqueueMany(fates.map((fate) => ({ task: book, input: { fate } })))
    await until('all ended', async () => (await sql`select from rowbeat.results`).length === 27)
    t.match(await count(), { effects: 25, runs: 25, good: 25, bad: 2 })
    t.equal((await sql`select from rowbeat.results where attempt = 3 and state = 'SUCCESS'`).length, 5)
    t.equal(
      (await sql`select from ledger l join rowbeat.results r on r.id = l.run where r.state <> 'SUCCESS'`)
        .length,
      0,
    )
    t.equal(heard.refused.length, 0)
    t.equal(heard.finished.filter(({ state }) => state === 'SUCCESS').length, 25, 'and its end is told')
  })
}

t.test('a transaction whose lease was lost meanwhile is rolled back', async (t) => {
  await clear()
  const { rowbeat, heard, worker } = await startWorker(t, url)
  const { id } = await rowbeat.enqueue(entry, { ms: 300 })
  await until('it runs', () => worker.running === 1)
  await sql`update rowbeat_queue._private_jobs set locked_by = 'somebody else'`
  await until('its outcome was refused', () => heard.refused.length === 1)
  t.match(await count(), { effects: 0, good: 0 })
  await sql`update rowbeat_queue._private_jobs set locked_by = null, locked_at = null`
  await rowbeat.run(entry, id).result({ timeout: '5s' })
  t.match(await count(), { effects: 1, good: 1 })
})

t.test('a stopping worker rolls back what does not end, uncounted', async (t) => {
  await clear()
  const { rowbeat, worker } = await startWorker(t, url)
  const { id } = await rowbeat.enqueue(entry, { fate: 'hang' })
  await until('it runs', () => worker.running === 1)
  await worker.stop({ grace: '50ms' })
  t.match(await count(), { effects: 0, good: 0, bad: 0 })
  t.match(await rowbeat.run(entry, id).get(), { state: 'PENDING', attempt: 0 })
  t.match(await sql`select outcome from rowbeat.attempts where run_id = ${id}`, [{ outcome: 'handed_back' }])
})

t.test('a connection that breaks in a transaction costs a try, never an effect too many', async (t) => {
  await clear()
  const { admin } = await setup(t)
  const { rowbeat, worker } = await startWorker(t, url, { queues: { default: 5 } })
  const runs = await rowbeat.enqueueMany(
    Array.from({ length: 40 }, () => ({
      task: entry,
      input: { ms: 100 },
      attemptsMax: 50,
      retry: { backoff: 'constant' as const, base: 0.02 },
    })),
  )
  const name = new URL(url).pathname.slice(1)
  let cuts = 0
  await until(
    'all ended',
    async () => {
      if (cuts < 8) {
        const cut = await admin`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = ${name} and application_name = 'rowbeat task' and state like 'idle in transaction%'`
        if (cut.length > 0) cuts++
      }
      return (await sql`select from rowbeat.results`).length === 40
    },
    { timeout: 25_000 },
  )
  t.ok(cuts > 0, `${cuts} cuts`)
  t.match(await count(), { effects: 40, runs: 40, good: 40 })
  t.equal(runs.length, 40)
  t.equal(worker.running, 0)
})

t.test('context.tx is refused to a task that did not ask for it', async (t) => {
  await clear()
  const plain = task('test.plain', {}, (_: object, { tx }) => void tx)
  const { rowbeat } = await startWorker(t, url, { tasks: [plain, scripted] })
  const run = await rowbeat.enqueue(plain, {})
  await t.rejects(run.result({ timeout: '5s' }), { message: /transactional: true/ })
})

t.test('a transaction that is over refuses whatever is asked of it', async (t) => {
  await clear()
  const client = postgres(url, { max: 1, onnotice: () => {} })
  t.teardown(() => client.end())
  const over = { code: 'RB_TRANSACTION_OVER' }
  const insert = (tx: any) => tx`insert into ledger values (gen_random_uuid(), 1)`
  for (const how of ['committed', 'rolled back', 'broken'] as const) {
    let kept: any
    let nested: any
    const done = begin(client, async (tx: any) => {
      kept = tx
      await insert(tx)
      await tx.savepoint(async (inner: any) => {
        nested = inner
        await insert(inner)
      })
      if (how === 'rolled back') throw new Error('on purpose')
      if (how !== 'broken') return
      const [{ pid }] = await tx`select pg_backend_pid() as pid`
      await sql`select pg_terminate_backend(${pid})`
      await until('it is over', () => {
        try {
          return void tx.json({})
        } catch {
          return true
        }
      })
      await insert(tx)
    })
    if (how === 'committed') await done
    else await t.rejects(done, how === 'broken' ? { code: 'CONNECTION_CLOSED' } : { message: 'on purpose' })
    await begin(client, async (other: any) => {
      await insert(other)
      t.throws(() => insert(kept), over, `${how}: not into the transaction of somebody else`)
      t.throws(() => insert(nested), over)
      t.throws(() => kept.unsafe('select 1'), over)
    })
  }
  t.match(await count(), { effects: 2 + 3 })
})

/** Without asking the database: postgres.js loses a connection for good that closes while something is being sent. */
function isOver(client: any): boolean {
  try {
    if (typeof client.json === 'function') client.json({})
    else return !client._queryable
  } catch {
    return true
  }
  return false
}

t.test('a drizzle transaction whose connection broke refuses too, and harms nobody', async (t) => {
  await clear()
  const client = postgres(url, { max: 1, onnotice: () => {} })
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  pool.on('error', () => {})
  t.teardown(() => Promise.all([client.end(), pool.end()]))
  for (const db of [drizzle(client), drizzlePg(pool)]) {
    const insert = text`insert into ledger values (gen_random_uuid(), 1)`
    const broken = begin(db as DatabaseHandle, async (tx: any) => {
      await tx.execute(insert)
      const rows = await tx.execute(text`select pg_backend_pid() as pid`)
      const { pid } = (rows.rows ?? rows)[0]
      await sql`select pg_terminate_backend(${pid})`
      await until(
        'its session is gone',
        async () => (await sql`select from pg_stat_activity where pid = ${pid}`).length === 0,
      )
      await until('that is known', () => isOver(tx.session.client))
      await tx.execute(insert)
    })
    await t.rejects(broken)
    // The next may still be given the connection that is about to be noticed as broken.
    await until('another works', () => begin(db as DatabaseHandle, (tx: any) => tx.execute(insert)))
  }
  t.match(await count(), { effects: 2 })
})
