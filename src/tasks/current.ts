/**
 * The run in progress, for code that is called from a handler and was not handed the context: a logger, a tracer, the
 * enqueue that wants to know its parent. It travels with Node's async context, so each of many runs that go on at once
 * finds its own, through awaits, timers and callbacks.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from './context.ts'

const storage = new AsyncLocalStorage<Context>()

/** The context of the run whose handler (or middleware, or hook) this is called from; null outside of any. */
export function currentRun(): Context | null {
  return storage.getStore() ?? null
}

/** Calls `work` as part of the run. */
export function runAs<Given extends unknown[], T>(
  context: Context,
  work: (...given: Given) => T,
  ...given: Given
): T {
  return storage.run(context, work, ...given)
}

/** Headers of a W3C trace, which a run hands on to those it asks for. */
const TRACE = ['traceparent', 'tracestate'] as const

/** The trace that a run belongs to; null when its headers name none. */
export function traceOf({ run }: Context): Record<string, unknown> | null {
  const trace: Record<string, unknown> = {}
  for (const name of TRACE) if (run.headers[name] !== undefined) trace[name] = run.headers[name]
  return Object.keys(trace).length > 0 ? trace : null
}
