import t from 'tap'
import { until } from '../helpers/wait.ts'
import { watch } from './watcher.ts'
import { serve, type World } from './world.ts'

const world = await serve(t)
const { call, sql, rowbeat } = world

/** As a worker ends it. */
async function finish({ sql }: World, id: string, result = '1'): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`delete from rowbeat_queue._private_jobs where key = ${id}`
    await tx`insert into rowbeat.results (id, task, queue, state, priority, input, result, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
      values (${id}, 'demo.echo', 'default', 'SUCCESS', 0, '{}', ${result}::text::jsonb, 1, 1, 0, now(), now(), now(), now() + interval '1 day')`
    await tx`select pg_notify('rowbeat_runs', ${id})`
  })
}

const wait = (seconds: number | string) => ({ headers: { prefer: `wait=${seconds}` } })

t.test('a result is 202 until the run has finished, then 200', async (t) => {
  const { id } = await rowbeat.enqueue('demo.echo', {})
  const early = await call('GET', `/v1/runs/${id}/result`)
  t.equal(early.status, 202)
  t.match(early.headers, { location: `/v1/runs/${id}` })
  t.notOk(early.headers['preference-applied'])
  t.equal(early.json.state, 'PENDING')
  await finish(world, id)
  const late = await call('GET', `/v1/runs/${id}/result`, undefined, wait(5))
  t.equal(late.status, 200)
  t.match(late.json, { id, state: 'SUCCESS', result: 1 })
  t.strictSame(late.json, (await call('GET', `/v1/runs/${id}`)).json)
  t.equal((await call('GET', '/v1/runs/01900000-0000-7000-8000-000000000000/result')).status, 404)
})

t.test('who prefers to wait is answered when the run has finished, or when the time is over', async (t) => {
  const { id } = await rowbeat.enqueue('demo.echo', {})
  const waiting = call('GET', `/v1/runs/${id}/result`, undefined, wait(30))
  const short = await call('GET', `/v1/runs/${id}/result`, undefined, wait(1))
  t.equal(short.status, 202)
  t.match(short.headers, { 'preference-applied': 'wait=1', location: `/v1/runs/${id}`, 'x-request-id': /./ })
  t.equal(short.json.state, 'PENDING')
  await finish(world, id, '"done"')
  const answer = await waiting
  t.equal(answer.status, 200)
  t.match(answer.headers, { 'preference-applied': 'wait=30', 'content-type': /^application\/json/ })
  t.match(answer.json, { id, state: 'SUCCESS', result: 'done' })
})

t.test('a run can be asked for and waited for in one request', async (t) => {
  const asked = Array.from({ length: 20 }, (_, i) =>
    call('POST', '/v1/runs', { task: 'demo.echo', unique_key: `wait-${i}` }, wait(30)),
  )
  const ids = await until('all of them', async () => {
    const rows =
      await sql`select key from rowbeat_queue._private_jobs where payload->>'unique_key' like 'wait-%'`
    return rows.length === 20 && rows.map((row) => row.key as string)
  })
  const listening = await until('somebody listens', async () => {
    const rows =
      await sql`select from pg_stat_activity where datname = current_database() and query ilike 'listen%'`
    return rows.length > 0 && rows
  })
  t.equal(listening.length, 1, 'one LISTEN for all')
  for (const id of ids) await finish(world, id)
  for (const answer of await Promise.all(asked)) {
    t.equal(answer.status, 200)
    t.equal(answer.json.state, 'SUCCESS')
    t.match(answer.headers.location, /^\/v1\/runs\//)
  }
  const late = await call('POST', '/v1/runs', { task: 'demo.echo' }, wait(1))
  t.equal(late.status, 202)
  t.equal(late.headers['preference-applied'], 'wait=1')
})

t.test('what is no preference, or a wait of nothing, is not waited for', async (t) => {
  const { id } = await rowbeat.enqueue('demo.echo', {})
  for (const prefer of ['wait=0', 'wait=x', 'await=5', 'respond-async', '', 'wait', 'wait=-1']) {
    const answer = await call('GET', `/v1/runs/${id}/result`, undefined, { headers: { prefer } })
    t.equal(answer.status, 202, prefer)
    t.notOk(answer.headers['preference-applied'], prefer)
  }
  const writer = await world.issue(['runs:write'])
  const made = await call('POST', '/v1/runs', { task: 'demo.echo' }, { key: writer.key, ...wait(20) })
  t.equal(made.status, 202, 'who may not read does not get the result by waiting')
})

t.test('who goes away waits no longer; a run that is deleted is 404 for who waits', async (t) => {
  const base = await world.listen()
  const { id } = await rowbeat.enqueue('demo.echo', {})
  const gone = new AbortController()
  const headers = { authorization: `Bearer ${world.key}`, prefer: 'wait=50, respond-async' }
  const lost = fetch(`${base}/v1/runs/${id}/result`, { headers, signal: gone.signal }).catch(() => 'gone')
  const waiting = fetch(`${base}/v1/runs/${id}/result`, { headers })
  await until(
    'a reader',
    async () => (await sql`select from pg_stat_activity where query like '%read_runs%'`).length > 0,
  )
  gone.abort()
  t.equal(await lost, 'gone')
  await sql`delete from rowbeat_queue._private_jobs where key = ${id}`
  await sql`select pg_notify('rowbeat_runs', ${id})`
  const answer = await waiting
  t.equal(answer.status, 404)
  t.match(await answer.json(), { code: 'RB_RUN_NOT_FOUND' })
})

t.test('a stream that comes back is told only what it has not seen', async (t) => {
  const base =
    (await world.listen().catch(() => '')) ||
    `http://127.0.0.1:${(world.app.server.address() as { port: number }).port}`
  const { id } = await rowbeat.enqueue('demo.echo', {})
  const path = `/v1/runs/${id}/events`
  const first = await watch(base, path, world.key)
  await until('the run', () => first.events.length === 1)
  const seen = first.events[0]!.id!
  const again = await watch(base, path, world.key, { 'last-event-id': seen })
  const other = await watch(base, path, world.key, { 'last-event-id': 'PENDING.something' })
  await until('the run', () => other.events.length === 1)
  t.strictSame(again.events, [], 'nothing has changed')
  await finish(world, id)
  await until('the ends', () => first.ended && again.ended)
  t.strictSame(first.states, ['PENDING', 'SUCCESS'])
  t.strictSame(again.states, ['SUCCESS'])
  t.equal(again.events[0]!.id, first.events[1]!.id, 'one change has one id')
  const late = await watch(base, path, world.key, { 'last-event-id': seen })
  await until('the end', () => late.ended)
  t.strictSame(late.states, ['SUCCESS'], 'what happened while it was away')
  t.equal((await watch(base, path, world.key, { 'last-event-id': late.events[0]!.id! })).status, 204)
})

t.test('logs come in order, page after page, by level and time', async (t) => {
  const { id } = await rowbeat.enqueue('demo.echo', {})
  t.strictSame((await call('GET', `/v1/runs/${id}/logs`)).json, { items: [], next: null })
  await sql`insert into rowbeat.logs (run_id, at, attempt, level, message, data)
    select ${id}, '2026-01-01T00:00:00Z'::timestamptz + i * interval '1 minute', 1, (array['debug', 'info', 'warn', 'error'])[1 + i % 4], 'line ' || i, '{"n": 1}' from generate_series(0, 9) i`
  const { json, headers } = await call('GET', `/v1/runs/${id}/logs?limit=4`)
  t.match(json.items[0], {
    at: '2026-01-01T00:00:00.000Z',
    attempt: 1,
    level: 'debug',
    message: 'line 0',
    data: { n: 1 },
  })
  t.match(headers.link, /^<\/v1\/runs\/[^>]*\/logs\?limit=4&cursor=[^>]*>; rel="next"$/)
  const said: string[] = []
  for (let next: string | null = `/v1/runs/${id}/logs?limit=4`; next !== null;) {
    const page = await call('GET', next)
    said.push(...page.json.items.map((line: { message: string }) => line.message))
    next = /<([^>]*)>/.exec(String(page.headers.link ?? ''))?.[1] ?? null
    t.equal(page.json.next === null, next === null, 'the link and the body say the same')
  }
  t.strictSame(
    said,
    Array.from({ length: 10 }, (_, i) => `line ${i}`),
  )
  const ask = async (query: string): Promise<string[]> =>
    (await call('GET', `/v1/runs/${id}/logs?${query}`)).json.items.map(
      (line: { message: string }) => line.message,
    )
  t.strictSame(await ask('level=warn,error&since=2026-01-01T00:03:00Z'), ['line 3', 'line 6', 'line 7'])
  t.equal((await call('GET', `/v1/runs/${id}/logs?level=loud&cursor=abc&x=1`)).json.errors.length, 3)
  t.equal((await call('GET', '/v1/runs/01900000-0000-7000-8000-000000000000/logs')).status, 404)
})

t.test('attempts are told with their errors', async (t) => {
  const { id } = await rowbeat.enqueue('demo.echo', {})
  t.strictSame((await call('GET', `/v1/runs/${id}/attempts`)).json, { items: [], next: null })
  await sql`insert into rowbeat.attempts (run_id, attempt, outcome, worker, started_at, finished_at, error, retry_at) values
    (${id}, 1, 'retry', 'w', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', '{"message": "no"}', '2026-01-01T00:00:02Z'),
    (${id}, 2, 'handed_back', 'w', null, '2026-01-01T00:00:03Z', null, null)`
  t.strictSame((await call('GET', `/v1/runs/${id}/attempts`)).json.items, [
    {
      attempt: 1,
      outcome: 'retry',
      worker: 'w',
      started_at: '2026-01-01T00:00:00.000Z',
      finished_at: '2026-01-01T00:00:01.000Z',
      error: { message: 'no' },
      retry_at: '2026-01-01T00:00:02.000Z',
    },
    {
      attempt: 2,
      outcome: 'handed_back',
      worker: 'w',
      started_at: null,
      finished_at: '2026-01-01T00:00:03.000Z',
      error: null,
      retry_at: null,
    },
  ])
  t.equal((await call('GET', '/v1/runs/01900000-0000-7000-8000-000000000000/attempts')).status, 404)
})

t.test('a search over REST', async (t) => {
  const { id } = await rowbeat.enqueue('demo.echo', { user: { id: 4711 } }, { tags: ['searched'] })
  const find = async (q: string): Promise<string[]> =>
    (await call('GET', `/v1/runs?${new URLSearchParams({ q })}`)).json.items.map(
      (run: { id: string }) => run.id,
    )
  t.strictSame(await find('input.user.id:4711'), [id])
  t.strictSame(await find('tag:search* created:>-1h -state:finished task:demo.*'), [id])
  t.strictSame(await find('tag:searched created:<-1h'), [])
  t.strictSame(await find(id), [id])
  t.strictSame((await call('GET', `/v1/runs?state=SUCCESS&q=tag:searched+state:waiting`)).json.items, [])
  t.equal(
    (await call('GET', `/v1/runs?tag=searched&created_after=2026-01-01T00:00:00Z&parent=${id}`)).json.items
      .length,
    0,
  )
  const refused = await call('GET', `/v1/runs?${new URLSearchParams({ q: 'tag:x colour:red created:soon' })}`)
  t.equal(refused.status, 422)
  t.match(refused.json.errors, [
    {
      pointer: '/q',
      detail:
        /at character 7: "colour" is no field of a run; known are state, task.*; at character 26: "soon" is no time/,
    },
  ])
  const wrong = 'reason=x&parent=1&id=1,2&worker=&created_after=soon'
  t.equal((await call('GET', `/v1/runs?${wrong}`)).json.errors.length, 5)
})

t.test('an operation takes a search', async (t) => {
  const ids: string[] = []
  for (const n of [1, 2, 3])
    ids.push((await rowbeat.enqueue('demo.echo', { n }, { tags: ['operated'], delay: '1h' })).id)
  const begin = (filter: object) => call('POST', '/v1/operations', { kind: 'revoke', filter })
  const begun = await begin({ q: 'tag:operated input.n:>1 created:>-1h', state: 'SCHEDULED,PENDING' })
  t.equal(begun.status, 202)
  t.strictSame(begun.json.filter, {
    q: 'tag:operated input.n:>1 created:>-1h',
    state: 'SCHEDULED,PENDING',
  })
  const [{ more }] = (await sql`select rowbeat.work_operation_v1() as more`) as unknown as [{ more: boolean }]
  t.equal(more, false)
  t.match((await call('GET', `/v1/operations/${begun.json.id}`)).json, { state: 'done', done: 2, skipped: 0 })
  t.equal((await call('GET', `/v1/runs/${ids[0]}`)).json.state, 'SCHEDULED')
  t.equal((await call('GET', `/v1/runs/${ids[2]}`)).json.state, 'REVOKED')
  const narrowed = await begin({ q: 'tag:operated state:waiting', state: 'SCHEDULED' })
  t.strictSame(narrowed.json.filter.state, ['SCHEDULED'])
  for (const filter of [
    { q: 'colour:red' },
    { q: 'state:running', state: 'RETRY' },
    { q: '' },
    { where: [] },
    { q: 5 },
  ])
    t.match(
      await begin(filter),
      { status: 422, json: { code: 'RB_OPERATION_INVALID' } },
      JSON.stringify(filter),
    )
  t.match((await begin({ q: 'colour:red' })).json.errors, [
    { pointer: '/filter/q', detail: /at character 1: "colour"/ },
  ])
  await t.rejects(sql`select rowbeat.start_operation('revoke', '{"q": "tag:x"}')`, { code: '22023' })
  await t.rejects(
    sql`select rowbeat.start_operation('revoke', '{"where": [{"field": "1=1) or (true", "compare": "is", "values": ["x"]}]}')`,
    { code: '22023' },
  )
  await t.rejects(
    sql`select rowbeat.start_operation('revoke', '{"where": [{"field": "task", "compare": "= 1 or", "values": ["x"]}]}')`,
    { code: '22023' },
  )
})
