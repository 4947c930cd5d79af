/**
 * Three beats over 200 schedules of one to ten seconds, and every two seconds one of them, at random, is killed with -9
 * and replaced, or frozen (SIGSTOP) for one to fifteen seconds; the last that is awake is never frozen, only killed.
 * Meanwhile PostgreSQL is restarted `-m immediate`, on a server of the scenario's own. No schedule may miss an instant or
 * fire it twice, and how late they are is told apart: with a fault in the ten seconds before, and in the calm before and after.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts'
import { migrate } from '../../src/index.ts'
import { makeTicking, reckon, startBeatProcess, type Reckoning } from '../helpers/beat.ts'
import type { Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { pauseFor, percentile } from './crew.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

export interface BeatsOptions {
  schedules: number
  /** Before the first fault. */
  calmMs: number
  /** After the last fault: what follows it ten seconds later is calm again. */
  afterMs: number
  everyMs: number
  restarts: number
}

/** An instant that comes so soon after a fault is within it. */
const WITHIN_MS = 10_000
const BEATS = 3

type Owner = Pick<Torture, 'teardown'>

export async function harmBeats(torture: Torture, options: BeatsOptions): Promise<Tally> {
  const { count, log, random, teardown } = torture
  const owner = { teardown }
  const { calmMs, afterMs, everyMs } = options
  const store = await startStore(owner)
  const { url, sql } = store
  const crew = await startBeats(owner, url)
  const lastsMs = calmMs + count * everyMs + afterMs
  await makeTicking(
    sql,
    Array.from({ length: options.schedules }, (_, n) => ({
      name: `ticking ${n}`,
      everyMs: 1000 + Math.floor(random() * 9000),
      endsAfterMs: lastsMs,
    })),
  )
  await pauseFor(calmMs)
  const faults: number[] = []
  const restartAt = new Set(
    Array.from({ length: options.restarts }, (_, n) => Math.floor(((n + 0.5) * count) / options.restarts)),
  )
  const restarting: Promise<void>[] = []
  for (let n = 0; n < count; n++) {
    faults.push(Date.now())
    crew.harm(random)
    if (restartAt.has(n)) restarting.push(store.restart(random() * 1500, (at) => faults.push(at)))
    await pauseFor(everyMs)
    if (n % 50 === 49) log(`${n + 1} faults: ${crew.kills()} kills, ${crew.freezes()} freezes`)
  }
  await Promise.all(restarting)
  await pauseFor(afterMs)
  await until('every schedule is over', () => store.areOver(), { timeout: 60_000, every: 200 }).catch(
    (error: Error) => log(error.message),
  )
  const account = await reckon(sql, Infinity)
  log(
    `${crew.kills()} kills, ${crew.freezes()} freezes, ${restarting.length} restarts, ${account.expected} instants`,
  )
  const late = judgeLateness(account, faults, crew.slowestStartMs(), log)
  for (const words of account.unexplained.slice(0, 5)) log(words)
  for (const { schedule, dueMs } of account.missed.slice(0, 5)) log(`missed: ${schedule} at ${dueMs}`)
  const unhandled = crew.said().match(/^unhandled.*|^refused.*/m)
  if (unhandled) log(unhandled[0])
  return toTally(account, count, late + (unhandled ? 1 : 0))
}

function toTally(account: Reckoning, faults: number, broken: number): Tally {
  return {
    ...emptyTally(),
    faults,
    attempts: account.expected,
    acked: account.expected,
    ok: account.expected - account.missed.length,
    lost: account.missed.length,
    duplicated: account.doubled,
    unexpected: account.early.length + account.unexplained.length + broken,
  }
}

/**
 * How many of the two promises about lateness were broken. When the only beat that is awake is killed nobody fires until
 * another has started, and how long that takes says the machine: less than a second on one that is not busy otherwise.
 */
function judgeLateness(
  { instants }: Reckoning,
  faults: readonly number[],
  slowestStartMs: number,
  log: (line: string) => void,
): number {
  const lists = { calm: [] as number[], within: [] as number[] }
  for (const { dueMs, latenessMs } of instants) {
    if (latenessMs === null) continue
    const isWithin = faults.some((at) => at <= dueMs && dueMs < at + WITHIN_MS)
    lists[isWithin ? 'within' : 'calm'].push(latenessMs)
  }
  const p99 = (name: keyof typeof lists): number => {
    const sorted = lists[name].sort((a, b) => a - b)
    const [p50, most] = [percentile(sorted, 0.5), sorted.at(-1) ?? 0]
    const all = [p50, percentile(sorted, 0.99), most].map((ms) => `${Math.round(ms)} ms`)
    log(`lateness ${name}: p50 ${all[0]}, p99 ${all[1]}, at most ${all[2]} (${sorted.length} instants)`)
    return percentile(sorted, 0.99)
  }
  return (p99('calm') > 1000 ? 1 : 0) + (p99('within') > 4000 + Math.max(1000, slowestStartMs) ? 1 : 0)
}

async function startBeats(owner: Owner, url: string) {
  const awake: Process[] = []
  const frozen = new Set<Process>()
  const all: Process[] = []
  let [kills, freezes, slowestStartMs] = [0, 0, 0]
  const add = async (): Promise<void> => {
    const from = performance.now()
    const beat = await startBeatProcess(owner, url)
    slowestStartMs = Math.max(slowestStartMs, performance.now() - from)
    awake.push(beat)
    all.push(beat)
  }
  await Promise.all(Array.from({ length: BEATS }, add))
  const replace = (victim: Process): void => {
    kills++
    frozen.delete(victim)
    if (awake.includes(victim)) awake.splice(awake.indexOf(victim), 1)
    victim.kill('SIGKILL')
    // While PostgreSQL is away it cannot start: once more, until it is there.
    const replacement = (): Promise<void> => add().catch(() => pauseFor(200).then(replacement))
    void replacement()
  }
  const freeze = (victim: Process, ms: number): void => {
    freezes++
    awake.splice(awake.indexOf(victim), 1)
    frozen.add(victim)
    victim.kill('SIGSTOP')
    setTimeout(() => {
      victim.kill('SIGCONT')
      if (frozen.delete(victim)) awake.push(victim)
    }, ms)
  }
  return {
    harm(random: () => number) {
      const crew = [...awake, ...frozen]
      const victim = crew[Math.floor(random() * crew.length)]
      const [mode, ms] = [random(), 1000 + random() * 14_000]
      if (!victim) return
      if (mode < 0.5 || awake.length === 1 || frozen.has(victim)) replace(victim)
      else freeze(victim, ms)
    },
    kills: () => kills,
    freezes: () => freezes,
    slowestStartMs: () => slowestStartMs,
    said: () => all.map((beat) => beat.output()).join(''),
  }
}

async function startStore({ teardown }: Owner) {
  const dataDir = mkdtempSync(join(tmpdir(), 'rowbeat-beats-'))
  // fsync is about power; a server that is killed keeps what the kernel has.
  const start = (port: number): Promise<EmbeddedPostgres> =>
    startPostgres({ dataDir, port, settings: { fsync: 'off' } })
  let server = await start(0)
  const { port, url } = server
  teardown(async () => {
    await server.stop('immediate').catch(() => {})
    rmSync(dataDir, { recursive: true, force: true })
  })
  await migrate({ url })
  const sql = postgres(url, { max: 2, fetch_types: false, onnotice: () => {} })
  teardown(() => sql.end({ timeout: 1 }))
  return {
    url,
    sql,
    /** `tell` hears of the moment it stops and of the moment it is back. */
    async restart(awayMs: number, tell: (at: number) => void) {
      tell(Date.now())
      await server.stop('immediate')
      await pauseFor(awayMs)
      server = await start(port)
      tell(Date.now())
    },
    async areOver() {
      const [row] = await sql`
        select count(*)::int as n from rowbeat.schedules where schedule->>'period' = 'milliseconds' and enabled`
      return row!.n === 0
    },
  }
}

export const beats: Scenario = {
  says: 'three beats, 200 schedules; one beat killed or frozen each 2 s, PostgreSQL restarted 3 times: none missed, none twice',
  count: 300,
  run: (torture) =>
    harmBeats(torture, {
      schedules: 200,
      calmMs: 60_000,
      afterMs: 60_000,
      everyMs: 2000,
      restarts: Math.max(1, Math.min(3, Math.round(torture.count / 30))),
    }),
}
