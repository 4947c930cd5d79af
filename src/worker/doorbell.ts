/**
 * When an enqueue must ring. NOTIFY takes a lock that is global to the cluster until commit, so a busy system that
 * rings for every run serialises all its commits (1.5k enqueues/s where 7.4k were possible). So a worker that is busy
 * with a queue says so in `queues.hot_until`, renews it while it stays busy and looks by itself every few
 * milliseconds; enqueue rings only when that instant is past.
 *
 * Going cold is the delicate part: a transaction may have read "hot", inserted its run, and still be open. So when
 * hot_until has passed, the worker notes a transaction number of its own, higher than all that may have read so, and
 * keeps looking, ever less often, until the oldest open transaction is above it: then nobody who read "hot" is left.
 * Without this rule 294 of 720 wake-ups were late by a whole poll interval, with it none.
 */
import { monotonicMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { keepHot, noteHorizon, readHorizon } from '../db/statements/workers.ts'
import type { RunEvents } from './events.ts'

const TICK_MS = 5
const HOT_MS = 500
const RENEW_MS = 170
const POLL_MS = 500
/** Runs a second of one queue that make it worth renewing hot_until six times a second. */
const HOT_RATE = 400
const WINDOW_MS = 250

export interface Doorbell {
  /** A claim came back with `n` runs. */
  claimed(n: number): void
  stop(): void
}

export function createDoorbell(db: Queryable, queue: string, nudge: () => void, events: RunEvents): Doorbell {
  let phase: 'cold' | 'hot' | 'cooling' = 'cold'
  let counted = 0
  let windowStart = monotonicMs()
  let busyUntil = 0
  let renewedAt = 0
  let timer: NodeJS.Timeout | null = null
  let asking = false
  let horizon: bigint | null = null
  let lookMs = TICK_MS
  let lookedAt = 0

  const ask = (work: Promise<void>): void => {
    asking = true
    void work
      .catch((error) => events.emit('worker:trouble', { what: `keeping queue ${queue} hot`, error }))
      .finally(() => {
        asking = false
      })
  }
  const renew = async (): Promise<void> => {
    renewedAt = monotonicMs()
    await keepHot(db, queue, HOT_MS)
  }
  const cool = async (): Promise<void> => {
    const { cold, xmin } = await readHorizon(db, queue)
    // Kept hot by another worker: what began meanwhile may have read so.
    if (!cold) return void (horizon = null)
    if (horizon === null) return void (horizon = await noteHorizon(db))
    if (xmin <= horizon) return
    phase = 'cold'
    horizon = null
    if (timer) clearInterval(timer)
    timer = null
    nudge() // one last look: what committed between the last look and this answer
  }
  const tick = (): void => {
    const now = monotonicMs()
    if (phase === 'hot') {
      nudge()
      if (now > busyUntil) {
        phase = 'cooling'
        lookMs = TICK_MS
      } else if (!asking && now - renewedAt > RENEW_MS) ask(renew())
    } else if (now - lookedAt >= lookMs) {
      lookedAt = now
      lookMs = Math.min(POLL_MS, lookMs * 1.3)
      nudge()
      if (!asking && now - renewedAt > HOT_MS) ask(cool())
    }
  }
  return {
    claimed(n) {
      if (n > 0 && phase !== 'cold') nudge()
      counted += n
      const now = monotonicMs()
      const span = now - windowStart
      if (span < WINDOW_MS) return
      const rate = (counted * 1000) / span
      counted = 0
      windowStart = now
      // A span with a long pause in it says nothing about a rate.
      if (rate < HOT_RATE || span > 4 * WINDOW_MS) return
      busyUntil = now + 2 * WINDOW_MS
      if (phase === 'hot') return
      phase = 'hot'
      horizon = null
      if (!asking) ask(renew())
      timer ??= setInterval(tick, TICK_MS)
    },
    stop() {
      if (timer) clearInterval(timer)
      timer = null
    },
  }
}
