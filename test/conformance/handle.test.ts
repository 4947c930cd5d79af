/**
 * One suite over every kind of database handle users have: a run enqueued through it belongs to its transaction, arrives
 * exactly as it was given, and is answered for in the same words.
 */
import { drizzle as drizzleNodePostgres } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import pg from 'pg'
import postgres from 'postgres'
import t from 'tap'
import { begin, driverOf, toQueryable } from '../../src/db/handle.ts'
import { createRowbeat, type DatabaseHandle } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

interface Kind {
  /** Commits when `work` returns, rolls back when it throws. */
  use(url: string, work: (handle: DatabaseHandle) => Promise<unknown>): Promise<unknown>
  /** Each statement commits by itself. */
  autocommit?: boolean
}

const withPostgresJs =
  (
    use: (sql: postgres.Sql, work: (handle: DatabaseHandle) => Promise<unknown>) => Promise<unknown>,
    options: object = {},
  ): Kind['use'] =>
  async (url, work) => {
    const sql = postgres(url, { max: 2, onnotice: () => {}, ...options })
    try {
      return await use(sql, work)
    } finally {
      await sql.end({ timeout: 1 })
    }
  }
const withPool =
  (
    use: (pool: pg.Pool, work: (handle: DatabaseHandle) => Promise<unknown>) => Promise<unknown>,
  ): Kind['use'] =>
  async (url, work) => {
    const pool = new pg.Pool({ connectionString: url, max: 2 })
    pool.on('error', () => {})
    try {
      return await use(pool, work)
    } finally {
      await pool.end()
    }
  }
const withClient: Kind['use'] = async (url, work) => {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query('begin')
    const value = await work(client)
    await client.query('commit')
    return value
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    await client.end()
  }
}

const KINDS: Record<string, Kind> = {
  'drizzle db': { use: withPostgresJs((sql, work) => work(drizzlePostgresJs(sql))), autocommit: true },
  'drizzle transaction': {
    use: withPostgresJs((sql, work) => drizzlePostgresJs(sql).transaction((tx) => work(tx))),
  },
  'drizzle savepoint': {
    use: withPostgresJs((sql, work) =>
      drizzlePostgresJs(sql).transaction((tx) => tx.transaction((inner) => work(inner))),
    ),
  },
  'postgres.js sql': { use: withPostgresJs((sql, work) => work(sql)), autocommit: true },
  'postgres.js transaction': { use: withPostgresJs((sql, work) => sql.begin((tx) => work(tx))) },
  'postgres.js savepoint': {
    use: withPostgresJs((sql, work) => sql.begin((tx) => tx.savepoint((inner) => work(inner)))),
  },
  'node-postgres Pool': { use: withPool((pool, work) => work(pool)), autocommit: true },
  'node-postgres Client': { use: withClient },
  'a client of a node-postgres Pool': { use: withPool((pool, work) => begin(pool, work)) },
  'drizzle db on node-postgres': {
    use: withPool((pool, work) => work(drizzleNodePostgres(pool))),
    autocommit: true,
  },
  'drizzle transaction on node-postgres': {
    use: withPool((pool, work) => drizzleNodePostgres(pool).transaction((tx) => work(tx))),
  },
  'postgres.js without prepared statements': {
    use: withPostgresJs((sql, work) => sql.begin((tx) => work(tx)), { prepare: false }),
  },
  'postgres.js that renames columns': {
    use: withPostgresJs((sql, work) => sql.begin((tx) => work(tx)), { transform: postgres.camel }),
  },
  'postgres.js that drizzle has touched': {
    use: withPostgresJs((sql, work) => {
      drizzlePostgresJs(sql)
      return sql.begin((tx) => work(tx))
    }),
  },
}

const INPUT = {
  text: 'Захар Беркут "\\" \' $1 :: 👩‍👩‍👧 </script>',
  numbers: [0, -1, 1.5, 2 ** 53 - 1, 1e-7, 1e21],
  nested: { list: [[[]], {}, null, true], '': { 'a.b': [false] } },
  instant: '2026-01-31T12:00:00.000Z',
  __proto__: undefined,
}

const { url, sql } = await setup(t)
const rowbeat = createRowbeat({ db: sql })
await sql`create table orders (kind text)`

for (const [name, { use, autocommit = false }] of Object.entries(KINDS)) {
  t.test(name, async (t) => {
    const kind = name.replaceAll(/\W/g, '_')
    const count = async (): Promise<number> =>
      (await sql`select count(*)::int as n from rowbeat.runs where task like ${`${kind}.%`}`)[0]!.n
    const orders = async (): Promise<number> =>
      (await sql`select count(*)::int as n from orders where kind = ${kind}`)[0]!.n

    await t.test('a run enqueued in a transaction is seen after its commit and not before', async (t) => {
      const handle = await use(url, async (handle) => {
        await toQueryable(handle).query('insert into orders values ($1)', [kind])
        const run = await rowbeat
          .in(handle)
          .enqueue(`${kind}.run`, INPUT, { queue: 'high', tags: ['a', 'ü'] })
        t.match(run.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/, 'the id is there before the commit')
        t.equal(await count(), autocommit ? 1 : 0)
        return run
      })
      const run = await (handle as ReturnType<typeof rowbeat.run>).get()
      t.strictSame(run?.input, JSON.parse(JSON.stringify(INPUT)), 'the input is exactly what was given')
      t.match(run, { state: 'PENDING', queue: 'high', tags: ['a', 'ü'], task: `${kind}.run` })
      t.equal(await count(), 1)
    })

    await t.test('a rollback leaves nothing of it', { skip: autocommit }, async (t) => {
      const broken = use(url, async (handle) => {
        await toQueryable(handle).query('insert into orders values ($1)', [kind])
        await rowbeat
          .in(handle)
          .enqueueMany([
            { task: `${kind}.a` },
            { task: `${kind}.b`, delay: '1h' },
            { task: `${kind}.c`, uniqueKey: 'k' },
          ])
        throw new Error('changed my mind')
      })
      await t.rejects(broken, { message: 'changed my mind' })
      t.equal(await count(), 1)
      t.equal(await orders(), 1)
    })

    await t.test('a revocation belongs to the transaction', async (t) => {
      const run = await rowbeat.enqueue(`${kind}.revoked`, {}, { delay: '1h' })
      const again = use(url, async (handle) => {
        t.equal(await rowbeat.in(handle).revoke(run, { reason: 'не треба' }), 'REVOKED')
        throw new Error('changed my mind')
      })
      await t.rejects(again, { message: 'changed my mind' })
      t.equal(await run.state(), autocommit ? 'REVOKED' : 'SCHEDULED')
      await use(url, (handle) => rowbeat.in(handle).revoke(run.id, { reason: 'не треба' }))
      t.match(await run.get(), { state: 'REVOKED', error: { name: 'RunRevoked', message: 'не треба' } })
      await run.forget()
    })

    await t.test('many are enqueued in order, and refusals come in the same words', async (t) => {
      await use(url, async (handle) => {
        const runs = await rowbeat.in(handle).enqueueMany(
          Array.from({ length: 50 }, (_, n) => ({
            task: `${kind}.many`,
            input: { n },
            delay: n % 2 ? '1h' : undefined,
          })),
        )
        t.equal(new Set(runs.map((run) => run.id)).size, 50)
        t.strictSame(
          runs.map((run) => run.id),
          runs.map((run) => run.id).toSorted(),
        )
        const again = await rowbeat.in(handle).enqueue(`${kind}.many`, {}, { id: runs[0]!.id })
        t.match(again, { id: runs[0]!.id, created: false })
      })
      t.equal(await count(), 51)
      const refused = use(url, (handle) => rowbeat.in(handle).enqueue('a', {}, { queue: 'No such' }))
      await t.rejects(refused, {
        name: 'EnqueueError',
        code: 'RB_OPTION_INVALID',
        faults: [{ pointer: '/queue', detail: /must match/ }],
      })
    })
  })
}

t.test('a rolled back savepoint takes its run along, and leaves the rest of the transaction', async (t) => {
  const { sql } = await setup(t)
  const db = drizzlePostgresJs(sql)
  const rowbeat = createRowbeat({ db })
  await db.transaction(async (tx) => {
    await rowbeat.in(tx).enqueue('outer')
    await tx
      .transaction(async (inner) => {
        await rowbeat.in(inner).enqueue('inner')
        throw new Error('not that')
      })
      .catch(() => {})
    await rowbeat.in(tx).enqueue('outer.again')
  })
  t.match(await sql`select task from rowbeat.runs order by id`, [{ task: 'outer' }, { task: 'outer.again' }])
})

t.test('a rowbeat on each kind of db enqueues, reads, waits and watches', async (t) => {
  const { url, sql } = await setup(t)
  const pool = new pg.Pool({ connectionString: url, max: 3 })
  const other = postgres(url, { max: 3 })
  const dbs = [other, drizzlePostgresJs(other), pool, drizzleNodePostgres(pool)]
  for (const db of dbs) {
    const rowbeat = createRowbeat({ db })
    const run = await rowbeat.enqueue('c.wait', { n: 1 })
    const seen: string[] = []
    const watched = (async () => {
      for await (const now of run.watch()) seen.push(now.state)
    })()
    const result = run.result({ timeout: '10s' })
    await sql`with j as (delete from rowbeat_queue._private_jobs where key = ${run.id} returning key::uuid as id)
      insert into rowbeat.results (id, task, queue, state, priority, result, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
      select id, 'c.wait', 'default', 'SUCCESS', 0, '[1]', 1, 1, 0, now(), now(), now(), now() from j, pg_notify('rowbeat_runs', j.id::text)`
    t.strictSame(await result, [1])
    await watched
    t.equal(seen.at(-1), 'SUCCESS')
    await rowbeat.close()
  }
  t.equal(pool.totalCount - pool.idleCount, 0, 'no client of the pool stays taken')
  await Promise.all([pool.end(), other.end({ timeout: 1 })])
})

t.test('what is no handle is refused when it is given, not when it is used', (t) => {
  const rowbeat = createRowbeat({ databaseUrl: 'postgres://localhost/never' })
  for (const wrong of [null, undefined, {}, 'postgres://x', 5, { execute() {}, transaction() {} }]) {
    t.throws(
      () => rowbeat.in(wrong as never),
      { code: 'RB_CONFIG_INVALID', message: /pass a drizzle db or transaction/ },
      String(wrong),
    )
    t.throws(() => driverOf(wrong as never), { code: 'RB_CONFIG_INVALID' })
  }
  t.throws(() => createRowbeat({}), {
    code: 'RB_CONFIG_INVALID',
    message: /give either db .* or databaseUrl/,
  })
  t.throws(() => createRowbeat({ db: {} as never, databaseUrl: 'x' }), { code: 'RB_CONFIG_INVALID' })
  t.end()
})
