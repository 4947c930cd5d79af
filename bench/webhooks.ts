/**
 * What webhooks cost the ends of runs: one worker drains a backlog of empty tasks
 *
 *   without   as if webhooks did not exist: the trigger on rowbeat.results is dropped
 *   none      the trigger is there, and no webhook is enabled
 *   other     one webhook that wants runs of another task
 *   all       one webhook that wants them all: each end makes an event, which is a run of its own (nobody sends them here)
 *
 *   node bench/webhooks.ts <url of a PostgreSQL whose user may create databases> [rounds] [jobs]
 *
 * Rounds are interleaved and every drain is a process and a database of its own. Beside the rate it tells what the
 * server's processes spent on each run, which other work on the machine disturbs less. Server and bench on one machine.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { createRowbeat, createWorker, migrate, task } from '../src/index.ts'

const WAYS = ['without', 'none', 'other', 'all'] as const
type Way = (typeof WAYS)[number]
interface Drained {
  rate: number
  /** Microseconds of the server's processors a run. */
  cpu: number
}

const add = task('bench.add', {}, async ({ x, y }: { x: number; y: number }) => x + y)
const TEMPLATE = 'rowbeat_bench_webhooks'
const TICKS = 100

function urlOf(url: string, database: string): string {
  const own = new URL(url)
  own.pathname = `/${database}`
  return own.href
}

/** Milliseconds that a process has computed so far. */
function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS
  } catch {
    return 0
  }
}

async function drain(url: string, jobs: number): Promise<Drained> {
  const sql = postgres(url, { max: 1 })
  const rowbeat = createRowbeat({ databaseUrl: url, tasks: [add], connections: 1 })
  for (let at = 0; at < jobs; at += 1000)
    await rowbeat.enqueueMany(
      Array.from({ length: 1000 }, (_, n) => ({ task: add, input: { x: at + n, y: 1 } })),
    )
  await rowbeat.close()
  await sql`vacuum analyze rowbeat_queue._private_jobs`
  const [own] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  const ownBefore = cpuMs(own!.pid)
  let done = 0
  const worker = createWorker({
    databaseUrl: url,
    tasks: [add],
    queues: { default: 100 },
    routes: [['rowbeat.webhook', { queue: 'unserved' }]],
  })
  const from = performance.now()
  const ended = new Promise<void>((resolve) => {
    worker.events.on('run:finished', () => ++done === jobs && resolve())
  })
  await worker.start()
  await ended
  const ms = performance.now() - from
  const backends = await sql<
    { pid: number }[]
  >`select pid from pg_stat_activity where datname = current_database()`
  const cpu = backends.reduce((sum, { pid }) => sum + cpuMs(pid), -ownBefore)
  await worker.stop()
  await sql.end()
  return { rate: (jobs / ms) * 1000, cpu: (cpu * 1000) / jobs }
}

async function play(server: string, rounds: number, jobs: number): Promise<void> {
  const admin = postgres(server, { max: 1, onnotice: () => {} })
  await admin.unsafe(`drop database if exists ${TEMPLATE} with (force)`)
  await admin.unsafe(`create database ${TEMPLATE}`)
  await migrate({ url: urlOf(server, TEMPLATE) })
  const seen = Object.fromEntries(WAYS.map((way) => [way, []])) as unknown as Record<Way, Drained[]>
  for (let round = 0; round < rounds; round++) {
    for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
      const database = `${TEMPLATE}_${way}`
      await admin.unsafe(`drop database if exists ${database} with (force)`)
      await admin.unsafe(`create database ${database} template ${TEMPLATE}`)
      const sql = postgres(urlOf(server, database), { max: 1 })
      await sql`update rowbeat.queues set hot_limit = 1000000`
      if (way === 'without') await sql`drop trigger tell_webhooks on rowbeat.results`
      const tasks = way === 'other' ? ['orders.*'] : null
      if (way === 'other' || way === 'all')
        await sql`insert into rowbeat.webhooks (name, url, tasks) values (${way}, 'https://example.com/', ${tasks})`
      await sql.end()
      const said = execFileSync(process.execPath, [
        fileURLToPath(import.meta.url),
        'drain',
        urlOf(server, database),
        String(jobs),
      ])
      seen[way].push(JSON.parse(said.toString().trim().split('\n').at(-1)!) as Drained)
      await admin.unsafe(`drop database ${database} with (force)`)
    }
  }
  await admin.unsafe(`drop database ${TEMPLATE} with (force)`)
  await admin.end()
  for (const way of WAYS) {
    const of = (pick: (one: Drained) => number): string => median(seen[way].map(pick)).toFixed(1)
    const ratio = (pick: (one: Drained) => number): string =>
      median(seen[way].map((one, round) => pick(one) / pick(seen.without[round]!))).toFixed(3)
    console.log(
      `${way.padEnd(8)} ${of(({ rate }) => rate)} runs/s (${ratio(({ rate }) => rate)})  ${of(({ cpu }) => cpu)} µs of the server a run (${ratio(({ cpu }) => cpu)})`,
    )
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted.length % 2
    ? sorted[sorted.length >> 1]!
    : (sorted[sorted.length / 2 - 1]! + sorted[sorted.length / 2]!) / 2
}

const [first = '', second, third] = process.argv.slice(2)
if (first === 'drain') console.log(JSON.stringify(await drain(second!, Number(third))))
else await play(first, Number(second ?? 6), Number(third ?? 40_000))
