/**
 * Every run is revoked at a moment of chance, before it is taken, while it is held, runs, waits for its next try, or after it
 * has ended; with terminate and without; while workers are killed with -9 and replaced. At the end the whole crew stops,
 * what is queued is revoked, and a new crew starts.
 *
 * What must hold: each run ends once, in a state that its script, or the revocation, can bring about; what was answered with
 * a finished state stays in it; what was REVOKED at once never starts afterwards; a running handler that looks at its signal ends within 500 ms (p99)
 * of the revocation, unless its worker was killed meanwhile.
 */
import type { Script } from '../helpers/tasks.ts'
import { readLedger } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { pauseFor, percentile, startCrew, startLoad, type Crew, type Load } from './crew.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

export interface RevokeOptions {
  workers: number
  /** A run is revoked up to so long after it was enqueued. */
  withinMs: number
  /** Runs that are under way to be revoked at once. */
  flights: number
  killEveryMs: number
}

const FINISHED = ['SUCCESS', 'FAILURE', 'REVOKED']
const SIGNAL_MS = 500

/** When a run was revoked, and the state that it was said to be in after. */
interface Asked {
  state: string
  terminate: boolean
  atMs: number
  answeredMs: number
}

export interface RevokeAccount {
  tally: Tally
  /** From the revocation of a running run to its end, sorted; milliseconds. */
  latencies: number[]
  ends: Record<string, number>
}

export async function revokeAtRandom(
  { world, count, random, log, teardown }: Torture,
  { workers, withinMs, flights, killEveryMs }: RevokeOptions,
): Promise<RevokeAccount> {
  const owner = { teardown }
  const { sql } = world
  const crew = await startCrew(owner, world.url, workers)
  const load = startLoad(owner, world.url, sql)
  const asked = new Map<string, Asked>()
  const scripts = new Map<string, Script>()

  const revoke = async (id: string): Promise<void> => {
    const terminate = random() < 0.3
    const [row] = await sql<{ at: number; state: string }[]>`
      select extract(epoch from clock_timestamp())::float8 * 1000 as at, rowbeat.revoke(${id}, ${terminate}, 'chance') as state`
    asked.set(id, { state: row!.state, terminate, atMs: row!.at, answeredMs: Date.now() })
  }
  const one = async (): Promise<void> => {
    const script = scriptOf(random)
    const id = await enqueue(load, script)
    scripts.set(id, script)
    if (random() < 0.9) await pauseFor(random() * withinMs)
    await revoke(id)
  }
  let left = count
  const done = new AbortController()
  const killing = killNowAndThen(crew, { workers, everyMs: killEveryMs, random, signal: done.signal })
  await Promise.all(
    Array.from({ length: flights }, async () => {
      while (left-- > 0) {
        await one()
        if (asked.size % 1000 === 0) log(`${asked.size} revoked, ${crew.killed.size} kills`)
      }
    }),
  )
  done.abort()
  await killing

  // Queued ones of workers that have stopped stay revoked after others start.
  await Promise.all(crew.members.map((member) => member.kill('SIGTERM')))
  await Promise.all(crew.members.map((member) => member.ended(30_000)))
  crew.members.length = 0
  const waiting: string[] = []
  for (let i = 0; i < Math.ceil(count / 20); i++) {
    const id = await enqueue(load, { ms: 1 })
    scripts.set(id, { ms: 1 })
    waiting.push(id)
  }
  for (const id of waiting) await revoke(id)
  await crew.add()
  await load.drained(60_000)
  return await judge(world.sql, { load, crew, asked, scripts, log })
}

/** Up to three tries, 100 ms apart. */
async function enqueue(load: Load, script: Script): Promise<string> {
  const retry = { backoff: 'constant', base: '100ms', jitter: false }
  return await load.addOne(script, { attemptsMax: 3, retry })
}

/** Short ones, long ones that look at their signal, deaf ones, and those that will be tried again. */
function scriptOf(random: () => number): Script {
  const chance = random()
  if (chance < 0.25) return { ms: random() * 100 }
  if (chance < 0.6) return { fate: 'hang', obedient: true }
  if (chance < 0.7) return { ms: 200 + random() * 600 }
  if (chance < 0.8) return { fate: 'retry', ms: random() * 50, again: random() * 1000 }
  if (chance < 0.9) return { fate: 'snooze', times: 3, again: random() * 500 }
  return { fate: chance < 0.95 ? 'fail' : 'discard', ms: random() * 200, obedient: true }
}

async function killNowAndThen(
  crew: Crew,
  how: { workers: number; everyMs: number; random: () => number; signal: AbortSignal },
): Promise<void> {
  const successors: Promise<void>[] = []
  while (!how.signal.aborted) {
    await pauseFor(how.everyMs * (0.5 + how.random()))
    if (how.signal.aborted || crew.members.length < how.workers) continue
    successors.push(crew.replace(crew.members[Math.floor(how.random() * how.workers)]!))
  }
  await Promise.all(successors)
  await until('the crew is complete', () => crew.members.length === how.workers, { timeout: 60_000 })
}

interface Evidence {
  load: Load
  crew: Crew
  asked: ReadonlyMap<string, Asked>
  scripts: ReadonlyMap<string, Script>
  log(line: string): void
}

async function judge(sql: Torture['world']['sql'], evidence: Evidence): Promise<RevokeAccount> {
  const { load, crew, asked, scripts, log } = evidence
  const tally = {
    ...emptyTally(),
    faults: asked.size + crew.killed.size,
    attempts: asked.size,
    acked: load.acked.size,
  }
  const ends: Record<string, number> = {}
  const latencies: number[] = []
  const starts = Map.groupBy(
    readLedger(load.ledger).filter(({ what }) => what === 'start'),
    ({ run }) => run,
  )
  const blame = (id: string, words: string): void => {
    tally.unexpected++
    log(`${id} ${words}`)
  }
  const rows = await sql<{ id: string; state: string; reason: string | null; at: number; n: number }[]>`
    select id, min(state) as state, min(reason) as reason, extract(epoch from max(finished_at))::float8 * 1000 as at, count(*)::int as n
    from rowbeat.results group by id`
  for (const { id, state, reason, at, n } of rows) {
    const said = asked.get(id)
    if (!said) {
      blame(id, 'was never asked for')
      continue
    }
    if (n > 1) tally.duplicated++
    else tally.ok++
    const end = [state, reason].filter(Boolean).join(' ')
    ends[end] = (ends[end] ?? 0) + 1
    if (!legalEnds(scripts.get(id)!).includes(end))
      blame(id, `ended as ${end}: ${JSON.stringify(scripts.get(id))}`)
    if (FINISHED.includes(said.state) && said.state !== state)
      blame(id, `was told to be ${said.state} and is ${state}`)
    const begun = starts.get(id) ?? []
    const late = begun.filter((start) => start.at > said.answeredMs)
    if (FINISHED.includes(said.state) && late.length > 0)
      blame(id, `started after it had ended as ${said.state}`)
    const ran = !FINISHED.includes(said.state) && begun.some((start) => start.at < said.atMs)
    const spared = begun.every(({ pid }) => !crew.killed.has(pid))
    if (ran && spared && state === 'REVOKED' && scripts.get(id)!.obedient) latencies.push(at - said.atMs)
  }
  const [left] = await sql<{ n: number }[]>`
    select ((select count(*) from rowbeat_queue._private_jobs) + (select count(*) from rowbeat.parked))::int as n`
  tally.stuck = left!.n
  tally.lost = load.acked.size - rows.length - tally.stuck
  latencies.sort((a, b) => a - b)
  const p99 = percentile(latencies, 0.99)
  log(`ends ${JSON.stringify(ends)}`)
  log(
    `${latencies.length} running ones ended after p50=${percentile(latencies, 0.5).toFixed(0)} ms p99=${p99.toFixed(0)} ms max=${percentile(latencies, 1).toFixed(0)} ms`,
  )
  // Of a few, the slowest says more of the machine than of the signal.
  if (latencies.length >= 100 && p99 > SIGNAL_MS) tally.unexpected++
  if (/unhandled/.test(crew.said())) tally.unexpected++
  return { tally, latencies, ends }
}

/** Killed with its worker three times is an end too. */
function legalEnds({ fate = 'ok' }: Script): string[] {
  const own: Record<string, string[]> = {
    ok: ['SUCCESS'],
    snooze: ['SUCCESS'],
    fail: ['FAILURE attempts_exhausted'],
    retry: ['FAILURE attempts_exhausted'],
    discard: ['FAILURE discarded'],
    hang: [],
  }
  return ['REVOKED revoked', 'REVOKED terminated', 'FAILURE worker_lost', ...own[fate]!]
}

export const revokes: Scenario = {
  says: 'each run revoked at a random moment of its life while workers are killed: one legal end each, signals within 500 ms',
  count: 10_000,
  run: async (torture) =>
    (await revokeAtRandom(torture, { workers: 3, withinMs: 600, flights: 40, killEveryMs: 4000 })).tally,
}
