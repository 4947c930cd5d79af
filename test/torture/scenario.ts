/**
 * What a torture scenario is: it harms a system that works, many times, and counts what became of everything it was
 * promised. The line it ends with is Jepsen's: what was attempted, acknowledged, found, lost, twice, unexpected, recovered.
 */
import type { Bundle } from '../helpers/bundle.ts'

export interface Tally {
  /** Times harm was done. */
  faults: number
  attempts: number
  /** Promised: the caller was told so. */
  acked: number
  /** Found whole at the end. */
  ok: number
  /** Promised and not there. Must be 0. */
  lost: number
  /** There twice. Must be 0. */
  duplicated: number
  /** There, and nobody can have asked for it, or there by half. Must be 0. */
  unexpected: number
  /** Not promised (the answer was lost), and there all the same. */
  recovered: number
  /** Begun, and never ended. Must be 0. */
  stuck: number
}

export interface Torture {
  /** A database of its own. */
  readonly world: Bundle
  /** Faults to make. */
  readonly count: number
  /** The same seed does the same harm at the same moments, as far as processes allow. */
  readonly random: () => number
  /** Runs at teardown. */
  teardown(handler: () => unknown): unknown
  log(line: string): void
}

export interface Scenario {
  /** One line: what is harmed, how, and what must hold. */
  readonly says: string
  /** Faults when no --count is given. */
  readonly count: number
  run(torture: Torture): Promise<Tally>
}

export const emptyTally = (): Tally => ({
  faults: 0,
  attempts: 0,
  acked: 0,
  ok: 0,
  lost: 0,
  duplicated: 0,
  unexpected: 0,
  recovered: 0,
  stuck: 0,
})

export const isClean = ({ lost, duplicated, unexpected, stuck }: Tally): boolean =>
  lost + duplicated + unexpected + stuck === 0

export const toLine = (tally: Tally): string =>
  Object.entries(tally)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
