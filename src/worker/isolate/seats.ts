/**
 * Who may have a thread or process: first come, first served. A run that waits has not started, so its limits do not run,
 * it is not listed, and it can be let go without a trace when it was revoked or the worker stops.
 */
import type { ClaimedJob } from '../job.ts'

export interface Seat {
  /** Until this resolves, its thread or process is busy; unset when it was never given a run. */
  busy?: Promise<unknown>
  /** Gives it to the next, as soon as it is not busy. */
  leave(): void
}

export interface Seats {
  /** Resolves with a seat when one is free, with null when the run is not wanted any more. */
  take(job: ClaimedJob, pool: string): Promise<Seat | null>
  /** Lets those go that are not wanted any more. */
  review(): void
}

interface Waiting {
  readonly job: ClaimedJob
  readonly pool: string
  answer(seated: boolean): void
}

export function createSeats(size: number, isWanted: (job: ClaimedJob, pool: string) => boolean): Seats {
  let taken = 0
  let waiting: Waiting[] = []
  const free = (): void => {
    const next = waiting.shift()
    if (next) next.answer(true)
    else taken--
  }
  return {
    async take(job, pool) {
      if (taken < size) taken++
      else if (!(await new Promise<boolean>((answer) => waiting.push({ job, pool, answer })))) return null
      if (!isWanted(job, pool)) {
        free()
        return null
      }
      const seat: Seat = { leave: () => void (seat.busy ?? Promise.resolve()).then(free, free) }
      return seat
    },
    review() {
      const unwanted = waiting.filter(({ job, pool }) => !isWanted(job, pool))
      if (unwanted.length === 0) return
      waiting = waiting.filter((one) => !unwanted.includes(one))
      for (const { answer } of unwanted) answer(false)
    },
  }
}
