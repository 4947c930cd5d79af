/** A tick among rows that others hold: what it is told, and that it gets past them. */
import t from 'tap'
import { createBeatEvents } from '../../src/beat/events.ts'
import { createTicker } from '../../src/beat/tick.ts'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { setup } from '../helpers/bundle.ts'
import { seldom } from './world.ts'

t.test('a transaction that holds more rows than a tick takes holds up none behind them', async (t) => {
  const { sql, db } = await setup(t)
  const ticker = createTicker(db, createAlmanac(), createBeatEvents())
  await sql`insert into rowbeat.schedules (name, task, schedule, anchor_at)
    select case when n <= 1500 then 'held ' else 'behind ' end || n, 'test.task', ${sql.json(seldom)}, now() - interval '1 day' from generate_series(1, 1503) n`
  await sql`update rowbeat.schedules set next_run_at = clock_timestamp() - case when name like 'held%' then interval '2 s' else interval '1 s' end`

  await sql.begin(async (tx) => {
    await tx`select from rowbeat.schedules where name like 'held%' for update`
    t.equal(await ticker.tick(0), 'contended', 'all of the first thousand are held')
    t.equal(await ticker.tick(1), 'done', 'three stand behind the rest of them')
    t.equal((await sql`select from rowbeat.firings`).length, 3)
    t.equal(
      await ticker.tick(2),
      'contended',
      'nothing is there, and the first ones are due to be looked at again',
    )
  })
  t.equal(await ticker.tick(0), 'done')
  const [row] =
    await sql`select count(*)::int as fired, count(distinct schedule_id)::int as schedules from rowbeat.firings`
  t.match(row, { fired: 1503, schedules: 1503 })
})

t.test('an edit between look and tick that leaves the timing alone is fired as edited', async (t) => {
  const { sql, db } = await setup(t)
  const ticker = createTicker(db, createAlmanac(), createBeatEvents())
  const [made] =
    await sql`insert into rowbeat.schedules (name, task, schedule) values ('s', 'test.task', ${sql.json(seldom)}) returning id`
  await sql`update rowbeat.schedules set next_run_at = clock_timestamp()`
  const meddling = createTicker(
    {
      async query(text, parameters) {
        if (text.includes('fire_schedules')) await sql`update rowbeat.schedules set priority = 7`
        return await db.query(text, parameters)
      },
    },
    createAlmanac(),
    createBeatEvents(),
  )
  t.equal(await meddling.tick(0), 'done')
  t.match(await sql`select version from rowbeat.firings`, [{ version: 2 }])
  t.match(await sql`select priority, schedule from rowbeat.runs`, [{ priority: 7, schedule: 's' }])

  await sql`update rowbeat.schedules set next_run_at = clock_timestamp() where id = ${made!.id}`
  await sql`update rowbeat.schedules set schedule = '{"kind": "interval", "every": 1, "period": "days"}'`
  t.equal(await ticker.tick(0), 'done', 'an edit of the timing takes the instant away')
  t.equal((await sql`select from rowbeat.firings`).length, 1)
})
