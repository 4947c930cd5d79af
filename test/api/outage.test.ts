import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { watch } from './watcher.ts'
import { serve, TASKS } from './world.ts'

/** A way to the database that can be cut: `cut` refuses and ends connections, `swallow` lets nothing through. */
async function openGate(url: string) {
  const target = new URL(url)
  const pairs = new Set<[Socket, Socket]>()
  let mode: 'open' | 'cut' | 'swallow' = 'open'
  const gate = createServer((client) => {
    if (mode === 'cut') return void client.destroy()
    const server = connect(Number(target.port), target.hostname)
    const pair: [Socket, Socket] = [client, server]
    pairs.add(pair)
    for (const [from, to] of [pair, [server, client] as const]) {
      from.on('data', (chunk) => mode === 'swallow' || to.write(chunk))
      from.on('error', () => {})
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
  })
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  through.host = `127.0.0.1:${(gate.address() as { port: number }).port}`
  const drop = (): void => {
    for (const [client, server] of pairs) {
      client.destroy()
      server.destroy()
    }
  }
  return {
    url: through.toString(),
    set(next: typeof mode) {
      mode = next
      if (next === 'cut') drop()
    },
    close() {
      drop()
      gate.close()
    },
  }
}

t.test('while the database is away everything is 503 with Retry-After, and then works again', async (t) => {
  const { url } = await setup(t)
  const gate = await openGate(url)
  t.teardown(() => gate.close())
  const rowbeat = createRowbeat({ databaseUrl: gate.url, tasks: TASKS })
  const world = await serve(t, { rowbeat, deadlineMs: 1500 })
  const { call, said } = world
  const { issueKey } = await import('../../src/auth/key.ts')
  const { toQueryable } = await import('../../src/db/handle.ts')
  const { key } = await issueKey(toQueryable(rowbeat.db), { name: 'through the gate', scopes: ['*'] })
  const post = () => call('POST', '/v1/runs', { task: 'demo.echo' }, { key })
  const first = await post()
  t.equal(first.status, 202)
  const base = await world.listen()
  const watcher = await watch(base, `/v1/runs/${first.json.id}/events`, key)
  await until('the first event', () => watcher.states.length === 1)

  for (const mode of ['cut', 'swallow'] as const) {
    gate.set(mode)
    said.length = 0
    const began = performance.now()
    const answers = await Promise.all([
      post(),
      call('GET', '/v1/runs', undefined, { key }),
      call('GET', `/v1/runs/${first.json.id}`, undefined, { key }),
      call('GET', '/readyz'),
    ])
    t.ok(performance.now() - began < 4000, `${mode}: answered in ${Math.round(performance.now() - began)} ms`)
    for (const answer of answers) {
      t.equal(answer.status, 503, `${mode}: ${answer.text}`)
      t.ok(Number(answer.headers['retry-after']) > 0)
      t.equal(answer.json.code, 'RB_DB_UNREACHABLE')
      t.notMatch(answer.text, /127\.0\.0\.1|select|ECONNRESET at/)
    }
    t.equal((await call('GET', '/healthz')).status, 200)
    await Promise.all(Array.from({ length: 50 }, post))
    t.ok(said.filter(({ level }) => Number(level) >= 50).length < 10, `${mode}: the log is not flooded`)
    gate.set('cut')
    gate.set('open')
    await until(`${mode}: enqueue works again`, async () => (await post()).status === 202, {
      timeout: 30_000,
    })
    t.equal((await call('GET', '/readyz')).status, 200)
  }
  t.equal(watcher.ended, false, 'a stream outlives it')
  const sql = rowbeat.db as { unsafe(text: string, values: unknown[]): Promise<unknown> }
  await sql.unsafe('delete from rowbeat_queue._private_jobs where key = $1', [first.json.id])
  await until('it goes on telling', () => watcher.ended, { timeout: 20_000 })
})
