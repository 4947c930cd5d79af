/**
 * Where isolated runs take place, threads or processes: what the worker asks of either, and how one run is held there.
 */
import type { IsolateLost } from '../../errors.ts'
import type { Abort, FromIsolate, Order } from './protocol.ts'

/** What a task asks of its thread or process. */
export interface Needs {
  /** Heap, in megabytes; null is Node's own limit. */
  readonly memory: number | null
  /** Replaced after so many runs; null is never. */
  readonly recycleAfter: number | null
}

/** One run under way in a thread or process. */
export interface Hold {
  tell(abort: Abort): void
  /** Ends its thread or process, whatever that is doing. */
  kill(): void
  /** Nothing of it goes on any more. How it died, or null when it answered or was killed. */
  readonly over: Promise<IsolateLost | null>
}

export interface Place {
  /** Starts a run: the caller sees to it that no more go on at once than there are threads. */
  begin(order: Order, needs: Needs, hear: (message: FromIsolate) => void): Hold
  /** Ends all threads or processes. */
  end(): Promise<void>
}
