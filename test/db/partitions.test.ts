/** Results by day: ids find their day, days are made ahead and late, dropped when the last row may go, and nobody waits for it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  deleteExpired,
  dropOldDays,
  makeDays,
  sweepLeftovers,
  takeUpkeep,
} from '../../src/db/statements/upkeep.ts'
import { upkeep } from '../../src/dispatcher/upkeep.ts'
import { setup } from '../helpers/bundle.ts'
import { ROOT } from '../helpers/process.ts'

const { sql, db, admin } = await setup(t)

/** A result whose id is of that many days from now. */
const store = async (days: number, keep = '1 day', id?: string): Promise<string> => {
  const [row] =
    await sql`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    select coalesce(${id ?? null}::uuid, (left(rowbeat.uuid7_floor_v1(now() + ${days} * interval '1 day')::text, 14) || '7' || right(rowbeat.uuid7()::text, 21))::uuid),
      'p.run', 'default', 'SUCCESS', 0, 1, 1, 0, now(), now(), now(), now() + ${keep}::text::interval returning id::text as id`
  return row!.id
}
const place = async (id: string): Promise<string> =>
  (
    await sql`select tableoid::regclass::text as place from rowbeat.results where id = ${id}`
  )[0]!.place.replace('rowbeat.', '')
const day = async (days: number): Promise<string> =>
  (
    await sql`select 'results_' || to_char((now() at time zone 'UTC')::date + ${days}::int, 'YYYYMMDD') as name`
  )[0]!.name
const days = async (): Promise<string[]> =>
  (
    await sql`select relname from pg_inherits join pg_class on pg_class.oid = inhrelid where inhparent = 'rowbeat.results'::regclass order by 1`
  ).map((row) => row.relname)

t.test('a result lies in the day of its id; what has no day in the default partition', async (t) => {
  for (const n of [-1, 0, 1, 7]) t.equal(await place(await store(n)), await day(n), `${n} days`)
  for (const n of [-2, -400, 8, 4000]) t.equal(await place(await store(n)), 'results_default', `${n} days`)
  t.equal(
    await place(await store(0, '1 day', '9f0c1c1e-6a0b-4a4e-9d56-0d4a9bb8d0aa')),
    'results_default',
    'a random id',
  )
  t.equal(await place(await store(0, '1 day', '00000000-0000-0000-0000-000000000000')), 'results_default')
})

t.test('days are UTC, to the millisecond', async (t) => {
  const [row] =
    await sql`select (extract(epoch from (now() at time zone 'UTC')::date + 1) * 1000)::bigint::text as ms`
  const midnight = BigInt(row!.ms)
  const hex = (ms: bigint): string =>
    ms
      .toString(16)
      .padStart(12, '0')
      .replace(/(.{8})(.{4})/, '$1-$2')
  t.equal(await place(await store(0, '1 day', `${hex(midnight - 1n)}-7fff-bfff-ffffffffffff`)), await day(0))
  t.equal(await place(await store(0, '1 day', `${hex(midnight)}-7000-8000-000000000000`)), await day(1))
})

t.test('the lowest id of a moment is not above what is made in it', async (t) => {
  const rows =
    await sql`select rowbeat.uuid7_floor_v1(at) <= rowbeat.uuid7() as below, rowbeat.uuid7_floor_v1(at + interval '2 ms') > id as above
    from (select clock_timestamp() as at, rowbeat.uuid7() as id from generate_series(1, 2000)) x`
  t.ok(rows.every((row) => row.below && row.above))
  t.match(await sql`select rowbeat.uuid7_floor_v1('1970-01-01 00:00:00.001999+00') as id`, [
    { id: '00000000-0001-0000-0000-000000000000' },
  ])
})

t.test('a day made late takes its rows out of the default partition', async (t) => {
  const late = await store(9)
  const later = await store(10)
  t.equal(await place(late), 'results_default')
  t.equal(await makeDays(db, 9), 2, 'the 8th and the 9th')
  t.equal(await makeDays(db, 9), 0)
  t.equal(await place(late), await day(9))
  t.equal(await place(later), 'results_default')
  t.match(await sql`select count(*)::int as n from rowbeat.results where id in (${late}, ${later})`, [
    { n: 2 },
  ])
  const indexes =
    await sql`select count(*)::int as n from pg_index where indrelid = ('rowbeat.' || ${await day(9)})::regclass`
  t.match(
    indexes,
    await sql`select count(*)::int as n from pg_index where indrelid = 'rowbeat.results_default'::regclass`,
    'with all its indexes',
  )
})

t.test(
  'making a day waits for nobody, and holds up nobody, when the default partition is busy',
  async (t) => {
    const busy = await admin.reserve()
    await busy`begin`
    await busy`select from rowbeat.results_default limit 1`
    const startedAt = performance.now()
    t.equal(await makeDays(db, 11), 0)
    t.ok(performance.now() - startedAt < 2000)
    await busy`commit`
    busy.release()
    t.equal(await makeDays(db, 11), 2)
  },
)

t.test(
  'a day is dropped when its last row may go, and not before; yesterday and the default one stay',
  async (t) => {
    for (const n of [-5, -4, -3, -2])
      await sql`select rowbeat.make_partition_v1((now() at time zone 'UTC')::date + ${n}::int)`
    await store(-5, '-1 hour')
    await store(-4, '-1 hour')
    const kept = await store(-4, '1 hour')
    await store(-1, '-1 hour')
    const dropped = await dropOldDays(db)
    t.strictSame(dropped, [await day(-5), await day(-3)], 'two days ago has a row of the first test')
    const left = await days()
    t.ok(left.includes(await day(-4)) && left.includes(await day(-1)) && left.includes('results_default'))
    t.equal(await place(kept), await day(-4))
    t.strictSame(await dropOldDays(db), [])
  },
)

t.test('a day that somebody reads is dropped at a later round, and nobody waits', async (t) => {
  await sql`update rowbeat.results set keep_until = now() - interval '1 hour' where id < rowbeat.uuid7_floor_v1(now() - interval '3 days')`
  const reader = await admin.reserve()
  await reader`begin`
  await reader`select from rowbeat.results limit 1`
  const startedAt = performance.now()
  t.strictSame(await dropOldDays(db), [])
  t.ok(performance.now() - startedAt < 2000)
  await reader`commit`
  reader.release()
  t.strictSame(await dropOldDays(db), [await day(-4)])
})

t.test(
  'what expires before its day is over is deleted in batches, with all that belongs to it',
  async (t) => {
    const ids = []
    for (let n = 0; n < 5; n++) ids.push(await store(0, '-1 minute'))
    const kept = await store(0)
    for (const id of [...ids, kept]) {
      await sql`insert into rowbeat.attempts (run_id, attempt, outcome, finished_at) values (${id}, 1, 'failed', now())`
      await sql`insert into rowbeat.logs (run_id, at, attempt, level, message) values (${id}, now(), 1, 'info', 'x')`
      await sql`insert into rowbeat.progress (run_id, current, at) values (${id}, 1, now())`
    }
    const due = (await sql`select count(*)::int as n from rowbeat.results where keep_until < now()`)[0]!.n
    let deleted = 0
    for (let batch; (batch = await deleteExpired(db, 2)) > 0;) {
      t.ok(batch <= 2)
      deleted += batch
    }
    t.equal(deleted, due)
    for (const table of ['attempts', 'logs', 'progress'])
      t.match(await sql.unsafe(`select run_id from rowbeat.${table}`), [{ run_id: kept }], table)
  },
)

t.test('what belongs to runs that are nowhere any more is swept; keys of finished runs too', async (t) => {
  const [gone, known] = [await store(-30), await store(-31)]
  const [queued] = await sql`select rowbeat.enqueue('p.run', unique_key => 'live')::text as id`
  await sql`delete from rowbeat.results where id = ${gone}`
  for (const id of [gone, known, queued!.id])
    await sql`insert into rowbeat.logs (run_id, at, attempt, level, message) values (${id}, now(), 1, 'info', 'sweep')`
  await sql`insert into rowbeat.unique_keys (hash, run_id) values ('\\x00', ${gone}), ('\\x01', ${known})`
  await sweepLeftovers(db, 100)
  t.strictSame(
    (await sql`select run_id from rowbeat.logs where message = 'sweep' order by run_id`).map(
      (row) => row.run_id,
    ),
    [known, queued!.id].sort(),
  )
  t.match(await sql`select run_id from rowbeat.unique_keys`, [{ run_id: queued!.id }])
})

t.test('of many processes one does the upkeep of an interval', async (t) => {
  await sql`update rowbeat.upkeep set taken_at = '-infinity'`
  const taken = await Promise.all(Array.from({ length: 10 }, () => takeUpkeep(db, 60_000)))
  t.equal(taken.filter(Boolean).length, 1)
  t.equal(await upkeep(db, 60_000), null)
  t.match(await upkeep(db, 0), { made: 0, dropped: [], deleted: 0 })
})

t.test('ids are UUIDv7 also where PostgreSQL has no function for them', async (t) => {
  const migration = readFileSync(join(ROOT, 'drizzle/0001_pre_store.sql'), 'utf8')
  const body = /else\s+create function rowbeat\.uuid7\(\) (returns uuid .*? as \$f\$.*?\$f\$)/s.exec(
    migration,
  )?.[1]
  await sql.unsafe(`create function rowbeat.uuid7_old() ${body}`)
  for (const name of ['uuid7_old', 'uuid7']) {
    const rows = await sql.unsafe(
      `select clock_timestamp() as before, rowbeat.${name}()::text as id, clock_timestamp() as after from generate_series(1, 3000)`,
    )
    t.ok(
      rows.every(({ id }) =>
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id),
      ),
      name,
    )
    t.equal(new Set(rows.map((row) => row.id)).size, 3000, 'no two alike')
    const ms = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)
    t.ok(
      rows.every(({ id, before, after }) => ms(id) >= before.getTime() - 1 && ms(id) <= after.getTime() + 1),
      'of their time',
    )
    t.equal(new Set(rows.map(({ id }) => id[19])).size, 4, 'all variants')
    t.ok(new Set(rows.map(({ id }) => id.slice(20))).size > 2990)
  }
})
