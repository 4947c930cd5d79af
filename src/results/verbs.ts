/**
 * What a run's handle can do and the results floor cannot: a retry checks inputs and enqueues (queue/retry.ts), so
 * createRowbeat hands these down.
 */
import type { Duration } from '../duration.ts'
import type { RunState } from './run.ts'

export interface RetryOptions {
  /** Instead of its own; checked as `enqueue` checks it. Only a finished run takes one. */
  input?: unknown
}

/** Not before this instant, or this long from now. */
export type RescheduleTime = { eta: Date | string } | { delay: Duration }

export interface RunVerbs {
  /** Answers the id of the new run; of a parked run, which is released now, its own. */
  retry(id: string, options?: RetryOptions): Promise<string>
  /** Answers the state after. */
  reschedule(id: string, time: RescheduleTime): Promise<RunState>
}
