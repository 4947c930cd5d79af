/**
 * What is on its way between a lane and the store: claims whose answer is awaited, and runs that are being handed back. A
 * worker that leaves waits for both: a claim that lands after its rows were handed back locks them in the name of nobody,
 * and they stand still until somebody looks for orphans. When one of them fails, it is in doubt for a while what the
 * store has in this lane's name.
 */
import { monotonicMs, sleep } from '../clock.ts'

export interface Transit {
  /** A claim of so many runs is about to be sent; 0 is none. Answers the number. */
  ask(size: number): number
  answered(): void
  /** A claim was not answered. */
  failed(): void
  follow(back: Promise<void>): void
  isInDoubt(): boolean
  /** Resolves when nothing is on its way. */
  settled(): Promise<void>
}

const LOOK_MS = 2

export function createTransit(doubtMs: number): Transit {
  let count = 0
  let doubtUntil = 0
  const failed = (): void => {
    count--
    doubtUntil = monotonicMs() + doubtMs
  }
  const answered = (): void => void count--
  return {
    ask(size) {
      if (size > 0) count++
      return size
    },
    answered,
    failed,
    follow(back) {
      count++
      back.then(answered, failed)
    },
    isInDoubt: () => monotonicMs() < doubtUntil,
    async settled() {
      while (count > 0) await sleep(LOOK_MS)
    },
  }
}
