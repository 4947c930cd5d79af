/**
 * How the system does: what waits and runs now, what finished in a period, how long it waited and took. For charts and
 * tables that are asked for every few seconds: memo.ts says why that costs little. A few minutes are counted in the results,
 * in slices of seconds; longer periods are read from rollups, which are brought up to date before.
 */
import { mayDo, requireScope, type Caller } from '../auth/scopes.ts'
import { nowMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { listQueues, type QueueDocument } from '../db/statements/queue-figures.ts'
import { readRolled, readRollups } from '../db/statements/rollups.ts'
import { middleMs, type Count, type StatsKey } from '../db/statements/stats.ts'
import { createRollUp } from '../dispatcher/roll-up.ts'
import { createMemo } from './memo.ts'
import { createStatsBook, type ReadSlices } from './stats-book.ts'
import { coverSince } from './stats-cover.ts'

export { STATS_KEYS, type StatsKey } from '../db/statements/stats.ts'

export interface StatsQuery {
  /** Seconds. */
  period: number
  by: StatsKey
}

/** A week, of what is read from results; and of what rollups hold. */
export const PERIOD_MAX = 7 * 86_400
export const LONG_PERIOD_MAX = 90 * 86_400
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
  /** What finished before this instant is counted. */
  counted_until: string
  period: number
  /** Seconds of a slice. */
  step: number
  by: StatsKey
  /** Runs as of now. `PENDING` and the like are counted up to 20,000 a queue and reason; `capped` says that one was. */
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
/** Twenty people who watch are to cost the database a fiftieth of a connection. */
const SHARE = 50
/** Periods below this are counted in the results. */
const SHORT = 600
/** Slices of a period, about, and their sizes. */
const SLICES = 60
const STEPS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 86_400, 172_800]
/** Rollups are brought up to date when they are older; one reading spends no more on it. */
const STALE_MS = 500
const ROLL_MS = 1000

/** What finished in a period. */
interface Past extends Pick<StatsDocument, 'step' | 'slices' | 'groups'> {
  /** Seconds since 1970. */
  until: number
}

export function createStatsControl(db: Queryable): StatsControl {
  const memo = createMemo<StatsDocument>(SHARE)
  const readSlices = createStatsBook(db)
  const rollUp = createRollUp()
  // One reading after another, whatever periods are asked for: it is a page for people that waits, not the database.
  let last: Promise<unknown> = Promise.resolve()

  const readLong = async ({ period, by }: StatsQuery, end: number): Promise<Past> => {
    await rollUp(db, STALE_MS, ROLL_MS)
    const rolled = await readRolled(db)
    const step = STEPS.find((size) => size * SLICES >= period) ?? STEPS.at(-1)!
    const first = Math.floor((end - period) / step) * step
    const stretches = {
      slices: coverSince(first, step, rolled),
      groups: coverSince(first, Infinity, rolled),
    }
    const figures = await readRollups(db, by, { step, ...stretches, most: GROUPS_MAX })
    const known = new Map(figures.slices.map(([at, ...rest]) => [at, rest]))
    const slices = spread(first, end, step).map((at) => {
      const [succeeded = 0, failed = 0, revoked = 0] = known.get(at) ?? []
      return { at: instant(at), succeeded, failed, revoked }
    })
    const groups = figures.groups.map(({ took, waited, ...group }) => ({
      ...group,
      duration: spansOf(took.map(([span, n]) => ({ span, n }))),
      wait: spansOf(waited.map(([span, n]) => ({ span, n }))),
      failure_rate: rateOf(group),
    }))
    return { step, slices, groups, until: Math.max(first, rolled[60]) }
  }
  const read = async (query: StatsQuery, withQueues: boolean): Promise<StatsDocument> => {
    const end = nowMs() / 1000
    const past = last.then(() =>
      query.period < SHORT ? readShort(readSlices, query, end) : readLong(query, end),
    )
    last = past.catch(() => {})
    const [{ until, ...figures }, queues] = await Promise.all([past, withQueues ? listQueues(db) : []]).catch(
      (error: unknown) => {
        throw explainDatabaseError(error)
      },
    )
    return {
      at: instant(end),
      counted_until: instant(until),
      ...query,
      step: figures.step,
      now: countNow(queues),
      finished: sumOf(figures.slices),
      slices: figures.slices,
      groups: figures.groups,
      queues: queues.map(({ name, waiting, running, oldest_age, state }) => ({
        name,
        depth: Object.values(waiting).reduce((sum, n) => sum + n, 0),
        running,
        oldest_age,
        state,
      })),
    }
  }
  return Object.freeze({
    async read(caller: Caller, query: StatsQuery) {
      requireScope(caller, 'runs:read')
      const withQueues = mayDo(caller, 'queues:read')
      return await memo(`${query.by} ${query.period} ${withQueues}`, () => read(query, withQueues))
    },
  })
}

async function readShort(readSlices: ReadSlices, { period, by }: StatsQuery, end: number): Promise<Past> {
  const { first, last, step, counts } = await readSlices(by, period, end)
  const bySlice = Map.groupBy(counts, ({ at }) => at)
  const slices = spread(first, last, step).map((at) => ({
    at: instant(at),
    ...ended(bySlice.get(at) ?? []),
  }))
  return { step, slices, groups: groupsOf(counts), until: end }
}

/** Beginnings of slices, the first and the last among them. */
function spread(first: number, end: number, step: number): number[] {
  return Array.from({ length: Math.floor((end - first) / step) + 1 }, (_, index) => first + index * step)
}

const instant = (seconds: number): string => new Date(seconds * 1000).toISOString()

function sumOf(slices: readonly Ended[]): Ended {
  const of = (key: keyof Ended): number => slices.reduce((sum, slice) => sum + slice[key], 0)
  return { succeeded: of('succeeded'), failed: of('failed'), revoked: of('revoked') }
}

function rateOf({ succeeded, failed }: Ended): number | null {
  return succeeded + failed === 0 ? null : failed / (succeeded + failed)
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
    return {
      name,
      ...ends,
      duration: spansOf(own.filter(({ by }) => by === 'took')),
      wait: spansOf(own.filter(({ by }) => by === 'waited')),
      failure_rate: rateOf(ends),
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
