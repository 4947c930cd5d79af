/** LISTEN on both drivers: heard, heard again after a cut, heard again after silence, and nothing left behind. */
import pg from 'pg'
import postgres from 'postgres'
import t from 'tap'
import type { DatabaseHandle } from '../../src/db/handle.ts'
import { listen } from '../../src/db/listen.ts'
import { setup } from '../helpers/bundle.ts'
import { startProxy } from '../helpers/proxy.ts'
import { until } from '../helpers/wait.ts'

const { url, admin } = await setup(t)

interface Ear {
  heard: string[]
  ready: () => number
  problems: unknown[]
  close(): Promise<void>
}

function ear(handle: DatabaseHandle, pingMs?: number): Ear {
  const heard: string[] = []
  const problems: unknown[] = []
  let ready = 0
  const listener = listen(handle, {
    channels: ['rowbeat_runs', 'rowbeat_queue'],
    onNotify: (channel, payload) => heard.push(`${channel} ${payload}`),
    onReady: () => ready++,
    onProblem: (problem) => problems.push(problem),
    pingMs,
  })
  return { heard, ready: () => ready, problems, close: async () => listener?.close() }
}

/** Rings until it is heard: LISTEN takes effect a moment after it was asked for. */
const isHeard = (ear: Ear, word: string): Promise<true> =>
  until(`"${word}" is heard`, async () => {
    await admin`select pg_notify('rowbeat_runs', ${word})`
    return ear.heard.includes(`rowbeat_runs ${word}`)
  })
const listeners = async (name: string): Promise<number> =>
  (
    await admin`select count(*)::int as n from pg_stat_activity where application_name = ${name} and query ilike 'listen%'`
  )[0]!.n

t.test('postgres.js hears every channel, and again after its connection was cut', async (t) => {
  const sql = postgres(url, { max: 1, connection: { application_name: 'ear one' } })
  const one = ear(sql)
  await isHeard(one, 'first')
  await until('the other channel is heard', async () => {
    await admin`select pg_notify('rowbeat_queue', 'high')`
    return one.heard.includes('rowbeat_queue high')
  })
  const before = one.ready()
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ear one'`
  await until('it says "look now" after the cut', () => one.ready() > before)
  await isHeard(one, 'again')
  const startedAt = performance.now()
  await one.close()
  t.ok(performance.now() - startedAt < 900, 'closing does not wait for a timer')
  await sql.end({ timeout: 1 })
})

t.test('node-postgres hears on one client of the pool, and again after its connection was cut', async (t) => {
  const pool = new pg.Pool({ connectionString: url, max: 2, application_name: 'ear two' })
  pool.on('error', () => {})
  const two = ear(pool)
  await isHeard(two, 'first')
  await until('its last word is a ping', async () => (await listeners('ear two')) === 0)
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ear two'`
  await until('the problem is told', () => two.problems.length)
  await isHeard(two, 'again')
  t.ok(two.ready() >= 2)
  await two.close()
  t.equal(pool.totalCount, 0, 'a client that listens never goes back into the pool')
  await admin`select pg_notify('rowbeat_runs', 'after')`
  await pool.query('select 1')
  t.notOk(two.heard.includes('rowbeat_runs after'))
  await pool.end()
})

t.test('a connection that swallows everything is noticed by its pings, and replaced', async (t) => {
  const proxy = await startProxy(t, url)
  const pool = new pg.Pool({
    connectionString: proxy.url,
    max: 2,
    application_name: 'ear three',
    connectionTimeoutMillis: 500,
  })
  pool.on('error', () => {})
  const three = ear(pool, 150)
  await isHeard(three, 'first')
  proxy.each((link) => link.swallow())
  await until('the silence is told', () => three.problems.length, { timeout: 3000 })
  t.match(three.problems[0], { code: 'RB_DB_UNREACHABLE', message: /did not answer a ping/ })
  await isHeard(three, 'again')
  await three.close()
  await pool.end()
})

t.test('a listener waits for a server that is not there yet, and closes all the same', async (t) => {
  const pool = new pg.Pool({
    connectionString: 'postgres://nobody@127.0.0.1:1/x',
    connectionTimeoutMillis: 200,
  })
  pool.on('error', () => {})
  const early = ear(pool)
  const sql = postgres('postgres://nobody@127.0.0.1:1/x', { max: 1, connect_timeout: 1 })
  const other = ear(sql)
  await until('the problems are told', () => early.problems.length > 0 && other.problems.length > 0)
  t.equal(early.ready() + other.ready(), 0)
  await Promise.all([early.close(), other.close()])
  await Promise.all([pool.end(), sql.end({ timeout: 0 })])
})

t.test('a single client and a transaction cannot listen: their callers poll', async (t) => {
  const client = new pg.Client(url)
  t.equal(listen(client, { channels: ['x'], onNotify() {} }), null)
  const sql = postgres(url, { max: 1 })
  await sql.begin(async (tx) => t.equal(listen(tx, { channels: ['x'], onNotify() {} }), null))
  await sql.end()
})
