/**
 * Plans on tables that have grown: what is asked a thousand times a second goes by an index, whatever waits. Counted by
 * PostgreSQL itself (pg_stat_user_tables): a scan of a whole table is a scan, however the statement is worded.
 */
import postgres from 'postgres'
import t from 'tap'
import { toQueryable } from '../../src/db/handle.ts'
import { releaseDue, releaseBacklog } from '../../src/db/statements/jobs.ts'
import { enqueueRuns, forgetRun, readRun } from '../../src/db/statements/runs.ts'
import { setup } from '../helpers/bundle.ts'

const { url, admin } = await setup(t)
const sql = postgres(url, { max: 1, onnotice: () => {} })
const db = toQueryable(sql)
const ROWS = 20_000

await sql`insert into rowbeat.tasks (name) values ('big.task')`
await sql`select rowbeat.enqueue('big.task'), rowbeat.enqueue('big.task', queue => 'high')`
await sql`insert into rowbeat_queue._private_jobs (task_id, payload, key, priority) select (select min(id) from rowbeat_queue._private_tasks), '{"input": {}}', rowbeat.uuid7()::text, 0 from generate_series(1, ${ROWS})`
await sql`insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
  select rowbeat.uuid7(), 'eta', now() + interval '1 day' + n * interval '1 second', 'big.task', 'default', 0, '{"input": {}}', now() from generate_series(1, ${ROWS}) n`
await sql`insert into rowbeat.parked (id, reason, task, queue, priority, payload, created_at)
  select rowbeat.uuid7(), 'overflow', 'big.task', 'high', 0, '{"input": {}}', now() from generate_series(1, ${ROWS}) n`
await sql`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
  select rowbeat.uuid7(), 'big.task', 'default', case when n % 100 = 0 then 'FAILURE' else 'SUCCESS' end, 0, 1, 1, 0, now(), now(), now(), now() + interval '1 day' from generate_series(1, ${ROWS}) n`
// Nothing overflows here by itself.
await sql`update rowbeat.queues set hot_limit = 1000000`
await admin`vacuum analyze`

interface Work {
  /** Scans of whole tables that are big here. */
  scans: number
  /** Rows read from tables, by index or scan. */
  rows: number
}

const BIG = `relname in ('_private_jobs', 'parked') or relname like 'results\\_%' and n_live_tup > 1000`
async function read(): Promise<Work> {
  await sql`select pg_stat_force_next_flush()`
  const [row] = await sql.unsafe(
    `select sum(seq_scan)::int as scans, sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int as rows from pg_stat_user_tables where ${BIG}`,
  )
  return row as never
}
async function cost(act: () => Promise<unknown>): Promise<Work> {
  const before = await read()
  await act()
  const after = await read()
  return { scans: after.scans - before.scans, rows: after.rows - before.rows }
}
const repeat = async (times: number, act: (n: number) => Promise<unknown>): Promise<void> => {
  for (let n = 0; n < times; n++) await act(n)
}
const ids = async (from: string): Promise<string[]> =>
  (await sql.unsafe(`select ${from.includes('jobs') ? 'key' : 'id::text'} as id from ${from} limit 12`)).map(
    (row) => row.id,
  )

t.test(
  'a run is looked up by index in each place, twelve times so that a generic plan has its chance',
  async (t) => {
    for (const place of ['rowbeat_queue._private_jobs', 'rowbeat.parked', 'rowbeat.results']) {
      const some = await ids(place)
      const { scans, rows } = await cost(() => repeat(12, async (n) => t.ok(await readRun(db, some[n]!))))
      t.equal(scans, 0, place)
      t.ok(rows <= 40, `${place}: ${rows} rows for 12 runs`)
    }
    const none = await cost(() =>
      repeat(12, async () => t.equal(await readRun(db, '0192a0f0-0000-7000-8000-0000000000ff'), null)),
    )
    t.match(none, { scans: 0, rows: 0 })
  },
)

t.test('the view goes to one day of results, by constant and by parameter', async (t) => {
  const [id] = await ids('rowbeat.results')
  const plan = async (text: string): Promise<string> =>
    (await sql.unsafe(text)).map((row) => row['QUERY PLAN']).join('\n')
  const constant = await plan(`explain select * from rowbeat.runs where id = '${id}'`)
  t.equal(constant.match(/ on results_\w+ /g)?.length, 1, constant)
  t.notMatch(constant, /Seq Scan on (_private_jobs|parked|results)/)
  await sql.unsafe(
    `set plan_cache_mode = force_generic_plan; prepare look (uuid) as select * from rowbeat.runs where id = $1 limit 1`,
  )
  const generic = await plan(`explain (analyze) execute look ('${id}')`)
  await sql.unsafe(`reset plan_cache_mode; deallocate look`)
  t.match(generic, /Subplans Removed: \d/)
  t.notMatch(generic, /Seq Scan on (_private_jobs|parked|results)/)
})

t.test('enqueue looks at no row of what waits, by name, id, key or many at once', async (t) => {
  const [known] = await ids('rowbeat.parked')
  const ways: [string, (n: number) => object[], number][] = [
    ['plain', () => [{ task: 'big.task' }], 0],
    [
      'another queue and options',
      (n) => [{ task: 'big.task', queue: 'high', priority: n, tags: ['a'], delay: n % 2 ? 60 : 0 }],
      0,
    ],
    ['a hundred', () => Array.from({ length: 100 }, (_, n) => ({ task: 'big.task', input: { n } })), 0],
    [
      'an own id',
      (n) => [{ task: 'big.task', id: `0192a0f0-0000-7000-8000-0000000001${String(n).padStart(2, '0')}` }],
      0,
    ],
    ['a known id', () => [{ task: 'big.task', id: known }], 12],
    ['a unique key', (n) => [{ task: 'big.task', unique_key: `k${n}` }], 0],
    ['a held unique key', (n) => [{ task: 'big.task', unique_key: `k${n}` }], 12],
    ['a replaced unique key', (n) => [{ task: 'big.task', unique_key: `k${n}`, on_conflict: 'replace' }], 36],
  ]
  for (const [name, runs, most] of ways) {
    const enqueue = async (n: number): Promise<unknown> => {
      // Now and then, by chance, an enqueue looks how full the hot table is: not now.
      await sql`select setseed(0.5)`
      return await enqueueRuns(db, JSON.stringify(runs(n)))
    }
    const { scans, rows } = await cost(() => repeat(12, enqueue))
    t.equal(scans, 0, name)
    t.ok(rows <= most, `${name}: ${rows} rows`)
  }
})

t.test('the dispatcher looks at what is due, not at what waits for another day', async (t) => {
  const idle = await cost(() => repeat(12, () => releaseDue(db, 1000)))
  t.match(idle, { scans: 0 })
  t.ok(idle.rows <= 24, `${idle.rows} rows to find that nothing is due`)
  await sql`update rowbeat.parked set release_at = now() where id = any (array(select id from rowbeat.parked where reason = 'eta' limit 50))`
  const due = await cost(async () => t.match(await releaseDue(db, 1000), { moved: 50 }))
  t.match(due, { scans: 0 })
  t.ok(due.rows <= 500, `${due.rows} rows to move 50`)
  const overflow = await cost(async () => t.match(await releaseBacklog(db, 'high', 100, false), { hot: 100 }))
  t.match(overflow, { scans: 0 })
  t.ok(overflow.rows <= 1000, `${overflow.rows} rows to move 100`)
})

t.test('a finished run is forgotten by index', async (t) => {
  const some = await ids('rowbeat.results')
  const { scans, rows } = await cost(() => repeat(5, async (n) => t.ok(await forgetRun(db, some[n]!))))
  t.equal(scans, 0)
  t.ok(rows <= 20, `${rows} rows`)
})

t.test(
  'the store was analysed when it was made: a session that began then has no bad plan to keep',
  async (t) => {
    const world = await setup(t)
    const tables =
      await world.sql`select relname, reltuples from pg_class where oid = any (array['rowbeat_queue._private_jobs', 'rowbeat_queue._private_tasks', 'rowbeat.parked', 'rowbeat.queues', 'rowbeat.tasks']::regclass[])`
    t.equal(tables.length, 5)
    for (const table of tables) t.ok(table.reltuples >= 0, table.relname)
    await sql.end({ timeout: 1 })
  },
)
