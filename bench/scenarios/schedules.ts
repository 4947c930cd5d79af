/**
 * The beat, in three questions: what 100,000 schedules cost while none is due, how soon 10,000 are fired that are due at
 * one instant beside them, and whether 1,000 firings a second, each at a millisecond of its own, stay in time.
 */
import { startProxy } from '../../test/helpers/proxy.ts'
import { fillStore, openStage, type Stage } from '../beats.ts'
import { until } from '../load.ts'
import { sleep } from '../scenario.ts'
import type { Scenario } from '../scenario.ts'
import { quantile } from '../statistics.ts'

const IDLE_SECONDS = 30
const EDITS = 20
const BURST = 10_000
const STEADY = 10_000
const STEADY_SECONDS = 60

export const schedulesIdle: Scenario = {
  name: 'schedules-idle',
  title: 'Schedules: 100,000 that are not due',
  about:
    `One beat, ${IDLE_SECONDS} s. Armed: from the start of the beat until each has its next instant. Queries per poll: counted by a proxy between the beat and the store, without the ping that the listener for edits sends itself each 5 s. ` +
    `Rows per poll: read from rowbeat.schedules, by index or scan. Edit: from an UPDATE by SQL to the run it makes due 100 ms later, the slowest of ${EDITS}.`,
  columns: [
    { metric: 'armed', title: 'armed s', format: 'mb' },
    { metric: 'queries', title: 'queries per poll', format: 'ratio' },
    { metric: 'rows', title: 'rows per poll', format: 'ratio' },
    { metric: 'edit', title: 'edit ms', format: 'ms' },
    { metric: 'beatCpu', title: 'beat CPU %', format: 'mb' },
    { metric: 'storeCpu', title: 'Postgres CPU %', format: 'mb' },
  ],
  roundsMax: 1,
  contestants: [{ key: 'one', label: 'one beat', peer: 'rowbeat', group: '' }],
  seed: async (_peer, _params, { databaseUrl }) => await fill(databaseUrl),

  async measure(_peer, _params, { databaseUrl }) {
    const stage = await openStage(databaseUrl)
    try {
      const proxy = await startProxy(stage, databaseUrl)
      const count = { all: 0, polls: 0 }
      proxy.onRequest = (text) => {
        count.all += text.split('S\0\0\0\x04').length - 1 + (text.startsWith('Q') ? 1 : 0)
        // The listener's, each five seconds.
        count.all -= text.split('/* notify */').length - 1
        count.polls += text.split('look_ahead\0').length - 1
      }
      const from = performance.now()
      await stage.startBeats(1, proxy.url)
      await stage.armed()
      const armed = (performance.now() - from) / 1000
      await settle(stage)
      const before = { ...count, rows: await rowsRead(stage) }
      const cpu = await stage.watchCpu()
      await sleep(IDLE_SECONDS * 1000)
      const spent = await cpu()
      const queries = (count.all - before.all) / (count.polls - before.polls)
      const read = (await rowsRead(stage)) - before.rows
      const metrics = { armed, ...spent, queries, rows: read / (count.polls - before.polls) }
      return { ...metrics, edit: await editSome(stage) }
    } finally {
      await stage.close()
    }
  },
}

export const schedulesBurst: Scenario = {
  name: 'schedules-burst',
  title: 'Schedules: 10,000 due at one instant',
  about:
    'Beside 100,000 that are not due. From the instant until the last is fired, and until the last transaction is over, as seen by another session.',
  columns: [
    { metric: 'fired', title: 'last fired ms', format: 'ms' },
    { metric: 'over', title: 'all done ms', format: 'ms' },
    { metric: 'p50', title: 'p50 ms', format: 'ms' },
    { metric: 'rate', title: 'firings/s', format: 'rate' },
  ],
  contestants: [1, 3].map((beats) => ({
    key: beats === 1 ? 'one' : 'three',
    label: beats === 1 ? 'one beat' : 'three beats',
    peer: 'rowbeat',
    group: '',
    params: { beats },
  })),
  seed: async (_peer, _params, { databaseUrl }) => await fill(databaseUrl),

  async measure(_peer, params, { databaseUrl }) {
    const stage = await openStage(databaseUrl)
    const { sql } = stage
    try {
      await stage.startBeats(Number(params['beats']))
      await stage.armed()
      const [row] = await sql`select (extract(epoch from now()) * 1000 + 8000)::float8 as at`
      const at: number = row!['at']
      await sql`
        insert into rowbeat.schedules (name, task, schedule, input, anchor_at)
        select 'burst ' || n, 'bench.add', '{"kind": "interval", "every": 7, "period": "days"}', jsonb_build_object('x', n, 'y', 1, 'note', 'a note of some length'),
          to_timestamp(${at}::float8 / 1000) from generate_series(1, ${BURST}::int) n`
      await stage.armed()
      await settle(stage)
      const now = await databaseNow(stage)
      if (now > at - 500) throw new Error(`arming took too long: ${now - at} ms past the instant`)
      await sleep(at - now - 20)
      await until('none is due', () => noneDue(stage, at), 10, 60_000)
      const over = (await databaseNow(stage)) - at
      const { late } = await readLateness(stage, 'burst %')
      if (late.length !== BURST) throw new Error(`${late.length} were fired`)
      const fired = Math.max(...late)
      return { fired, over, p50: quantile(late, 0.5), rate: BURST / (fired / 1000) }
    } finally {
      await stage.close()
    }
  },
}

export const schedulesSteady: Scenario = {
  name: 'schedules-steady',
  title: 'Schedules: 1,000 firings a second',
  about:
    `10,000 schedules of 10 s, each due at a millisecond of its own, for ${STEADY_SECONDS} s after 10 s of warm-up. Lateness: due instant to firing. ` +
    'CPU in percent of one core, all beats together. In the same test django-celery-beat reached 56 a second and was 15 s late.',
  columns: [
    { metric: 'rate', title: 'firings/s', format: 'rate' },
    { metric: 'missing', title: 'not fired', format: 'count' },
    { metric: 'p50', title: 'late p50 ms', format: 'ms' },
    { metric: 'p99', title: 'p99 ms', format: 'ms' },
    { metric: 'most', title: 'most ms', format: 'ms' },
    { metric: 'beatCpu', title: 'beat CPU %', format: 'mb' },
    { metric: 'storeCpu', title: 'Postgres CPU %', format: 'mb' },
  ],
  roundsMax: 1,
  contestants: [1, 3].map((beats) => ({
    key: beats === 1 ? 'one' : 'three',
    label: beats === 1 ? 'one beat' : 'three beats',
    peer: 'rowbeat',
    group: '',
    params: { beats },
  })),

  async measure(_peer, params, { databaseUrl }) {
    const stage = await openStage(databaseUrl)
    const { sql } = stage
    try {
      await stage.startBeats(Number(params['beats']))
      await sql`
        insert into rowbeat.schedules (name, task, schedule, input, anchor_at, catch_up)
        select 'steady ' || n, 'bench.add', '{"kind": "interval", "every": 10, "period": "seconds"}', jsonb_build_object('x', n, 'y', 1, 'note', 'a note of some length'),
          date_trunc('second', now()) + interval '5 seconds' + n * interval '1 millisecond', 'all' from generate_series(0, ${STEADY - 1}::int) n`
      await stage.armed()
      await sleep(10_000)
      const from = await databaseNow(stage)
      const cpu = await stage.watchCpu()
      await sleep(STEADY_SECONDS * 1000)
      const spent = await cpu()
      await sleep(2000)
      const { late } = await readLateness(stage, 'steady %', from, from + STEADY_SECONDS * 1000)
      return {
        rate: late.length / STEADY_SECONDS,
        missing: STEADY_SECONDS * 1000 - late.length,
        p50: quantile(late, 0.5),
        p99: quantile(late, 0.99),
        most: late.reduce((most, ms) => Math.max(most, ms), 0),
        ...spent,
      }
    } finally {
      await stage.close()
    }
  },
}

async function fill(databaseUrl: string): Promise<void> {
  const stage = await openStage(databaseUrl)
  await fillStore(stage.sql)
  await stage.close()
}

/** As autovacuum would have left it. */
async function settle({ sql }: Stage): Promise<void> {
  await sql.unsafe('vacuum (analyze) rowbeat.schedules')
}

async function databaseNow({ sql }: Stage): Promise<number> {
  return (await sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms`)[0]!['ms']
}

async function noneDue({ sql }: Stage, at: number): Promise<boolean> {
  const [row] = await sql`
    select clock_timestamp() < to_timestamp(${at}::float8 / 1000) or exists (select from rowbeat.schedules where enabled and next_run_at <= statement_timestamp()) as due`
  return !row!['due']
}

/** Of firings whose instant lies in the stretch; a firing of another state is none. */
async function readLateness(
  { sql }: Stage,
  like: string,
  from = 0,
  until_ = 1e14,
): Promise<{ late: number[] }> {
  const rows = await sql`
    select (extract(epoch from f.lateness) * 1000)::float8 as late from rowbeat.firings f join rowbeat.schedules s on s.id = f.schedule_id
    where s.name like ${like} and f.state = 'fired' and f.due_at >= to_timestamp(${from}::float8 / 1000) and f.due_at < to_timestamp(${until_}::float8 / 1000)`
  return { late: rows.map((row) => row['late'] as number) }
}

/** Rows of the table that anybody read so far. */
async function rowsRead({ sql }: Stage): Promise<number> {
  // An idle session tells its figures ten seconds after its last statement at the latest.
  await sleep(11_000)
  const [row] = await sql`
    select (seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 as rows from pg_stat_user_tables where relid = 'rowbeat.schedules'::regclass`

  return row!['rows']
}

/** Edits some, one after the other, so that each is due 100 ms later; the longest that one took to be fired. */
async function editSome(stage: Stage): Promise<number> {
  const { sql } = stage
  let slowest = 0
  for (let n = 0; n < EDITS; n++) {
    const [row] = await sql`
      update rowbeat.schedules set schedule = '{"kind": "interval", "every": 100, "period": "milliseconds"}', anchor_at = clock_timestamp()
      where name = ${`idle ${n * 1000}`} returning id, updated_at`
    const look = () =>
      sql`select (extract(epoch from min(fired_at) - ${row!['updated_at']}) * 1000)::float8 as ms from rowbeat.firings where schedule_id = ${row!['id']}`
    await until('the edited one is fired', async () => (await look())[0]!['ms'] !== null, 10, 20_000)
    slowest = Math.max(slowest, (await look())[0]!['ms'])
    await sql`update rowbeat.schedules set enabled = false where id = ${row!['id']}`
    await sleep(500 + Math.random() * 500)
  }
  return slowest
}
