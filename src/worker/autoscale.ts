/**
 * How many runs at once a lane should have: pure, so that every rule is a table in a test. It grows at once to what waits,
 * for a backlog is known, and shrinks only when it had more than it needed for the whole keep-alive, for the next burst is not.
 */
export interface Scale {
  readonly max: number
  readonly min: number
}

export interface Seen {
  /** Runs at once now. */
  readonly slots: number
  /** Running, and claimed for the slots. */
  readonly need: number
  /** Waiting in the queue; looked at only when the slots are full. */
  readonly waiting: number
  readonly nowMs: number
}

export interface Decision {
  readonly slots: number
  /** When it last needed all its slots. */
  readonly fullMs: number
}

export function rescale({ max, min }: Scale, keepAliveMs: number, fullMs: number, seen: Seen): Decision {
  const { slots, need, waiting, nowMs } = seen
  const within = (wanted: number): number => Math.min(max, Math.max(min, wanted))
  if (need >= slots) {
    const wanted = waiting > 0 ? Math.max(slots, need + waiting) : slots
    return { slots: within(wanted), fullMs: nowMs }
  }
  const isIdle = nowMs - fullMs >= keepAliveMs
  return { slots: within(isIdle ? need : slots), fullMs }
}
