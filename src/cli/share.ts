/**
 * The share of a worker process: how many runs it may do before another takes its place. A process never does more than
 * that, beside what was in progress; and because a successor takes a second to start, it is asked for a little early when
 * the share is large: at four fifths of it. What a process does in a second is a small part of a large share.
 */
import type { RunEvents } from '../worker/events.ts'

const LARGE = 100
const EARLY = 0.8

export interface Share {
  /** The number of runs at which a successor is asked for; null: never. */
  readonly noticeAt: number | null
  follow(events: RunEvents): {
    /** Resolves with why a successor is wanted. */
    spent: Promise<string>
    /** Resolves when it may do no more. */
    done: Promise<void>
    /** Resolves when an operator told this worker to stop, with the grace he gave. */
    dismissed: Promise<number | null>
  }
}

export function createShare(runsMax: number | null): Share {
  const noticeAt = runsMax === null || runsMax < LARGE ? runsMax : Math.floor(runsMax * EARLY)
  return {
    noticeAt,
    follow(events) {
      const spent = Promise.withResolvers<string>()
      const done = Promise.withResolvers<void>()
      const dismissed = Promise.withResolvers<number | null>()
      let runs = 0
      events.on('run:finished', () => {
        if (++runs === runsMax) done.resolve()
      })
      events.on('worker:spent', ({ why }) => spent.resolve(why))
      events.on('worker:asked-to-stop', ({ graceMs }) => dismissed.resolve(graceMs))
      return { spent: spent.promise, done: done.promise, dismissed: dismissed.promise }
    },
  }
}
