/**
 * The dispatcher moves parked runs into the queue when they may run. There is one loop in every worker and no leader:
 * rows are taken with SKIP LOCKED, so any number of loops share the work.
 *
 * - due (eta, retry, snooze): the loop sleeps until the next due instant, a poll interval at most; a run parked with a
 *   nearer instant rings `rowbeat_parked`. On an idle machine a run is released within a few milliseconds of its time.
 * - overflow: while runs of a queue overflow, the best of them follow as soon as the hot rows fall below half the limit,
 *   2,000 at a time (larger hops make other queues wait).
 * - dead workers are swept and old results dropped by the same loop (sweep.ts, upkeep.ts).
 */
import { monotonicMs, sleep } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { countHot, releaseDue, releaseOverflow } from '../db/statements/jobs.ts'
import { clearOverflow, readOverflow } from '../db/statements/queues.ts'

const POLL_MS = 500
const HOP = 2000
/** Timers fire a little late; waking this much early and spinning the rest is not worth it, so just aim at the instant. */
const SOONEST_MS = 1

export interface DispatcherOptions {
  db: Queryable
  /** Something may run now in these queues (null: any). */
  onReleased(queue: string | null): void
  onProblem(error: unknown): void
  /** Done beside, each at its own interval. */
  chores: readonly { everyMs: number; run(): Promise<void> }[]
}

export interface Dispatcher {
  /** Look now. */
  wake(): void
  stop(): Promise<void>
}

export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const stopping = new AbortController()
  let woken = new AbortController()
  const chores = options.chores.map((chore) => ({
    ...chore,
    nextAt: monotonicMs() + chore.everyMs * Math.random(),
  }))
  let overflowAt = 0
  let failures = 0

  const round = async (): Promise<number> => {
    const { moved, nextMs } = await releaseDue(options.db, 1000)
    if (moved > 0) options.onReleased(null)
    let waitMs = moved >= 1000 ? 0 : Math.min(POLL_MS, nextMs ?? POLL_MS)
    if (monotonicMs() >= overflowAt) {
      const overflowMs = await followOverflow(options)
      overflowAt = monotonicMs() + overflowMs
    }
    waitMs = Math.min(waitMs, Math.max(0, overflowAt - monotonicMs()))
    for (const chore of chores) {
      if (monotonicMs() < chore.nextAt) continue
      chore.nextAt = monotonicMs() + chore.everyMs * (0.9 + 0.2 * Math.random())
      await chore.run()
    }
    failures = 0
    return waitMs
  }
  const done = (async () => {
    while (!stopping.signal.aborted) {
      woken = new AbortController()
      let waitMs = POLL_MS
      try {
        waitMs = await round()
      } catch (error) {
        options.onProblem(error)
        waitMs = Math.min(2000, POLL_MS * 2 ** failures++) * (0.5 + Math.random())
      }
      if (waitMs >= SOONEST_MS)
        await sleep(Math.ceil(waitMs), AbortSignal.any([stopping.signal, woken.signal]))
    }
  })()
  return {
    wake() {
      overflowAt = 0
      woken.abort()
    },
    async stop() {
      stopping.abort()
      await done
    },
  }
}

/** Refills the hot table of queues that overflow; answers in how many milliseconds to look again. */
async function followOverflow({ db, onReleased }: DispatcherOptions): Promise<number> {
  let againMs = POLL_MS
  for (const { queue, hotLimit, waiting } of await readOverflow(db)) {
    if (!waiting) {
      await clearOverflow(db, queue)
      continue
    }
    const low = Math.max(1, hotLimit >> 1)
    let hot = await countHot(db, queue, hotLimit)
    while (hot < low) {
      const moved = await releaseOverflow(db, queue, Math.min(HOP, Math.max(1, hotLimit - hot)))
      if (moved === 0) break
      hot += moved
      onReleased(queue)
    }
    // Empty tasks drain about 30 runs a millisecond at most: look again when the hot rows can be near the mark.
    againMs = Math.min(againMs, Math.max(5, (hot - low) / 30))
  }
  return againMs
}
