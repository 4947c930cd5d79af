/**
 * The one place that calls a handler. What goes around a run (middleware, async context) goes around this call, and
 * whether the handler runs here or isolated is decided here.
 *
 * A handler that answers at once is answered at once, and one that throws at once throws: no promise is made that nobody needs.
 */
import { runAs } from '../tasks/current.ts'
import type { Active } from './active.ts'
import type { Trying } from './trying.ts'

/** What the handler answers or throws, now or later; `active` is its context. Of an isolated task, middleware runs here. */
export function callHandler(trying: Trying, input: unknown, active: Active): unknown {
  const { task, shop } = trying
  const { surround, isolation } = shop
  if (task.options.isolate && isolation) {
    const call = (): Promise<unknown> => isolation.call(trying, input, active)
    return runAs(active, surround ? () => surround.call(active, input, call) : call)
  }
  if (!surround) return runAs(active, task.handler, input, active)
  return runAs(active, () => surround.call(active, input, () => task.handler(input, active)))
}
