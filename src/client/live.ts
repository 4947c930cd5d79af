/**
 * The whole as it happens, over server-sent events: the figures each second and the runs that change. The stream has no end; one
 * that breaks is opened again, and `open` says so: what happened meanwhile is told by nobody, so what is shown is to be read anew.
 */
import type { LiveFigures, LiveRun } from '../control/live.ts'
import type { Call } from './call.ts'
import { readEvents, type WatchOptions } from './events.ts'

export type LiveEvent =
  | { event: 'open'; data: null }
  | { event: 'figures'; data: LiveFigures }
  /** `more`: others changed too, that are not named. */
  | { event: 'runs'; data: { items: LiveRun[]; more: boolean } }

/** Throws ApiProblem where the API says no, and what `signal` is aborted with. */
export async function* watchLive(
  call: Call,
  path: string,
  options: WatchOptions = {},
): AsyncGenerator<LiveEvent, void, undefined> {
  const opened = { event: 'open', data: 'null', id: '' }
  for await (const { event, data } of readEvents(call, path, options, () => false, opened))
    yield { event, data: JSON.parse(data) as unknown } as LiveEvent
}
