/**
 * What the scenarios about workers share: a crew of worker processes that die and are replaced, a witness that sees them
 * die, a load whose every run is accounted for, and the oracle that counts it up from the store and from what the
 * processes themselves wrote down, line by line, before they died.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type postgres from 'postgres'
import { createRowbeat } from '../../src/index.ts'
import type { Process } from '../helpers/process.ts'
import { entry, readLedger, scripted, type Script } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorkerProcess } from '../helpers/worker.ts'
import { emptyTally, type Tally } from './scenario.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

export interface Crew {
  readonly members: Process[]
  /** pid -> when it was killed. */
  readonly killed: Map<number, number>
  /** Everything any member said. */
  said(): string
  add(): Promise<Process>
  /** kill -9, and a successor on its way. */
  replace(victim: Process): Promise<void>
}

export async function startCrew(
  owner: Owner,
  url: string,
  size: number,
  options: Record<string, unknown> = {},
): Promise<Crew> {
  const members: Process[] = []
  const all: Process[] = []
  const killed = new Map<number, number>()
  const add = async (): Promise<Process> => {
    const member = await startWorkerProcess(owner, url, options)
    members.push(member)
    all.push(member)
    return member
  }
  await Promise.all(Array.from({ length: size }, add))
  return {
    members,
    killed,
    said: () => all.map((member) => member.output()).join(''),
    add,
    async replace(victim) {
      killed.set(victim.pid, Date.now())
      victim.kill('SIGKILL')
      members.splice(members.indexOf(victim), 1)
      await add()
    },
  }
}

export interface Load {
  readonly ledger: string
  readonly acked: Set<string>
  add(scripts: readonly Script[], options?: object): Promise<void>
  /** One run, and its id. */
  addOne(script: Script, options?: object): Promise<string>
  /** Transactional runs, tried as often as it takes; their effects are rows of the table `ledger`. */
  addEntries(n: number): Promise<void>
  /** Until every acknowledged run has ended, or `timeout` ms passed. */
  drained(timeout: number): Promise<void>
}

export function startLoad(owner: Owner, url: string, sql: postgres.Sql): Load {
  const folder = mkdtempSync(join(tmpdir(), 'rowbeat-ledger-'))
  const ledger = join(folder, 'ledger')
  const rowbeat = createRowbeat({ databaseUrl: url, tasks: [scripted, entry] })
  owner.teardown(async () => {
    await rowbeat.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const acked = new Set<string>()
  return {
    ledger,
    acked,
    async add(scripts, options = {}) {
      for (let i = 0; i < scripts.length; i += 1000) {
        const some = scripts.slice(i, i + 1000).map((script) => ({ ...script, ledger }))
        const handles = await rowbeat.enqueueMany(
          some.map((input) => ({ task: scripted, input, ...options })),
        )
        for (const { id } of handles) acked.add(id)
      }
    },
    async addOne(script, options = {}) {
      const { id } = await rowbeat.enqueue(scripted, { ...script, ledger }, options)
      acked.add(id)
      return id
    },
    async addEntries(n) {
      const retry = { backoff: 'constant' as const, base: '50ms' as const }
      const items = Array.from({ length: n }, () => ({
        task: entry,
        input: { ms: 5 },
        attemptsMax: 1000,
        retry,
      }))
      for (const { id } of await rowbeat.enqueueMany(items)) acked.add(id)
    },
    drained: (timeout) =>
      until(
        'every run has ended',
        async () => {
          const [row] = await sql`select count(*)::int as n from rowbeat.results`
          return row!.n >= acked.size
        },
        { timeout, every: 100 },
      ).then(
        () => {},
        () => {},
      ),
  }
}

export interface Account {
  tally: Tally
  /** Starts beyond the first, whose earlier start was in a process that was killed; and the others, which must not be. */
  rerunsExplained: number
  rerunsUnexplained: number
  /** Ended as worker_lost, with three starts in processes that were killed. */
  workerLost: number
  /** From a kill to the next start of what it hit, sorted; milliseconds. */
  recoveries: number[]
}

/** Compares what was promised with what the store has and what the processes wrote down. */
export async function countUp(
  sql: postgres.Sql,
  load: Load,
  killed: ReadonlyMap<number, number>,
): Promise<Account> {
  const tally = { ...emptyTally(), faults: killed.size, attempts: load.acked.size, acked: load.acked.size }
  const account: Account = { tally, rerunsExplained: 0, rerunsUnexplained: 0, workerLost: 0, recoveries: [] }
  const starts = new Map<string, { pid: number; at: number }[]>()
  for (const { what, run, pid, at } of readLedger(load.ledger)) {
    if (what !== 'start') continue
    const list = starts.get(run) ?? []
    list.push({ pid, at })
    starts.set(run, list)
  }
  for (const list of starts.values()) {
    list
      .toSorted((a, b) => a.at - b.at)
      .forEach(({ at }, i, sorted) => {
        if (i === 0) return
        const diedAt = killed.get(sorted[i - 1]!.pid)
        if (diedAt === undefined) account.rerunsUnexplained++
        else {
          account.rerunsExplained++
          account.recoveries.push(Math.max(0, at - diedAt))
        }
      })
  }
  account.recoveries.sort((a, b) => a - b)
  const rows = await sql`select id, state, reason, count(*)::int as n from rowbeat.results group by 1, 2, 3`
  const ended = new Set<string>()
  for (const { id, state, reason, n } of rows) {
    if (!load.acked.has(id)) tally.recovered++
    else if (n > 1 || ended.has(id)) tally.duplicated++
    else if (state === 'SUCCESS') tally.ok++
    else if (reason === 'worker_lost' && starts.get(id)!.filter(({ pid }) => killed.has(pid)).length >= 3) {
      tally.ok++
      account.workerLost++
    } else tally.unexpected++
    ended.add(id)
  }
  const waiting = new Set(
    (
      await sql`select key as id from rowbeat_queue._private_jobs union all select id::text from rowbeat.parked`
    ).map(({ id }) => id),
  )
  for (const id of load.acked) {
    if (ended.has(id)) continue
    if (waiting.has(id)) tally.stuck++
    else tally.lost++
  }
  tally.unexpected += account.rerunsUnexplained
  return account
}

/** How many transactional runs and their effects do not agree: one without the other, or an effect that is there twice. */
export async function countTorn(sql: postgres.Sql): Promise<number> {
  const [row] = await sql`
    with effects as (select run, count(*)::int as n from ledger group by run)
    select count(*)::int as torn from (select * from rowbeat.results where task = ${entry.name}) r full join effects e on e.run = r.id
    where e.n > 1 or r.id is null or (r.state = 'SUCCESS') <> (e.n is not null)`
  return row!.torn
}

export function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0
}

export function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
