/**
 * How many runs to claim at once: prefetch in time, not in runs. A claim takes the free slots and, beside them, what
 * the slots will get through in about 10 ms. Fast tasks are claimed by the hundred (a claim costs a round trip), slow
 * ones exactly when a slot is free, so that two processes share forty one-second runs instead of one taking them all.
 *
 * The mean follows slower runs at once and faster ones gradually: believing too soon that runs are fast would claim
 * ahead of slow ones. It is built from durations, not from completions per interval, which misjudges runs that end together.
 */
const AHEAD_MS = 10
const CLAIM_MAX = 512
const FASTER = 0.05
/** Below this, waiting for a claim costs nobody much. */
const AHEAD_MIN = 64

export interface Pace {
  /** Notes how long a run took, in milliseconds. */
  took(ms: number): void
  /** Runs to claim when `free` slots are free; a power of two when above `free`, so that few statements are prepared. */
  size(free: number): number
  /** Runs to claim ahead of need: 0 unless the slots get through so many in 10 ms that a round trip would starve them, or with `prefetch`. */
  ahead(): number
  /** So many slots from now on. */
  resize(slots: number): void
}

/** `prefetch` overrides the time rule with a number of runs to hold ahead. */
export function createPace(slots: number, prefetch: number | null): Pace {
  let concurrency = slots
  let meanMs = 1000
  return {
    took(ms) {
      const spent = Math.max(ms, 0.005)
      meanMs = spent > meanMs ? spent : meanMs + (spent - meanMs) * FASTER
    },
    size(free) {
      const ahead = prefetch ?? Math.floor((AHEAD_MS * concurrency) / meanMs)
      const wanted = Math.min(CLAIM_MAX, free + ahead)
      if (prefetch !== null || wanted <= free || wanted < 8) return wanted
      return Math.max(free, 2 ** Math.floor(Math.log2(wanted)))
    },
    ahead() {
      const runs = Math.min(CLAIM_MAX, Math.floor((AHEAD_MS * concurrency) / meanMs))
      return prefetch !== null || runs < AHEAD_MIN ? 0 : 2 ** Math.floor(Math.log2(runs))
    },
    resize(slots) {
      concurrency = slots
    },
  }
}
