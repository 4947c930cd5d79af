/** A beat shows that it lives: a row of the registry, as fresh as its last look at the table. */
import t from 'tap'
import { createBeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { startProcess } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { startBeat } from './world.ts'

const { sql, url, admin } = await setup(t)
const rows = () =>
  sql`select *, clock_timestamp() - seen_at < '1500 milliseconds' as is_fresh from rowbeat.workers where kind = 'beat'`

t.test('celery row 14: a beat has a row that tells whether it lives', async (t) => {
  const { beat } = await startBeat(t, url, { name: 'watched' })
  const [row] = await rows()
  t.match(row, {
    name: 'watched',
    kind: 'beat',
    pid: process.pid,
    is_fresh: true,
    queues: {},
    tasks: [],
    stopping: false,
  })
  const first = row!.seen_at
  const later = await until('it was seen twice', async () => {
    const [now] = await rows()
    return now!.seen_at > first && now!.rss_bytes && now
  })
  t.equal(later.is_fresh, true)
  t.ok(Math.abs(later.clock_skew_ms) < 1000, `its clock is ${later.clock_skew_ms} ms from the database's`)
  t.ok(later.loop_lag_ms >= 0)
  await beat.stop()
  t.strictSame([...(await rows())], [], 'it leaves when it stops')
})

t.test('celery row 14: a killed beat goes stale, and another goes on', async (t) => {
  const killed = startProcess(t, 'test/fixtures/beat-process.ts', {
    args: [JSON.stringify({ databaseUrl: url, name: 'killed' })],
  })
  await killed.line(/^ready$/, 20_000)
  t.equal((await rows())[0]!.is_fresh, true)
  killed.kill('SIGKILL')
  await killed.ended()
  await until('its row is stale', async () => !(await rows())[0]!.is_fresh)
  const { beat } = await startBeat(t, url, { name: 'other' })
  await sql`insert into rowbeat.schedules (name, task, schedule) values ('goes on', 'a.task', '{"kind": "interval", "every": 100, "period": "milliseconds"}')`
  await until('it fires', async () => (await sql`select from rowbeat.firings`).length > 2)
  await beat.stop()
})

t.test('a beat that was declared dead comes back', async (t) => {
  const { beat } = await startBeat(t, url, { name: 'swept' })
  await sql`delete from rowbeat.workers`
  await until('it is back', async () => (await rows()).some(({ name }) => name === 'swept'))
  await beat.stop()
})

t.test('a beat goes on when its connections are cut', async (t) => {
  const { beat, heard } = await startBeat(t, url)
  const count = async () => (await sql`select from rowbeat.firings`).length
  const before = await count()
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rowbeat beat' and datname = current_database()`
  await until('it fires', async () => (await count()) > before + 3)
  await sql`update rowbeat.schedules set task = 'after.the_cut'`
  await until(
    'it hears of edits',
    async () => (await sql`select from rowbeat.runs where task = 'after.the_cut'`).length > 0,
  )
  t.ok(heard.trouble.length > 0, 'and said so')
  await beat.stop()
})

t.test('starting and stopping', async (t) => {
  const beat = createBeat({ databaseUrl: url })
  await beat.start()
  await t.rejects(beat.start(), /started already/)
  await Promise.all([beat.stop(), beat.stop()])
  await beat.stop()
  await t.rejects(beat.start(), /started already/)

  const never = createBeat({ databaseUrl: url })
  await never.stop()

  const hasty = createBeat({ databaseUrl: url })
  const starting = hasty.start()
  await hasty.stop()
  await starting
  t.strictSame([...(await rows())], [])

  const lost = createBeat({ databaseUrl: 'postgres://nobody@127.0.0.1:1/nowhere' })
  await t.rejects(lost.start(), { code: 'RB_DB_UNREACHABLE' })
  await lost.stop()
  const empty = await setup(t, { empty: true })
  const early = createBeat({ databaseUrl: empty.url })
  await t.rejects(early.start(), { code: 'RB_SCHEMA_BEHIND' })
})
