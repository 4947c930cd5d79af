import { parse } from 'csv-parse/sync'
import t from 'tap'
import { until } from '../helpers/wait.ts'
import { serve } from './world.ts'

const world = await serve(t)
const { call, sql, rowbeat } = world

t.test('an export has all that the list has, in every format', async (t) => {
  await rowbeat.enqueueMany(
    Array.from({ length: 1203 }, (_, n) => ({
      task: 'demo.echo',
      input: { n },
      tags: n % 3 ? [] : ['third'],
    })),
  )
  const ids = (await sql`select id from rowbeat.runs order by id desc`).map(({ id }) => id as string)
  const nd = await call('GET', '/v1/runs:export')
  t.match(nd.headers, {
    'content-type': /^application\/x-ndjson/,
    'content-disposition': 'attachment; filename="runs.ndjson"',
    'x-request-id': /./,
  })
  const runs = nd.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string })
  t.strictSame(
    runs.map(({ id }) => id),
    ids,
  )
  t.strictSame(runs[0], (await call('GET', `/v1/runs/${ids[0]}`)).json)
  const whole = await call('GET', '/v1/runs:export?format=json')
  t.strictSame(whole.json.items, runs)
  const csv = await call('GET', '/v1/runs:export?format=csv&tag=third')
  t.match(csv.headers, { 'content-type': /^text\/csv/ })
  const rows = parse<Record<string, string>>(csv.text, { columns: true })
  t.equal(rows.length, 401)
  t.strictSame(Object.keys(rows[0]!), Object.keys(runs[0]!), 'a column for each key of a run')
  t.match(rows[0], {
    task: 'demo.echo',
    state: 'PENDING',
    tags: '["third"]',
    error: '',
    input: /^\{"n":\d+\}$/,
  })
  t.strictSame((await call('GET', '/v1/runs:export?format=json&q=task:none')).json, { items: [] })
  t.equal((await call('GET', '/v1/runs:export?q=task:none')).text, '')
})

t.test('what a spreadsheet would run has an apostrophe in front', async (t) => {
  const evil = ['=1+1', '+1+1', '-1+1', '@SUM(A1)', '\t=1', '\r=1', 'a,"b"\r\nc', '-5', '\u200b=1']
  for (const key of evil)
    await rowbeat.enqueue('demo.echo', {}, { uniqueKey: key, tags: ['evil'], priority: -5 })
  const { text } = await call('GET', '/v1/runs:export?format=csv&tag=evil')
  const rows = parse<Record<string, string>>(text, { columns: true })
  t.strictSame(rows.map((row) => row.unique_key).reverse(), [
    `'=1+1`,
    `'+1+1`,
    `'-1+1`,
    `'@SUM(A1)`,
    `'\t=1`,
    `'\r=1`,
    'a,"b"\r\nc',
    '-5',
    '\u200b=1',
  ])
  t.equal(rows[0]!.priority, '-5', 'a number is a number')
})

t.test('wrong parameters and rights are refused before the file begins', async (t) => {
  t.match(await call('GET', '/v1/runs:export?format=xml&limit=5&q=x:y'), {
    status: 422,
    json: { errors: { length: 3 } },
  })
  const { key } = await world.issue(['runs:write'])
  t.equal((await call('GET', '/v1/runs:export', undefined, { key })).status, 403)
  t.equal((await call('POST', '/v1/runs:export')).status, 405)
})

t.test('a client that goes away in the middle is no trouble', async (t) => {
  const text = 'x'.repeat(100_000)
  await rowbeat.enqueueMany(
    Array.from({ length: 200 }, () => ({ task: 'demo.echo', input: { text }, tags: ['large'] })),
  )
  const base = await world.listen()
  const gone = new AbortController()
  const headers = { authorization: `Bearer ${world.key}` }
  const response = await fetch(`${base}/v1/runs:export?tag=large`, { headers, signal: gone.signal })
  t.equal(response.status, 200)
  const { value } = await response.body!.getReader().read()
  t.ok(value!.length > 0)
  gone.abort()
  const connections = (): Promise<number> =>
    new Promise((resolve) => world.app.server.getConnections((_, n) => resolve(n)))
  await until('nobody to wait for', async () => (await connections()) === 0)
  t.notOk(world.said.some(({ msg }) => msg === 'an export ended early'))
})
