/**
 * What it costs to have thousands watch: 5,000 open streams of events (SSE), each of a run of its own that waits. Memory of
 * the one process that serves them, over what it had before; processor of that process and of PostgreSQL while nothing
 * happens, which is what streams do most of the time; then one watched run changes, and how soon its watcher is told.
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import postgres from 'postgres'
import { until } from '../load.ts'
import { TICKS_PER_SECOND, ticksOfTrees } from '../neighbours.ts'
import { addTask, connectRowbeat } from '../peers/rowbeat.ts'
import type { Service } from '../peers/service.ts'
import { sleep, type Scenario } from '../scenario.ts'
import { quantile } from '../statistics.ts'

const STREAMS = 5_000
const AT_ONCE = 50
const LOOK_MS = 10_000
const TOLD = 50

interface Watcher {
  socket: Socket
  id: string
  /** Events heard. */
  events: number
}

function watch(port: number, key: string, id: string): Watcher {
  const socket = connect({ port, host: '127.0.0.1' })
  const watcher = { socket, id, events: 0 }
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => (watcher.events += text.split('event: run').length - 1))
  socket.write(
    `GET /v1/runs/${id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\n\r\n`,
  )
  return watcher
}

function rssOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kilobytes![1]) / 1024
}

export const streams: Scenario = {
  name: 'streams',
  title: 'Streams of events',
  about:
    `${STREAMS.toLocaleString('en')} streams are open, each on a run of its own that waits. Memory is that of the serving process over what it had ` +
    'before; processor time, in percent of a core, is taken over 10 s in which nothing happens; then 50 watched runs are revoked ' +
    'one after another, and each watcher is told.',
  columns: [
    { metric: 'memory', title: 'more MB', format: 'mb' },
    { metric: 'apiCpu', title: 'API, % of a core', format: 'count' },
    { metric: 'storeCpu', title: 'PostgreSQL, % of a core', format: 'count' },
    { metric: 'toldP50', title: 'told p50', format: 'ms' },
    { metric: 'toldP99', title: 'told p99', format: 'ms' },
  ],
  roundsMax: 2,
  contestants: [
    {
      key: 'rowbeat',
      label: 'GET /v1/runs/{id}/events',
      peer: 'service',
      options: { with: 'rowbeat' },
      group: '',
    },
  ],

  async measure(peer, _params, { databaseUrl }) {
    const { address, process: server } = peer as Service
    const rowbeat = await connectRowbeat(databaseUrl)
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    const [row] = await sql`select pg_backend_pid() as pid`
    const postmaster = Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${row!['pid']}/status`, 'utf8'))![1])
    const runs = await rowbeat.enqueueMany(
      Array.from({ length: STREAMS }, (_, x) => ({
        task: addTask,
        input: { x, y: 1, note: '' },
        delay: '1h' as const,
      })),
    )
    await sleep(2000)
    const before = rssOf(server.pid!)

    const watchers: Watcher[] = []
    for (let from = 0; from < STREAMS; from += AT_ONCE) {
      const some = runs.slice(from, from + AT_ONCE).map((run) => watch(address.port, address.key!, run.id))
      watchers.push(...some)
      await until('they watch', () => some.every(({ events }) => events > 0))
    }
    await sleep(5000)
    const memory = rssOf(server.pid!) - before

    const spent = (): [api: number, store: number] => [
      ticksOfTrees([server.pid!]),
      ticksOfTrees([postmaster]),
    ]
    const from = spent()
    await sleep(LOOK_MS)
    const [apiCpu, storeCpu] = spent().map(
      (ticks, n) => (100 * (ticks - from[n]!)) / TICKS_PER_SECOND / (LOOK_MS / 1000),
    ) as [number, number]

    const took: number[] = []
    for (const watcher of watchers.slice(0, TOLD)) {
      const at = performance.now()
      await rowbeat.revoke(watcher.id)
      await until('it is told', () => watcher.events > 1, 1)
      took.push(performance.now() - at)
    }
    for (const { socket } of watchers) socket.destroy()
    await rowbeat.close()
    await sql.end({ timeout: 1 })
    return { memory, apiCpu, storeCpu, toldP50: quantile(took, 0.5), toldP99: quantile(took, 0.99) }
  },
}
