/**
 * Workers under load are told to end, one after the other, with runs in them that take longer than their grace. What did
 * not end is handed back and starts elsewhere; nothing of it counts, neither as a try nor as a crash; the process is
 * gone with exit code 0.
 */
import { until } from '../helpers/wait.ts'
import { readLedger } from '../helpers/tasks.ts'
import { countUp, pauseFor, percentile, startCrew, startLoad } from './crew.ts'
import type { Scenario, Tally, Torture } from './scenario.ts'

const WORKERS = 3
const GRACE_MS = 300
/** After the grace, for everything: last words, handing back, leaving. */
const LAST_MS = 1000
const ELSEWHERE_MS = 1000
/** In progress at once: less than two workers have slots for, so that where to go on is never the question. */
const BUSY = 30
const SLOTS = 20

export async function endWorkers({ world, count, random, log, teardown }: Torture): Promise<Tally> {
  const owner = { teardown }
  const crew = await startCrew(owner, world.url, WORKERS, { graceMs: GRACE_MS, queues: { default: SLOTS } })
  const load = startLoad(owner, world.url, world.sql)
  const feeding = new AbortController()
  const fed = feed()
  async function feed(): Promise<void> {
    while (!feeding.signal.aborted) {
      const [row] = await world.sql`select count(*)::int as n from rowbeat.results`
      const free = BUSY - (load.acked.size - row!.n)
      if (free > 0)
        await load.add(
          Array.from({ length: free }, () => ({
            ms: 100 + Math.floor(random() * 2900),
            obedient: random() < 0.5,
          })),
        )
      await pauseFor(50)
    }
  }
  const exits: number[] = []
  let unexpected = 0
  const successors: Promise<unknown>[] = []
  for (let i = 0; i < count; i++) {
    await until('the crew is complete', () => crew.members.length === WORKERS, { timeout: 60_000 })
    await pauseFor(500 * random())
    const [victim] = crew.members.splice(Math.floor(random() * WORKERS), 1)
    const since = performance.now()
    victim!.kill('SIGTERM')
    successors.push(crew.add())
    const { code } = await victim!.ended(30_000)
    exits.push(performance.now() - since)
    if (code !== 0) unexpected++
    unexpected += await countOrphans(world.admin)
    if (i % 50 === 49) log(`${i + 1} SIGTERMs`)
  }
  await Promise.all(successors)
  feeding.abort()
  await fed
  await load.drained(30_000)
  const account = await countUp(world.sql, load, new Map())
  const { handedBack, elsewhere, counted } = await followHandedBack(load.ledger, world.sql)
  exits.sort((a, b) => a - b)
  log(
    `SIGTERM to exit: p50=${ms(exits, 0.5)} p99=${ms(exits, 0.99)} max=${ms(exits, 1)} ms, with a grace of ${GRACE_MS} ms`,
  )
  log(
    `handed back ${handedBack}, started elsewhere after p50=${ms(elsewhere, 0.5)} p99=${ms(elsewhere, 0.99)} max=${ms(elsewhere, 1)} ms`,
  )
  const { tally } = account
  tally.faults = count
  // Each start beyond the first is explained by having been handed back.
  tally.unexpected +=
    unexpected + counted + Math.abs(account.rerunsUnexplained - handedBack) - account.rerunsUnexplained
  tally.unexpected += exits.filter((one) => one > GRACE_MS + LAST_MS).length
  tally.unexpected += elsewhere.filter((one) => one > ELSEWHERE_MS).length
  if (/unhandled/.test(crew.said())) tally.unexpected++
  return tally
}

/** Runs that are locked in the name of nobody: a claim that landed when its worker had left. */
async function countOrphans(admin: Torture['world']['admin']): Promise<number> {
  const [row] = await admin`
    select count(*)::int as n from rowbeat_queue._private_jobs j
    where j.locked_by is not null and not exists (select from rowbeat.workers w where j.locked_by = any (w.pools))`
  return row!.n
}

const ms = (sorted: readonly number[], p: number): number => Math.round(percentile(sorted, p))

/**
 * From the row that says so to the next line of the ledger that says it began. A run without such a line had ended in the
 * very moment in which it was written down as handed back, and stayed ended.
 */
async function followHandedBack(
  ledger: string,
  sql: Torture['world']['sql'],
): Promise<{ handedBack: number; elsewhere: number[]; counted: number }> {
  const starts = new Map<string, number[]>()
  for (const { what, run, at } of readLedger(ledger))
    if (what === 'start') starts.set(run, [...(starts.get(run) ?? []), at])
  const rows = await sql`
    select run_id as run, extract(epoch from finished_at)::float8 * 1000 as at
    from rowbeat.attempts where outcome = 'handed_back' order by finished_at`
  const passed = new Map<string, number>()
  const elsewhere: number[] = []
  for (const { run, at } of rows) {
    const nth = (passed.get(run) ?? 0) + 1
    const next = starts.get(run)![nth]
    if (next === undefined) continue
    passed.set(run, nth)
    elsewhere.push(Math.max(0, next - at))
  }
  const [row] = await sql`
    select count(*)::int as n from rowbeat.results where state <> 'SUCCESS' or attempt <> 1 or redeliveries <> 0`
  return {
    handedBack: elsewhere.length,
    elsewhere: elsewhere.toSorted((x, y) => x - y),
    counted: row!.n as number,
  }
}

export const sigterms: Scenario = {
  says: 'SIGTERM to a worker of three under load: what did not end within its grace starts elsewhere within 1 s, uncounted; exit 0',
  count: 200,
  run: endWorkers,
}
