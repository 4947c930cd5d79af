/**
 * Runs that were claimed and find no slot wait here for their turn. A lane's runner takes as many runs at once as it may
 * ever be allowed to, so that their number can be changed while it runs; what is above the number of the moment waits, in
 * order. It does not wait long: what had no turn in half a second goes back to the queue, for another worker may be free.
 */
import { monotonicMs } from '../clock.ts'
import type { ClaimedJob } from './job.ts'

interface Waiting {
  readonly job: ClaimedJob
  readonly since: number
  /** Takes its turn: true when it began. */
  readonly go: () => boolean
  readonly give: () => void
}

export interface Turns {
  readonly waiting: number
  /** Resolves when the run that `begin` starts has ended, or when it was given up. */
  wait(job: ClaimedJob, begin: () => void | Promise<void>): Promise<void>
  /** So many slots are free. */
  next(free: number): void
  /** Nobody waits any more. */
  clear(): void
}

/** `onLate` hears of those that waited for too long; they are given up. */
export function createTurns(holdMs: number, onLate: (jobs: readonly ClaimedJob[]) => void): Turns {
  let line: Waiting[] = []
  let timer: NodeJS.Timeout | null = null

  const look = (): void => {
    timer = null
    const before = monotonicMs() - holdMs
    const late = line.filter(({ since }) => since <= before)
    line = line.filter(({ since }) => since > before)
    for (const { give } of late) give()
    if (late.length > 0) onLate(late.map(({ job }) => job))
    if (line.length > 0) arm(line[0]!.since - before)
  }
  const arm = (ms: number): void => {
    timer ??= setTimeout(look, Math.ceil(ms)).unref()
  }
  return {
    get waiting() {
      return line.length
    },
    wait(job, begin) {
      return new Promise((done, fail) => {
        const go = (): boolean => {
          const running = begin()
          if (running) running.then(done, fail)
          else done()
          return running !== undefined
        }
        line.push({ job, since: monotonicMs(), go, give: done })
        arm(holdMs)
      })
    },
    next(free) {
      for (let left = free; left > 0 && line.length > 0;) if (line.shift()!.go()) left--
    },
    clear() {
      for (const { give } of line) give()
      line = []
    },
  }
}
