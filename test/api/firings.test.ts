/** GET /v1/firings: what became of the instants of all schedules, in the order of the instants. */
import t from 'tap'
import { serve } from './world.ts'

interface Firing {
  schedule: string | null
  task: string | null
  due_at: string
  state: string
}

t.test('firings of all schedules', async (t) => {
  const { call, issue, sql } = await serve(t)
  const list = async (query = '') => {
    const { status, json } = await call('GET', `/v1/firings${query}`)
    t.equal(status, 200, JSON.stringify(json).slice(0, 200))
    return json as { items: Firing[]; next: string | null }
  }
  t.strictSame(await list(), { items: [], next: null }, 'of no schedule there is none')

  for (const [name, task] of [
    ['one', 'demo.add'],
    ['two', 'demo.echo'],
    ['gone', 'demo.echo'],
  ])
    await sql`select rowbeat.create_schedule(${name!}, ${task!}, '{"kind":"interval","every":1,"period":"days"}')`
  // All three at the same instants, from a moment ago to two years back.
  await sql`insert into rowbeat.firings (schedule_id, due_at, state, version)
    select s.id, date_trunc('second', now()) - x.n * x.n * interval '1 hour', case when x.n = 7 then 'missed' when x.n = 9 then 'skipped' else 'fired' end, 1
    from rowbeat.schedules s, generate_series(0, 130) x (n)`
  await sql`delete from rowbeat.schedules where name = 'gone'`

  await t.test('come once each, latest first, whatever the size of the pages', async (t) => {
    for (const limit of [7, 100]) {
      const rows: Firing[] = []
      let next: string | null = ''
      while (next !== null) {
        const page = await list(`?limit=${limit}${next && `&cursor=${next}`}`)
        t.ok(page.items.length <= limit)
        rows.push(...page.items)
        ;({ next } = page)
      }
      t.equal(rows.length, 393)
      t.equal(new Set(rows.map((row) => JSON.stringify(row))).size, 393)
      const order = rows.map(({ due_at }) => due_at)
      t.strictSame(order, order.toSorted().toReversed())
    }
  })

  await t.test('are those of a schedule, a task, a state', async (t) => {
    const [first] = (await list('?limit=1&schedule=one')).items
    t.match(first, { schedule: 'one', task: 'demo.add', state: 'fired' })
    t.strictSame(
      (await list('?state=missed,skipped&task=demo.echo')).items.map(({ schedule, state }) => [
        schedule,
        state,
      ]),
      [
        ['two', 'missed'],
        ['two', 'skipped'],
      ],
    )
    t.equal(
      (await list('?state=missed')).items.filter(({ schedule }) => schedule === null).length,
      1,
      'its schedule is gone',
    )
    t.strictSame((await list('?schedule=nobody')).items, [])
  })

  await t.test('what is no question is refused, and who may not read schedules', async (t) => {
    for (const query of ['?state=late', '?cursor=x', '?colour=red', '?limit=0', '?task=-', '?schedule='])
      t.equal((await call('GET', `/v1/firings${query}`)).status, 422, query)
    const { key } = await issue(['runs:read'])
    t.equal((await call('GET', '/v1/firings', undefined, { key })).status, 403)
  })
})
