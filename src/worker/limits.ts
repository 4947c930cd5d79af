/**
 * Time limits of a try. The soft one asks: the run's signal aborts with SoftTimeLimit, and what the handler makes of it
 * is its answer. The hard one tells: the run is over, whatever its handler does.
 *
 * Whose limit: the call's, else the task's, else the worker's; 0 is none. What an operator set at run time stands in for
 * the task's, so it holds where the call said nothing of its own, which is where the run carries what the code says.
 *
 * One timer for each limit: Node keeps timers of one duration in a list, so setting and clearing one costs 1 us, and
 * runs without limits pay for a comparison.
 */
import { monotonicMs } from '../clock.ts'
import { durationMs, type Duration } from '../duration.ts'
import type { Task } from '../tasks/task.ts'
import type { Payload } from './job.ts'

/** Milliseconds; 0 is none. */
export interface Limits {
  readonly softMs: number
  readonly hardMs: number
}

/** In seconds, as rows keep them; null where nothing was set. */
export interface LimitOverride {
  readonly timeLimit?: number | null
  readonly softTimeLimit?: number | null
}

/** The limits of this run, or null when it has none; `base` are the worker's. */
export function limitsOf(
  { time_limit: hard, soft_time_limit: soft }: Payload,
  { options }: Task,
  base: Limits,
  override?: LimitOverride,
): Limits | null {
  const hardMs = choose(hard, options.timeLimit, override?.timeLimit, base.hardMs)
  const softMs = choose(soft, options.softTimeLimit, override?.softTimeLimit, base.softMs)
  return hardMs === 0 && softMs === 0 ? null : { softMs, hardMs }
}

function choose(
  called: number | undefined,
  coded: Duration | undefined,
  set: number | null | undefined,
  baseMs: number,
): number {
  if (called === undefined && coded === undefined && set == null) return baseMs
  const codedMs = coded === undefined ? null : durationMs(coded, 'a time limit')
  const calledMs = called === undefined ? codedMs : called * 1000
  if (set != null && calledMs === codedMs) return set * 1000
  return calledMs ?? baseMs
}

/** The longest that setTimeout waits; it fires at once for more. */
const TIMER_MAX_MS = 2 ** 31 - 1

/** Calls `act` after `ms`, however long that is, unless it is stopped before. Does not keep the process. */
export function after(ms: number, act: () => void): { stop(): void } {
  const until = monotonicMs() + ms
  const wake = (): void => {
    const left = until - monotonicMs()
    if (left > 1) timer = setTimeout(wake, Math.min(left, TIMER_MAX_MS)).unref()
    else act()
  }
  let timer = setTimeout(wake, Math.min(ms, TIMER_MAX_MS)).unref()
  return { stop: () => clearTimeout(timer) }
}
