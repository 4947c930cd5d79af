/**
 * How the system does: what waits and runs now, what finished in a period, how long it waited and took. For charts and
 * tables that are asked for every few seconds: memo.ts says why that costs little.
 */
import { mayDo, requireScope, type Caller } from '../auth/scopes.ts'
import { nowMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { listQueues, type QueueDocument } from '../db/statements/queue-figures.ts'
import { middleMs, type Count, type StatsKey } from '../db/statements/stats.ts'
import { createMemo } from './memo.ts'
import { createStatsBook, type Slices } from './stats-book.ts'

export { STATS_KEYS, type StatsKey } from '../db/statements/stats.ts'

export interface StatsQuery {
  /** Seconds. */
  period: number
  by: StatsKey
}

/** A week: older days have been read before. */
export const PERIOD_MAX = 7 * 86_400
export const PERIOD_MIN = 60

export interface Ended {
  succeeded: number
  failed: number
  revoked: number
}

/** Seconds, to a twentieth. */
export interface Spans {
  mean: number
  p50: number
  p95: number
  p99: number
}

export interface StatsGroup extends Ended {
  /** Of a queue, task or worker. */
  name: string
  /** Of those that ran; null when none did. */
  duration: Spans | null
  wait: Spans | null
  /** Failed ones of all that succeeded or failed. */
  failure_rate: number | null
}

export interface StatsDocument {
  /** When it was read: figures that cost much are not read anew for each who asks. */
  at: string
  period: number
  /** Seconds of a slice. */
  step: number
  by: StatsKey
  /** Runs as of now. `PENDING` and the like are counted up to 100,000 a queue and reason; `capped` says that one was. */
  now: { PENDING: number; SCHEDULED: number; RETRY: number; RUNNING: number; capped: boolean }
  finished: Ended
  /** Oldest first, without gaps; the last is not over. */
  slices: (Ended & { at: string })[]
  /** The busiest first, at most 100. */
  groups: StatsGroup[]
  /** What waits, by queue. */
  queues: { name: string; depth: number; running: number; oldest_age: number | null; state: string }[]
}

export interface StatsControl {
  read(caller: Caller, query: StatsQuery): Promise<StatsDocument>
}

const GROUPS_MAX = 100

export function createStatsControl(db: Queryable): StatsControl {
  const memo = createMemo<StatsDocument>()
  const readSlices = createStatsBook(db)
  // One reading after another, whatever periods are asked for: it is a page for people that waits, not the database.
  let last: Promise<unknown> = Promise.resolve()

  const read = async ({ period, by }: StatsQuery, withQueues: boolean): Promise<StatsDocument> => {
    const end = nowMs() / 1000
    const slices = last.then(() => readSlices(by, period, end))
    last = slices.catch(() => {})
    const [read, queues] = await Promise.all([slices, withQueues ? listQueues(db) : []]).catch(
      (error: unknown) => {
        throw explainDatabaseError(error)
      },
    )
    return describe({ period, by }, end, read, queues)
  }
  return Object.freeze({
    async read(caller: Caller, query: StatsQuery) {
      requireScope(caller, 'runs:read')
      const withQueues = mayDo(caller, 'queues:read')
      return await memo(`${query.by} ${query.period} ${withQueues}`, () => read(query, withQueues))
    },
  })
}

function describe(
  query: StatsQuery,
  end: number,
  { first, last, step, counts }: Slices,
  queues: readonly QueueDocument[],
): StatsDocument {
  const bySlice = Map.groupBy(counts, ({ at }) => at)
  const slices = Array.from({ length: (last - first) / step + 1 }, (_, index) => ({
    at: new Date((first + index * step) * 1000).toISOString(),
    ...ended(bySlice.get(first + index * step) ?? []),
  }))
  return {
    at: new Date(end * 1000).toISOString(),
    ...query,
    step,
    now: countNow(queues),
    finished: ended(counts),
    slices,
    groups: groupsOf(counts),
    queues: queues.map(({ name, waiting, running, oldest_age, state }) => ({
      name,
      depth: Object.values(waiting).reduce((sum, n) => sum + n, 0),
      running,
      oldest_age,
      state,
    })),
  }
}

function countNow(queues: readonly QueueDocument[]): StatsDocument['now'] {
  const now = { PENDING: 0, SCHEDULED: 0, RETRY: 0, RUNNING: 0, capped: queues.some(({ capped }) => capped) }
  for (const { waiting, running } of queues) {
    const { eta, snooze, retry, ...pending } = waiting
    now.SCHEDULED += eta + snooze
    now.RETRY += retry
    now.PENDING += Object.values(pending).reduce((sum, n) => sum + n, 0)
    now.RUNNING += running
  }
  return now
}

function ended(counts: readonly Count[]): Ended {
  const of = (state: string): number =>
    counts.filter((count) => count.by === 'took' && count.state === state).reduce((sum, { n }) => sum + n, 0)
  return { succeeded: of('SUCCESS'), failed: of('FAILURE'), revoked: of('REVOKED') }
}

function groupsOf(counts: readonly Count[]): StatsGroup[] {
  const byKey = Map.groupBy(counts, ({ key }) => key)
  const groups = [...byKey].map(([name, own]) => {
    const ends = ended(own)
    const judged = ends.succeeded + ends.failed
    return {
      name,
      ...ends,
      duration: spansOf(own.filter(({ by }) => by === 'took')),
      wait: spansOf(own.filter(({ by }) => by === 'waited')),
      failure_rate: judged === 0 ? null : ends.failed / judged,
    }
  })
  const total = (group: Ended): number => group.succeeded + group.failed + group.revoked
  return groups.sort((a, b) => total(b) - total(a) || (a.name < b.name ? -1 : 1)).slice(0, GROUPS_MAX)
}

/** From how many there are in each class. */
export function spansOf(counts: readonly Pick<Count, 'span' | 'n'>[]): Spans | null {
  const classes = new Map<number, number>()
  for (const { span, n } of counts) if (span !== null) classes.set(span, (classes.get(span) ?? 0) + n)
  const known = [...classes].toSorted(([a], [b]) => a - b)
  const total = known.reduce((sum, [, n]) => sum + n, 0)
  if (total === 0) return null
  const seconds = (span: number): number => Number((middleMs(span) / 1000).toPrecision(3))
  const at = (share: number): number => {
    let seen = 0
    for (const [span, n] of known) {
      seen += n
      if (seen >= share * total) return seconds(span)
    }
    return seconds(known.at(-1)![0])
  }
  const sum = known.reduce((all, [span, n]) => all + seconds(span) * n, 0)
  return { mean: Number((sum / total).toPrecision(3)), p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}
