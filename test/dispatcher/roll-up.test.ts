/** Rollups: what they count is what there is, whatever is stored meanwhile, in whatever parts it is counted. */
import t, { type Test } from 'tap'
import { coverSince } from '../../src/control/stats-cover.ts'
import { readRolled, readRollups, rollUp } from '../../src/db/statements/rollups.ts'
import { countFinished, STATS_KEYS, type StatsKey } from '../../src/db/statements/stats.ts'
import { createRollUp } from '../../src/dispatcher/roll-up.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

const { sql, db } = await setup(t)
const DAY = 86_400

type Sql = Pick<typeof sql, 'unsafe'>

/** Runs that ended at an instant in SQL, which may use `i`. */
async function finish(on: Sql, count: number, at = 'clock_timestamp()'): Promise<void> {
  await on.unsafe(`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, started_at, finished_at, keep_until, worker)
    select gen_random_uuid(), 'demo.' || i % 3, case when i % 2 = 0 then 'high' else 'default' end, case when i % 7 = 0 then 'FAILURE' when i % 11 = 0 then 'REVOKED' else 'SUCCESS' end,
      0, 1, 1, 0, at, at - interval '9 seconds', case when i % 11 <> 0 then at - i % 5 * interval '1 second' end, at, at + interval '1 year', 'w' || i % 4
    from (select i, ${at} as at from generate_series(1, ${count}) i offset 0) x`)
}

async function begin(): Promise<void> {
  await sql`truncate rowbeat.results, rowbeat.rollups`
  await sql`update rowbeat.rolled set done_at = '-infinity', half_at = '-infinity', day_at = '-infinity'`
}

/** By name: succeeded, failed, revoked, and how many there are of each class; from rollups, and from the results. */
async function sums(t: Test, by: StatsKey, since: number): Promise<[told: unknown, there: unknown]> {
  const rolled = await readRolled(db)
  const groups = coverSince(since, Infinity, rolled)
  const slices = coverSince(since, 1800, rolled)
  const figures = await readRollups(db, by, { step: 1800, slices, groups, most: 100 })
  const inOrder = (classes: [number, number][]): [number, number][] => classes.toSorted(([a], [b]) => a - b)
  const told = figures.groups
    .map(({ took, waited, ...rest }) => ({ ...rest, took: inOrder(took), waited: inOrder(waited) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const counts = await countFinished(db, by, { since, until: null, step: 60 })
  const there = [...Map.groupBy(counts, ({ key }) => key)]
    .map(([name, own]) => {
      const ended = (state: string): number =>
        own.filter((one) => one.by === 'took' && one.state === state).reduce((sum, { n }) => sum + n, 0)
      const classes = (kind: string): [number, number][] => {
        const sum = new Map<number, number>()
        for (const { by: one, span, n } of own)
          if (one === kind && span !== null) sum.set(span, (sum.get(span) ?? 0) + n)
        return inOrder([...sum])
      }
      return {
        name,
        succeeded: ended('SUCCESS'),
        failed: ended('FAILURE'),
        revoked: ended('REVOKED'),
        took: classes('took'),
        waited: classes('waited'),
      }
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const inSlices = figures.slices.reduce((sum, [, ...ended]) => sum + ended[0] + ended[1] + ended[2], 0)
  const inGroups = told.reduce((sum, one) => sum + one.succeeded + one.failed + one.revoked, 0)
  t.equal(inSlices, inGroups, 'slices and groups count the same')
  return [told, there]
}

async function compare(t: Test, since: number): Promise<void> {
  for (const by of STATS_KEYS) {
    const [told, there] = await sums(t, by, since)
    t.strictSame(told, there, `${by} since ${since}`)
  }
}

t.test('a history is counted in stretches of any length, and every period adds up', async (t) => {
  await begin()
  await finish(sql, 3000, `now() - interval '40 days' + i * interval '17 minutes'`)
  await finish(sql, 500, `now() - i * interval '7 minutes'`)
  const spans = [3600, 100, 5000, 40_000, 86_400, 700, 3 * DAY]
  for (let i = 0; ; i++) {
    const behind = await rollUp(db, spans[i % spans.length]!, 0)
    if (behind !== null && behind < 1) break
  }
  const [row] =
    await sql`select extract(epoch from date_bin('1 day', now(), '2000-01-01Z'))::float8 as today, extract(epoch from date_bin('1 minute', now(), '2000-01-01Z'))::float8 as minute`
  const { today, minute } = row as unknown as { today: number; minute: number }
  // Half hours where minutes are no more.
  for (const since of [
    today - 50 * DAY,
    today - 20 * DAY - 5400,
    today - 3 * DAY,
    minute - DAY,
    minute - 3600,
  ])
    await compare(t, since)
  const kept =
    await sql`select step, min(at) > now() - interval '51 hours' as young from rowbeat.rollups group by 1 order by 1`
  t.match(kept, [
    { step: 60, young: true },
    { step: 1800, young: false },
    { step: 86_400, young: false },
  ])
})

t.test('who was away for days is counted on from where it stopped', async (t) => {
  await begin()
  await finish(sql, 400, `now() - interval '6 days' + i * interval '2 minutes'`)
  // As if the last count had been in the middle of a half hour, by minutes, a week ago.
  await rollUp(db, 1, 0)
  await sql`update rowbeat.rolled set done_at = d.at + interval '10 minutes', half_at = d.at, day_at = d.at
    from (select date_bin('1 day', now() - interval '7 days', '2000-01-01Z') as at) d`
  await sql`truncate rowbeat.rollups`
  const count = createRollUp()
  while (await count(db, 0, 1000));
  const [row] =
    await sql`select extract(epoch from date_bin('1 day', now() - interval '8 days', '2000-01-01Z'))::float8 as since`
  await compare(t, row!['since'] as number)
})

t.test('nothing is left out and nothing twice while many finish and several count', async (t) => {
  await begin()
  let isOver = false
  const finishers = Array.from({ length: 3 }, async (_, n) => {
    for (let i = 0; !isOver; i++) {
      await sql.begin(async (tx) => {
        await finish(tx, 5)
        // Stored, and not yet to be seen.
        await tx.unsafe(`select pg_sleep(${((i * 7 + n) % 5) / 100})`)
      })
    }
  })
  const counters = Array.from({ length: 2 }, async () => {
    while (!isOver) await rollUp(db, DAY, 0)
  })
  await until('a thousand are counted', async () => {
    const [row] =
      await sql`select coalesce(sum(succeeded), 0)::int as n from rowbeat.rollups where by = 'queue' and step = 60`
    return row!['n'] > 1000
  })
  isOver = true
  await Promise.all([...finishers, ...counters])
  await rollUp(db, DAY, 0)
  const [row] =
    await sql`select extract(epoch from date_bin('1 day', now() - interval '1 day', '2000-01-01Z'))::float8 as since`
  await compare(t, row!['since'] as number)
})

t.test('what is stored and not yet committed is waited for, by the next counts too', async (t) => {
  await begin()
  await finish(sql, 1)
  await rollUp(db, DAY, 0)
  const counted = async (): Promise<number> => {
    const [row] =
      await sql`select sum(succeeded)::int as n from rowbeat.rollups where by = 'queue' and step = 60`
    return row!['n']
  }
  let commit = (): void => {}
  let stored = (): void => {}
  const isStored = new Promise<void>((resolve) => (stored = resolve))
  const held = sql.begin(async (tx) => {
    await finish(tx, 1)
    stored()
    await new Promise<void>((resolve) => (commit = resolve))
  })
  await isStored
  await finish(sql, 1)
  const before = await readRolled(db)
  await rollUp(db, DAY, 0)
  t.equal(await counted(), 1)
  t.strictSame(await readRolled(db), before, 'the count stands where it was')
  commit()
  await held
  await rollUp(db, DAY, 0)
  t.equal(await counted(), 3)
})

t.test('one counts for all: who comes soon after has nothing to do', async (t) => {
  await begin()
  await finish(sql, 1)
  await rollUp(db, DAY, 0)
  const before = await readRolled(db)
  t.equal(await rollUp(db, DAY, 60_000), 0)
  t.strictSame(await readRolled(db), before)
})
