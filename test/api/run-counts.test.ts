/** Runs as numbers: counts by state are those of the list, and failures come in groups. */
import t from 'tap'
import { serve } from './world.ts'

const world = await serve(t)
const { call, sql } = world

await sql`insert into rowbeat.results (id, task, queue, state, priority, error, input, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
  select rowbeat.uuid7(), case when i % 2 = 0 then 'demo.add' else 'demo.echo' end, case when i % 3 = 0 then 'high' else 'default' end,
    (array['SUCCESS', 'FAILURE', 'REVOKED'])[1 + i % 3], 0, case when i % 3 = 1 then '{"name": "TypeError", "message": "no"}'::jsonb end, jsonb_build_object('n', i % 5),
    1, 1, 0, now(), now(), now(), now() + interval '1 day' from generate_series(1, 90) i`
for (const body of [
  { task: 'demo.echo', input: { n: 1 } },
  { task: 'demo.echo', input: { n: 2 }, queue: 'high' },
  { task: 'demo.echo', delay: '1 hour' },
])
  await call('POST', '/v1/runs', body)

const counts = async (query: string): Promise<Record<string, number>> => {
  const { json, status } = await call('GET', `/v1/runs:count${query}`)
  t.equal(status, 200, query)
  return Object.fromEntries(json.items.map(({ state, count }: any) => [state, count]))
}

t.test('each state has as many as the list shows, whatever is asked for', async (t) => {
  for (const query of [
    '',
    '?task=demo.echo',
    '?queue=high',
    '?q=input.n:1,2',
    '?q=-task:demo.add',
    '?state=FAILURE,PENDING',
    '?q=state:waiting',
    '?task=demo.echo&queue=high&state=SUCCESS',
    '?q=error:typeerror',
  ]) {
    const { json } = await call('GET', `/v1/runs${query}${query ? '&' : '?'}limit=500`)
    const listed: Record<string, number> = {}
    for (const { state } of json.items) listed[state] = (listed[state] ?? 0) + 1
    const counted = await counts(query)
    t.strictSame(Object.fromEntries(Object.entries(counted).filter(([, n]) => n > 0)), listed, query)
  }
  t.strictSame(Object.keys(await counts('?state=FAILURE,PENDING')), ['PENDING', 'FAILURE'])
})

t.test('a look that ends before the rows do says so', async (t) => {
  const { json } = await call('GET', '/v1/runs:count')
  t.notOk(json.items.some(({ capped }: any) => capped))
  await sql`insert into rowbeat.results (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    select rowbeat.uuid7(), 'demo.add', 'default', 'SUCCESS', 0, 1, 1, 0, now(), now(), now(), now() + interval '1 day' from generate_series(1, 10100)`
  // Another question than before: a reading is given again for a while.
  const after = await call('GET', '/v1/runs:count?state=SUCCESS,REVOKED,FAILURE')
  t.match(after.json.items, [
    { state: 'SUCCESS', count: 10_000, capped: true },
    { state: 'FAILURE', count: 30, capped: false },
    { state: 'REVOKED', count: 0, capped: true },
  ])
})

t.test('failures are told in groups, with the search for each', async (t) => {
  await sql`update rowbeat.failures_read set until_at = clock_timestamp() - interval '1 hour'`
  await sql`select rowbeat.count_failures_v1('0')`
  const { json } = await call('GET', '/v1/failures?period=1h')
  t.match(json, { period: 3600, step: 600, next: null })
  t.strictSame(json.items.map(({ task, name, count }: any) => [task, name, count]).toSorted(), [
    ['demo.add', 'TypeError', 15],
    ['demo.echo', 'TypeError', 15],
  ])
  const found = await call('GET', `/v1/runs?limit=100&q=${encodeURIComponent(json.items[0].q)}`)
  t.equal(found.json.items.length, 15)
  t.equal((await call('GET', '/v1/failures?task=demo.add')).json.items.length, 1)
  t.match(await call('GET', '/v1/failures?period=30d&what=1'), {
    status: 422,
    json: { errors: [{ pointer: '/period' }, { pointer: '/what' }] },
  })
})

t.test('who may not read runs learns neither', async (t) => {
  const { key } = await world.issue(['queues:read'])
  for (const path of ['/v1/runs:count', '/v1/failures'])
    t.match(await call('GET', path, undefined, { key }), { status: 403, json: { code: 'RB_SCOPE_MISSING' } })
})
