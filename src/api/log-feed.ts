/**
 * What runs say while somebody listens: one statement for all followers of this process, three times a second, and none while nobody
 * follows. Workers write lines in batches and tell nobody, since a NOTIFY for each would cost every run that says something.
 *
 * A follower whose socket is full is asked again later for the same lines, so that none is lost; one of a run that has ended is told the rest
 * and that it is over, a second after the end, for the last lines may be stored behind the outcome.
 */
import { monotonicMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { readLogTails } from '../db/statements/log-tail.ts'
import type { LogDocument } from '../db/statements/run-parts.ts'

const POLL_MS = 300
const LAST_MS = 1000
/** Lines of one run at once. */
const MOST = 500

export interface LogFollower {
  /** False: there is no room, ask again later. */
  hasRoom(): boolean
  onLines(lines: readonly LogDocument[]): void
  /** There is nothing to come. */
  onEnd(): void
}

export interface LogTail {
  /** The run has ended; `isOld`: long enough ago for all its lines to be stored. */
  finish(isOld: boolean): void
  leave(): void
}

export interface LogFeed {
  follow(run: string, after: number, follower: LogFollower): LogTail
  close(): void
}

interface Tail extends LogFollower {
  run: string
  after: number
  /** Since when the lines that come may be the last. */
  lastMs: number
}

export function createLogFeed(db: Queryable, onProblem: (error: unknown) => void): LogFeed {
  const tails = new Set<Tail>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const arm = (ms: number): void => {
    if (!closed && tails.size > 0) timer ??= setTimeout(() => void look(), ms)
  }
  const look = async (): Promise<void> => {
    try {
      await tell([...tails].filter((tail) => tail.hasRoom()))
    } catch (error) {
      onProblem(error)
    }
    timer = undefined
    arm(POLL_MS)
  }
  const tell = async (asking: readonly Tail[]): Promise<void> => {
    if (asking.length === 0) return
    const askedMs = monotonicMs()
    const lowest = new Map<string, number>()
    for (const { run, after } of asking) lowest.set(run, Math.min(after, lowest.get(run) ?? after))
    const positions = [...lowest].map(([run, after]) => ({ run, after }))
    const said = Map.groupBy(await readLogTails(db, positions, MOST), ({ run }) => run)
    for (const tail of asking) {
      if (!tails.has(tail)) continue
      const own = said.get(tail.run) ?? []
      const lines = own.map(({ line }) => line).filter(({ seq }) => seq > tail.after)
      tail.after = lines.at(-1)?.seq ?? tail.after
      if (lines.length > 0) tail.onLines(lines)
      if (own.length < MOST && askedMs >= tail.lastMs) {
        tails.delete(tail)
        tail.onEnd()
      }
    }
  }
  return Object.freeze({
    follow(run: string, after: number, follower: LogFollower) {
      const tail: Tail = { ...follower, run, after, lastMs: Infinity }
      tails.add(tail)
      arm(0)
      return {
        finish(isOld: boolean) {
          tail.lastMs = Math.min(tail.lastMs, monotonicMs() + (isOld ? 0 : LAST_MS))
        },
        leave: () => void tails.delete(tail),
      }
    },
    close() {
      closed = true
      clearTimeout(timer)
      tails.clear()
    },
  })
}
