/**
 * What top shows, as plain data: two looks at queues and workers, and what changed between them. Throughput is what workers
 * counted, which costs the database nothing; it is right from the second look on.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { monotonicMs, nowMs } from '../../clock.ts'
import { createProblemControl, type TroubleDocument } from '../../control/problems.ts'
import { createQueueControl, type QueueDocument } from '../../control/queues.ts'
import { createStatsControl, type StatsGroup } from '../../control/stats.ts'
import { createWorkerControl, type WorkerDocument } from '../../control/workers.ts'
import { toQueryable } from '../../db/handle.ts'
import { readTasksOf } from '../../db/statements/diagnosis.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'

/** Seconds over which the figures of a queue are taken. */
const PERIOD = 60
/** Runs in progress that are named at most. */
const NAMED = 200

export interface Look {
  /** RFC 3339, by this machine's clock. */
  at: string
  atMs: number
  queues: readonly QueueDocument[]
  workers: readonly WorkerDocument[]
  recent: ReadonlyMap<string, StatsGroup>
  tasks: ReadonlyMap<string, string>
  problems: readonly TroubleDocument[]
}

export interface QueueFigures {
  name: string
  state: QueueDocument['state']
  waiting: number
  /** One of the counts stopped at its limit. */
  capped: boolean
  /** Change of what waits, a second; null before the second look. */
  change: number | null
  oldest_age: number | null
  running: number
  slots: number
  /** Of the last minute: runs a second that finished, how many failed, and seconds that 95 of 100 waited at most. */
  rate: number
  failed: number
  waited_p95: number | null
}

export interface RunFigures {
  id: string
  task: string
  attempt: number
  seconds: number
}

export interface WorkerFigures {
  name: string
  state: 'ok' | 'quiet' | 'stopping'
  running: number
  slots: number
  /** Runs a second; null before the second look. */
  rate: number | null
  failing: number | null
  rss_bytes: number | null
  loop_lag_ms: number | null
  runs: RunFigures[]
}

export interface Figures {
  at: string
  /** Runs a second over all workers; null before the second look. */
  throughput: Record<'succeeded' | 'failed' | 'retried' | 'revoked', number> | null
  running: number
  slots: number
  waiting: number
  queues: QueueFigures[]
  workers: WorkerFigures[]
  problems: TroubleDocument[]
}

/** The look at this database; what is dear to read is read less often (control/memo.ts). */
export function createLook(rowbeat: Rowbeat): () => Promise<Look> {
  const db = toQueryable(rowbeat.db)
  const queueControl = createQueueControl(rowbeat)
  const workerControl = createWorkerControl(db)
  const problemControl = createProblemControl(db)
  const statsControl = createStatsControl(db)
  return async () => {
    const queues = await queueControl.list(PROCESS)
    const workers = await workerControl.list(PROCESS)
    const ids = workers.flatMap(({ running }) => running.map(({ id }) => id)).slice(0, NAMED)
    const tasks = ids.length === 0 ? [] : await readTasksOf(db, ids)
    const { groups } = await statsControl.read(PROCESS, { period: PERIOD, by: 'queue' })
    return {
      at: new Date(nowMs()).toISOString(),
      atMs: monotonicMs(),
      queues,
      workers,
      recent: new Map(groups.map((group) => [group.name, group])),
      tasks: new Map(tasks.map(({ id, task }) => [id, task])),
      problems: await problemControl.list(PROCESS),
    }
  }
}

/** What the second of two looks shows. */
export function figuresOf(now: Look, before: Look | null): Figures {
  const seconds = before && (now.atMs - before.atMs) / 1000
  const queues = now.queues.map((queue): QueueFigures => {
    const last = before?.queues.find(({ name }) => name === queue.name)
    const recent = now.recent.get(queue.name)
    const waiting = waitingOn(queue)
    return {
      name: queue.name,
      state: queue.state,
      waiting,
      capped: queue.capped,
      change: seconds ? (waiting - (last ? waitingOn(last) : 0)) / seconds : null,
      oldest_age: queue.oldest_age,
      running: queue.running,
      slots: queue.slots,
      rate: recent ? (recent.succeeded + recent.failed + recent.revoked) / PERIOD : 0,
      failed: recent?.failed ?? 0,
      waited_p95: recent?.wait?.p95 ?? null,
    }
  })
  const workers = now.workers.map((worker) => workerFigures(worker, now, before, seconds))
  const sum = (pick: (queue: QueueFigures) => number): number =>
    queues.reduce((all, one) => all + pick(one), 0)
  return {
    at: now.at,
    throughput: seconds ? throughputOf(now, before!, seconds) : null,
    running: workers.reduce((all, { running }) => all + running, 0),
    slots: sum(({ slots }) => slots),
    waiting: sum(({ waiting }) => waiting),
    queues,
    workers,
    problems: [...now.problems],
  }
}

function workerFigures(
  worker: WorkerDocument,
  now: Look,
  before: Look | null,
  seconds: number | null,
): WorkerFigures {
  const last = before?.workers.find(({ id }) => id === worker.id)
  const grown = (states: readonly string[]): number | null =>
    seconds && last
      ? states.reduce((all, state) => all + countOf(worker, state) - countOf(last, state), 0) / seconds
      : null
  return {
    name: worker.name,
    state: worker.stopping ? 'stopping' : worker.quiet ? 'quiet' : 'ok',
    running: worker.running.length,
    slots: Object.values(worker.queues).reduce((all, n) => all + n, 0),
    rate: grown(['succeeded', 'failed', 'retried', 'revoked']),
    failing: grown(['failed']),
    rss_bytes: worker.rss_bytes,
    loop_lag_ms: worker.loop_lag_ms,
    runs: worker.running.map(({ id, attempt, started_at }) => ({
      id,
      task: now.tasks.get(id) ?? '?',
      attempt,
      seconds: Math.max(0, (Date.parse(worker.seen_at) - Date.parse(started_at)) / 1000),
    })),
  }
}

/** Of workers that were there at both looks; one that came in between counts from its start. */
function throughputOf(now: Look, before: Look, seconds: number): NonNullable<Figures['throughput']> {
  const rateOf = (state: string): number =>
    now.workers.reduce((all, worker) => {
      const last = before.workers.find(({ id }) => id === worker.id)
      return all + countOf(worker, state) - (last ? countOf(last, state) : 0)
    }, 0) / seconds
  return {
    succeeded: rateOf('succeeded'),
    failed: rateOf('failed'),
    retried: rateOf('retried'),
    revoked: rateOf('revoked'),
  }
}

function countOf({ processed }: WorkerDocument, state: string): number {
  return processed[state] ?? 0
}

function waitingOn({ waiting }: QueueDocument): number {
  return Object.values(waiting).reduce((all, n) => all + n, 0)
}
