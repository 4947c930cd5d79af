/** Failures in groups: what upkeep counts is what a plain reading of all results finds, whenever it looks and however late they come. */
import t from 'tap'
import { PROCESS } from '../../src/auth/scopes.ts'
import { createFailureControl, type FailuresDocument } from '../../src/control/failures.ts'
import { readRunPage } from '../../src/control/run-page.ts'
import { cleanFailures, countFailures } from '../../src/db/statements/failures.ts'
import { createRowbeat } from '../../src/index.ts'
import { parseSearch } from '../../src/results/search/search.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'

interface Failed {
  task?: string
  name?: string
  message?: string
  code?: string | null
  stack?: string | null
  /** Seconds ago. */
  ago?: number
  state?: string
}

async function fail({ sql }: Bundle, rows: readonly Failed[]): Promise<string[]> {
  const given = rows.map(({ task = 'books.import', ago = 0, state = 'FAILURE', ...error }) => ({
    task,
    ago,
    state,
    error: { name: 'TypeError', message: 'no', code: null, stack: null, cause: null, ...error },
  }))
  const stored =
    await sql`insert into rowbeat.results (id, task, queue, state, priority, error, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    select rowbeat.uuid7(), r.task, 'default', r.state, 0, r.error, 1, 1, 0, now(), now(), clock_timestamp() - r.ago * interval '1 second', now() + interval '40 days'
    from jsonb_to_recordset(${sql.json(given as never)}) r(task text, ago float8, state text, error jsonb) returning id`
  return stored.map(({ id }) => id as string)
}

/** Begins where a store with a history begins. */
async function rewind({ sql }: Bundle): Promise<void> {
  await sql`update rowbeat.failures_read set until_at = clock_timestamp() - interval '30 days'`
}

const read = async (
  { db }: Bundle,
  query: { period?: number; task?: string } = {},
): Promise<FailuresDocument> =>
  await createFailureControl(db).list(PROCESS, { period: 86_400, limit: 50, ...query })

const count = async ({ db }: Bundle): Promise<void> => {
  for (let isOver = false; !isOver;) {
    await countFailures(db, 0)
    const [row] = await db.query<{ over: boolean }>(
      `select until_at > clock_timestamp() - interval '10 minutes' as over from rowbeat.failures_read`,
    )
    isOver = row!.over
  }
}

const STACK = (line: number, root: string): string =>
  `TypeError: no title\n    at JSON.parse (<anonymous>)\n    at async parseRow (${root}/src/csv.ts:${line}:7)\n    at load (${root}/src/load.ts:3:1)`

t.test('line, machine, message and code make no other group; task, name and place do', async (t) => {
  const world = await setup(t)
  await fail(world, [
    { stack: STACK(12, 'file:///srv/a'), message: 'row 1', ago: 30 },
    { stack: STACK(99, 'file:///srv/b/releases/7'), message: 'row 2', code: 'E_ROW', ago: 20 },
    { stack: STACK(12, 'file:///srv/a'), task: 'books.check', ago: 10 },
    { stack: STACK(12, 'file:///srv/a'), name: 'RangeError', ago: 10 },
    { stack: STACK(12, 'file:///srv/a').replace('csv.ts', 'tsv.ts'), ago: 10 },
    { stack: STACK(12, 'file:///srv/a'), state: 'REVOKED', ago: 10 },
  ])
  await rewind(world)
  await count(world)
  const { items, at } = await read(world)
  t.ok(Date.parse(at) > Date.now() - 60_000)
  t.strictSame(items.map(({ task, name, frame, count: n }) => [task, name, frame, n]).toSorted(), [
    ['books.check', 'TypeError', 'parseRow (src/csv.ts)', 1],
    ['books.import', 'RangeError', 'parseRow (src/csv.ts)', 1],
    ['books.import', 'TypeError', 'parseRow (src/csv.ts)', 2],
    ['books.import', 'TypeError', 'parseRow (src/tsv.ts)', 1],
  ])
  t.match(items[0], { count: 2, message: 'row 2', code: 'E_ROW' }, 'the largest first, told as its latest')
  t.equal(
    items[0]!.slices.reduce((sum, n) => sum + n, 0),
    2,
  )
  t.strictSame((await read(world, { task: 'books.check' })).items.length, 1)
})

t.test('the place is the first line of the stack that is of the project', async (t) => {
  const { sql } = await setup(t)
  const frames: [stack: string | null, frame: string][] = [
    ['E: x\n    at file:///a/b/tasks.ts:1:2\n    at y (z)', 'b/tasks.ts'],
    ['E\n    at new Foo (C:\\app\\src\\x.ts:3:4)', 'new Foo (src\\x.ts)'],
    ['E\n    at process.x (node:internal/a:1:2)', 'process.x (node:internal/a)'],
    ['E\n    at q (/app/node_modules/pg/lib/q.js:1:2)\n    at save (/app/src/db.ts:4:2)', 'save (src/db.ts)'],
    ['E: has (a bracket\n    at Object.<anonymous> (/app/a b/c.ts:1:1)', 'Object.<anonymous> (a b/c.ts)'],
    ['nothing to see', ''],
    [null, ''],
  ]
  for (const [stack, frame] of frames) {
    const [row] = await sql`select rowbeat.failure_frame_v1(${stack}::text) as frame`
    t.equal(row!.frame, frame, String(stack))
  }
})

t.test('whatever comes late, and however often it is looked, each failure is counted once', async (t) => {
  const world = await setup(t)
  const { sql } = world
  await fail(
    world,
    Array.from({ length: 400 }, (_, i) => ({ name: `E${i % 7}`, ago: (i * 613) % (20 * 86_400) })),
  )
  await rewind(world)
  await count(world)
  for (let round = 0; round < 4; round++) {
    // Stored some seconds after its instant, as by a transaction that took its time.
    await fail(world, [{ ago: 6 }, { ago: 0.5 }, { name: 'E1', ago: 3 }])
    await count(world)
    await count(world)
  }
  const counted =
    await sql`select g.name, sum(c.n)::integer as n from rowbeat.failure_counts c join rowbeat.failure_groups g using (fingerprint) group by 1 order by 1`
  const plain =
    await sql`select error->>'name' as name, count(*)::integer as n from rowbeat.results where state = 'FAILURE' group by 1 order by 1`
  t.strictSame([...counted], [...plain])
  const [seen] = await sql`select count(*)::integer as n from rowbeat.failures_seen`
  t.ok(seen!.n < 20, 'and those of long ago are not remembered')
})

t.test('one caller counts in an interval', async (t) => {
  const { db } = await setup(t)
  const turns = await Promise.all([1, 2, 3, 4].map(() => countFailures(db, 60_000)))
  t.equal(turns.filter(Boolean).length, 1)
})

t.test('a period is told in slices, and what was before it is not', async (t) => {
  const world = await setup(t)
  await fail(world, [{ ago: 60 }, { ago: 5 * 3600 }, { ago: 5 * 3600 + 60 }, { ago: 3 * 86_400 }])
  await rewind(world)
  await count(world)
  const day = await read(world)
  t.match(day, { period: 86_400, step: 3600, items: [{ count: 3 }] })
  t.equal(day.items[0]!.slices.length, 25)
  t.ok(day.items[0]!.slices.slice(-2).includes(1), 'the latest at the end')
  t.match(await read(world, { period: 3600 }), { step: 600, items: [{ count: 1 }] })
  t.match(await read(world, { period: 7 * 86_400 }), { step: 28_800, items: [{ count: 4 }] })
})

t.test('its search finds the runs of a group, in a list and for an operation', async (t) => {
  const world = await setup(t)
  const [first] = await fail(world, [
    { stack: STACK(1, '/a') },
    { name: 'RangeError' },
    { name: 'RangeError' },
  ])
  await rewind(world)
  await count(world)
  const group = (await read(world)).items.find(({ name }) => name === 'TypeError')!
  const { search } = parseSearch(group.q, Date.now()) as Extract<
    ReturnType<typeof parseSearch>,
    { faults: [] }
  >
  const page = await readRunPage(world.db, { states: search.states!, where: search.where, limit: 10 })
  t.strictSame(
    page.items.map(({ id }) => id),
    [first],
  )
  const rowbeat = createRowbeat({ db: world.sql })
  const { id } = await rowbeat.operate('delete', { q: group.q })
  const [{ ids }] =
    (await world.sql`select n.ids from rowbeat.operations o cross join lateral rowbeat.operation_next_v1(o, 100) n where o.id = ${id}`) as unknown as [
      { ids: string[] },
    ]
  t.strictSame(ids, [first])
})

t.test('what failed too long ago is forgotten', async (t) => {
  const world = await setup(t)
  await fail(world, [{ ago: 20 * 86_400 }, { name: 'RangeError', ago: 86_400 }])
  await rewind(world)
  await count(world)
  await cleanFailures(world.db, 10)
  const left = await world.sql`select name from rowbeat.failure_groups`
  t.strictSame(
    left.map(({ name }) => name),
    ['RangeError'],
  )
  const [{ n }] = (await world.sql`select count(*)::integer as n from rowbeat.failure_counts`) as unknown as [
    { n: number },
  ]
  t.equal(n, 1)
})
