/**
 * The figures of the whole, as those who watch it are told them every second. One look serves all who watch in this process
 * (api/live.ts), and what takes long is read less often: whatever the tables hold, looking takes a fiftieth of one
 * connection's time for each of its parts. So a figure may be some seconds old, and `at` and the age say how old a look is.
 */
import { PROCESS } from '../auth/scopes.ts'
import { monotonicMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { readLiveLook, readLiveRuns, type LiveLook, type LiveRunRow } from '../db/statements/live.ts'
import { listQueues, type QueueDocument } from '../db/statements/queue-figures.ts'
import type { RunState } from '../results/run.ts'
import type { ProblemControl, TroubleDocument } from './problems.ts'

/** A run in short. */
export type LiveRun = Omit<LiveRunRow, 'state'> & { state: RunState }

export type LiveQueue = Pick<
  QueueDocument,
  'name' | 'state' | 'waiting' | 'capped' | 'running' | 'slots' | 'oldest_age'
>

export interface LiveWorker {
  name: string
  running: number
  slots: number
  /** Tries a second that ended since the look before; null at the first. */
  rate: number | null
  rss_bytes: number | null
  loop_lag_ms: number | null
  clock_skew_ms: number | null
  quiet: boolean
  stopping: boolean
  /** Seconds since its last sign of life. */
  unseen: number
}

export interface LiveFigures {
  /** By the database's clock. */
  at: string
  running: number
  slots: number
  /** By state; `capped`: so many at least. */
  waiting: { PENDING: number; SCHEDULED: number; RETRY: number; capped: boolean }
  /** Seconds. */
  oldest_age: number | null
  /** Tries a second that ended since the look before; null at the first. */
  throughput: { succeeded: number; failed: number; retried: number; revoked: number } | null
  queues: LiveQueue[]
  workers: LiveWorker[]
  problems: { errors: number; warnings: number; first: TroubleDocument | null }
}

export interface LiveControl {
  /** The figures now, and the runs that were enqueued or began since the last look. */
  look(): Promise<{ figures: LiveFigures; changed: string[] }>
  readRuns(ids: readonly string[]): Promise<LiveRun[]>
}

/** Looks at parts may take one part in so many of the time. */
const SHARE = 50
const QUEUES_MS = 900
const PROBLEMS_MS = 5000
/** What commits later than its id was made; ids that were told stand that long. */
const LATE_MS = 500

type Counted = keyof NonNullable<LiveFigures['throughput']>

export function createLiveControl(db: Queryable, problems: ProblemControl): LiveControl {
  const readQueues = seldom(QUEUES_MS, () => listQueues(db))
  const readProblems = seldom(PROBLEMS_MS, () => problems.list(PROCESS))
  let last: LiveLook | null = null
  let told = new Set<string>()

  return Object.freeze({
    async look() {
      const since = last
      const [look, queues, troubles] = await Promise.all([
        readLiveLook(db, since && since.nowMs - LATE_MS),
        readQueues(),
        readProblems(),
      ])
      last = look
      const before = new Set(since?.workers.flatMap(({ running }) => running))
      const began = look.workers.flatMap(({ running }) => running.filter((id) => !before.has(id)))
      const fresh = look.fresh.filter((id) => !told.has(id))
      told = new Set(look.fresh)
      const changed = since ? [...new Set([...fresh, ...began])] : []
      return { figures: describe(look, since, queues, troubles), changed }
    },
    readRuns: async (ids: readonly string[]) => (await readLiveRuns(db, ids)) as LiveRun[],
  })
}

/** Reads again after `ms` at the earliest, and the later the longer it takes; of the last two, for one may have had to wait for others. */
function seldom<Value>(ms: number, read: () => Promise<Value>): () => Promise<Value> {
  let kept: { value: Value; until: number; took: number } | null = null
  return async () => {
    if (kept && monotonicMs() < kept.until) return kept.value
    const began = monotonicMs()
    const value = await read()
    const took = monotonicMs() - began
    kept = { value, took, until: began + Math.max(ms, SHARE * Math.min(took, kept?.took ?? 0)) }
    return value
  }
}

function describe(
  look: LiveLook,
  since: LiveLook | null,
  queues: readonly QueueDocument[],
  troubles: readonly TroubleDocument[],
): LiveFigures {
  const seconds = since && Math.max(0.001, (look.nowMs - since.nowMs) / 1000)
  const rateOf = (states: readonly Counted[], workers = look.workers): number | null =>
    seconds === null ? null : grown(workers, since!, states) / seconds
  const ages = queues.flatMap(({ oldest_age: age }) => age ?? [])
  return {
    at: new Date(look.nowMs).toISOString(),
    running: look.workers.reduce((sum, { running }) => sum + running.length, 0),
    slots: look.workers.reduce((sum, { slots }) => sum + slots, 0),
    waiting: countWaiting(queues),
    oldest_age: ages.length === 0 ? null : Math.max(...ages),
    throughput: seconds === null ? null : throughputOf((state) => rateOf([state])!),
    queues: queues.map(({ name, state, waiting, capped, running, slots, oldest_age }) => ({
      name,
      state,
      waiting,
      capped,
      running,
      slots,
      oldest_age,
    })),
    workers: look.workers.map(({ id: _, processed: __, ...worker }, index) => ({
      ...worker,
      running: worker.running.length,
      rate: rateOf(COUNTED, look.workers.slice(index, index + 1)),
    })),
    problems: {
      errors: troubles.filter(({ level }) => level === 'error').length,
      warnings: troubles.filter(({ level }) => level === 'warning').length,
      first: troubles[0] ?? null,
    },
  }
}

const COUNTED: readonly Counted[] = ['succeeded', 'failed', 'retried', 'revoked']

function throughputOf(rateOf: (state: Counted) => number): Record<Counted, number> {
  return {
    succeeded: rateOf('succeeded'),
    failed: rateOf('failed'),
    retried: rateOf('retried'),
    revoked: rateOf('revoked'),
  }
}

/** What these workers counted since; one that came in between counts from its start. */
function grown(workers: LiveLook['workers'], since: LiveLook, states: readonly Counted[]): number {
  let sum = 0
  for (const { id, processed } of workers) {
    const before = since.workers.find((worker) => worker.id === id)?.processed
    for (const state of states) sum += (processed[state] ?? 0) - (before?.[state] ?? 0)
  }
  return sum
}

export function countWaiting(queues: readonly QueueDocument[]): LiveFigures['waiting'] {
  const sums = { PENDING: 0, SCHEDULED: 0, RETRY: 0, capped: queues.some(({ capped }) => capped) }
  for (const { waiting } of queues) {
    const { eta, snooze, retry, ...pending } = waiting
    sums.SCHEDULED += eta + snooze
    sums.RETRY += retry
    sums.PENDING += Object.values(pending).reduce((sum, n) => sum + n, 0)
  }
  return sums
}
