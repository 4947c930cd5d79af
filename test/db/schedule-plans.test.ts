/**
 * What a beat asks each second, and what a tick does, goes by an index however many schedules there are that are not due.
 * Counted by PostgreSQL itself, as in plans.test.ts; and a beat that has nothing to do asks one thing a second.
 */
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { toQueryable } from '../../src/db/handle.ts'
import {
  armSchedules,
  fireSchedules,
  lookAhead,
  readDue,
  readUnarmed,
  type DueRow,
} from '../../src/db/statements/beat.ts'
import { startBeatProcess } from '../helpers/beat.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'
import { startProxy } from '../helpers/proxy.ts'
import { until } from '../helpers/wait.ts'

t.setTimeout(120_000)
const ROWS = 5000
const FACTS = { rssBytes: 0, loopLagMs: 0, skewMs: 0, stopping: false }

interface Work {
  scans: number
  rows: number
}

interface Scene {
  world: Bundle
  db: ReturnType<typeof toQueryable>
  cost(table: 'schedules' | 'firings', act: () => Promise<unknown>): Promise<Work>
}

/** One session, and schedules that are due tomorrow; twice as many firings when `fired`. */
async function setScene(t: Test, { rows = ROWS, fired = false } = {}): Promise<Scene> {
  const world = await setup(t)
  const sql = postgres(world.url, { max: 1, onnotice: () => {} })
  t.teardown(() => sql.end({ timeout: 1 }))
  await addSchedules(world, rows)
  await armAll(world)
  if (fired) await addFirings(world)
  await world.admin`vacuum analyze`
  const read = async (table: string): Promise<Work> => {
    await sql`select pg_stat_force_next_flush()`
    const [row] = await sql`
      select seq_scan::int as scans, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int as rows from pg_stat_user_tables where schemaname = 'rowbeat' and relname = ${table}`
    return row as unknown as Work
  }
  return {
    world,
    db: toQueryable(sql),
    async cost(table, act) {
      const before = await read(table)
      await act()
      const after = await read(table)
      return { scans: after.scans - before.scans, rows: after.rows - before.rows }
    },
  }
}

async function addSchedules({ sql }: Bundle, count: number): Promise<void> {
  await sql`insert into rowbeat.schedules (name, task, schedule)
    select 'tomorrow ' || rowbeat.uuid7(), 'big.task', '{"kind": "interval", "every": 7, "period": "days"}' from generate_series(1, ${count})`
}

async function armAll({ sql }: Bundle): Promise<void> {
  await sql`update rowbeat.schedules set next_run_at = now() + interval '1 day' + random() * interval '1 day' where next_run_at is null`
}

async function addFirings({ sql }: Bundle): Promise<void> {
  await sql`insert into rowbeat.firings (schedule_id, due_at, state, run_id, fired_at, version)
    select s.id, now() - n * interval '1 day', 'fired', rowbeat.uuid7(), now(), 1 from rowbeat.schedules s, generate_series(1, 2) n`
}

/** Makes some rows due this moment. */
async function makeDue({ sql }: Bundle, count: number): Promise<void> {
  await sql`update rowbeat.schedules set next_run_at = date_trunc('milliseconds', clock_timestamp())
    where id = any (array(select id from rowbeat.schedules where next_run_at > now() limit ${count}))`
}

const decide = ({ id, version, since, dueMs }: DueRow) => ({
  id,
  version,
  since,
  seen: new Date(dueMs).toISOString(),
  fire: [new Date(dueMs).toISOString()],
  missed: null,
  next: new Date(dueMs + 7 * 86_400_000).toISOString(),
})

const repeat = async (times: number, act: () => Promise<unknown>): Promise<void> => {
  for (let n = 0; n < times; n++) await act()
}

t.test(
  'a look at 5,000 schedules reads a row of them at most, and so do those for due and new ones',
  async (t) => {
    const { db, cost } = await setScene(t)
    const looks: [string, () => Promise<unknown>, number][] = [
      ['look', () => lookAhead(db, 'nobody', FACTS), 1],
      ['due', () => readDue(db, 1000), 0],
      ['unarmed', () => readUnarmed(db, 1000), 0],
    ]
    for (const [name, look, most] of looks) {
      // Twelve times, so that a generic plan has its chance.
      const { scans, rows } = await cost('schedules', () => repeat(12, look))
      t.equal(scans, 0, name)
      t.ok(rows <= 12 * most, `${name}: ${rows} rows of 12 looks`)
    }
  },
)

t.test('nor does a session look at more that began when there were few, and then all were new', async (t) => {
  const { world, db, cost } = await setScene(t, { rows: 1 })
  const looks: [string, () => Promise<unknown>][] = [
    ['look', () => lookAhead(db, 'nobody', FACTS)],
    ['due', () => readDue(db, 1000)],
    ['unarmed', () => readUnarmed(db, 1000)],
  ]
  await repeat(12, async () => {
    for (const [, look] of looks) await look()
  })
  await addSchedules(world, ROWS)
  await world.admin`analyze rowbeat.schedules`
  await repeat(12, async () => {
    for (const [, look] of looks) await look()
  })
  await armAll(world)
  for (const [name, look] of looks) {
    // The first ones pass over what the arming left behind, and mark it.
    await repeat(2, look)
    const { scans, rows } = await cost('schedules', () => repeat(12, look))
    t.equal(scans, 0, name)
    t.ok(rows <= 12, `${name}: ${rows} rows of 12 looks`)
  }
})

t.test('a tick touches what is due, in a session that began when nothing had been fired yet', async (t) => {
  const { world, db, cost } = await setScene(t)
  const tick = async (count: number): Promise<void> => {
    await makeDue(world, count)
    const due = await readDue(db, 1000)
    t.match(await fireSchedules(db, due.map(decide)), { fired: count })
  }
  await repeat(12, () => tick(3))
  await addFirings(world)
  const schedules = await cost('schedules', () => tick(50))
  t.equal(schedules.scans, 0)
  const firings = await cost('firings', () => repeat(5, () => tick(10)))
  t.equal(firings.scans, 0)
  t.ok(firings.rows <= 100, `${firings.rows} rows of firings for 50`)
})

t.test('a tick and an arming touch their own rows among 10,000 firings', async (t) => {
  const { world, db, cost } = await setScene(t, { fired: true })
  await makeDue(world, 50)
  const due = await readDue(db, 1000)
  const fired = await cost('schedules', () => fireSchedules(db, due.map(decide)))
  t.equal(fired.scans, 0)
  // Each is read when it is found, locked and moved.
  t.ok(fired.rows <= 300, `${fired.rows} rows for 50`)
  await world.sql`update rowbeat.schedules set enabled = true, end_at = now() + interval '1 year' where id = any (${due.map(({ id }) => id)})`
  const armed = await cost('schedules', async () => {
    const rows = await readUnarmed(db, 1000)
    t.equal(rows.length, 50)
    const next = new Date(rows[0]!.sinceMs + 86_400_000).toISOString()
    t.equal(
      await armSchedules(
        db,
        rows.map(({ id, version, since }) => ({ id, version, since, next, error: null })),
      ),
      50,
    )
  })
  t.equal(armed.scans, 0)
  t.ok(armed.rows <= 300, `${armed.rows} rows for 50`)
})

t.test('a beat with nothing to do asks one thing a second', async (t) => {
  const world = await setup(t)
  const proxy = await startProxy(t, world.url)
  const count = { statements: 0, looks: 0 }
  await startBeatProcess(t, proxy.url)
  const armed = async (): Promise<boolean> =>
    (await world.sql`select from rowbeat.schedules where next_run_at is null`).length === 0
  await until('its own schedule is armed', armed)
  proxy.onRequest = (text) => {
    // Each statement ends with a Sync; the listener's ping is one each five seconds.
    count.statements += text.split('S\0\0\0\x04').length - 1
    count.looks += text.split('look_ahead\0').length - 1
  }
  await until('it has looked five times', () => count.looks >= 5)
  t.ok(count.statements <= count.looks + 2, `${count.statements} statements, ${count.looks} of them looks`)
})
