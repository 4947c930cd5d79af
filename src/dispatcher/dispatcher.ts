/**
 * The dispatcher moves parked runs into the queue when they may run. There is one loop in every worker and no leader:
 * rows are taken with SKIP LOCKED, so any number of loops share the work.
 *
 * - due (eta, retry, snooze): the loop sleeps until the next due instant, a poll interval at most; a run parked with a
 *   nearer instant rings `rowbeat_parked`. On an idle machine a run is released within a few milliseconds of its time.
 * - limits (rate, concurrency): gates that somebody knocked at are looked at, and those that have a token by now. A run that
 *   ended here wakes the loop, so the next one follows within milliseconds.
 * - backlog: while runs of a queue overflow, or after it was resumed, the best of them follow as soon as the hot rows
 *   fall below half the limit, 2,000 at a time (larger hops make other queues wait).
 * - chores (sweeping dead workers, dropping old results) are done by the same loop.
 */
import { monotonicMs, sleep } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { openGates, reclaimPermits } from '../db/statements/gates.ts'
import { countHot, releaseBacklog, releaseDue, trimHot } from '../db/statements/jobs.ts'
import {
  clearOverflow,
  holdPaused,
  raiseOverflow,
  readBacklogs,
  resumeDue,
  type BacklogRow,
} from '../db/statements/queues.ts'

const POLL_MS = 500
const HOP = 2000
const PASS = 1000
const WORST = 32_767
const PAUSES_MS = 500
const RECLAIM_MS = 2000
/** Timers fire a little late; waking this much early and spinning the rest is not worth it, so just aim at the instant. */
const SOONEST_MS = 1

/** What is done beside, at its own interval; one that answers true has more to do, and has its turn again at once. */
export interface Chore {
  everyMs: number
  run(): Promise<unknown>
}

export interface DispatcherOptions {
  db: Queryable
  /** Something may run now in these queues (null: any). */
  onReleased(queue: string | null): void
  onProblem(error: unknown): void
  chores: readonly Chore[]
}

export interface Dispatcher {
  /** Look now. */
  wake(): void
  stop(): Promise<void>
}

export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const stopping = new AbortController()
  let woken = new AbortController()
  const own: Chore[] = [
    { everyMs: PAUSES_MS, run: () => keepPauses(options) },
    { everyMs: RECLAIM_MS, run: () => reclaimPermits(options.db) },
  ]
  const chores = [...own, ...options.chores].map((chore) => ({
    ...chore,
    nextAt: monotonicMs() + chore.everyMs * Math.random(),
  }))
  let backlogAt = 0
  let failures = 0

  const round = async (): Promise<number> => {
    const { moved, nextMs } = await releaseDue(options.db, 1000)
    if (moved > 0) options.onReleased(null)
    let waitMs = moved >= 1000 ? 0 : Math.min(POLL_MS, nextMs ?? POLL_MS)
    const opened = await openGates(options.db, PASS)
    if (opened.moved > 0) options.onReleased(null)
    waitMs = opened.more ? 0 : Math.min(waitMs, opened.nextMs ?? POLL_MS)
    if (monotonicMs() >= backlogAt) {
      const backlogMs = await followBacklogs(options)
      backlogAt = monotonicMs() + backlogMs
    }
    waitMs = Math.min(waitMs, Math.max(0, backlogAt - monotonicMs()))
    for (const chore of chores) {
      if (monotonicMs() < chore.nextAt) continue
      chore.nextAt = monotonicMs() + chore.everyMs * (0.9 + 0.2 * Math.random())
      if ((await chore.run()) === true) chore.nextAt = waitMs = 0
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
      backlogAt = 0
      woken.abort()
    },
    async stop() {
      stopping.abort()
      await done
    },
  }
}

/** One look, for who has no loop: lets everything into the queue that may run now; answers how many. */
export async function dispatchOnce(db: Queryable): Promise<number> {
  let released = 0
  const { moved } = await releaseDue(db, 1000)
  const opened = await openGates(db, PASS)
  await followBacklogs({ db, onReleased: () => released++, onProblem() {}, chores: [] })
  return released + moved + opened.moved
}

/** Pauses end in time, and what came into the queue of a paused one by a late way is put aside. */
async function keepPauses({ db }: DispatcherOptions): Promise<void> {
  await resumeDue(db)
  await holdPaused(db)
}

/** Refills the hot table of queues with a backlog; answers in how many milliseconds to look again. */
async function followBacklogs({ db, onReleased }: DispatcherOptions): Promise<number> {
  let againMs = POLL_MS
  for (const backlog of await readBacklogs(db)) {
    const { queue, hotLimit, best } = backlog
    if (best === null) {
      await clearOverflow(db, queue)
      continue
    }
    await keepOrder(db, backlog)
    const low = Math.max(1, hotLimit >> 1)
    let hot = await countHot(db, queue, hotLimit)
    const hasRoom = hot < low
    while (hot < low) {
      const most = Math.min(HOP, Math.max(1, hotLimit - hot))
      const moved = await releaseBacklog(db, queue, most, backlog.drains)
      if (moved.hot + moved.gated === 0) break
      hot += moved.hot
      onReleased(queue)
    }
    if (hasRoom || backlog.overflow === null) await raiseOverflow(db, queue)
    // Empty tasks drain about 30 runs a millisecond at most: look again when the hot rows can be near the mark.
    againMs = Math.min(againMs, Math.max(5, (hot - low) / 30))
  }
  return againMs
}

/**
 * No run may overtake a better one. New runs are held to the mark as it was when they came: those that are better than
 * the mark by now follow at once, and hot rows that are worse than the mark go behind those that it parks.
 */
async function keepOrder(db: Queryable, { queue, best, overflow, drains }: BacklogRow): Promise<void> {
  if (overflow !== null) while ((await trimHot(db, queue, overflow, HOP)) === HOP);
  const mark = overflow ?? WORST + 1
  if (best! < mark) await releaseBacklog(db, queue, HOP, drains, mark)
}
