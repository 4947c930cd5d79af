/**
 * The import page's own event stream: what the page shows of a run, and nothing else of it, because the page
 * is open to everybody. An event comes at once and then at each change; a comment each 15 seconds keeps
 * proxies from closing the line, and tells us when the browser is gone. The stream ends with the run.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Progress, Run, RunHandle } from '../../index.ts'
import type { ImportResult } from './tasks.ts'

export type ImportRun = Run<ImportResult>

/** A run as the page tells it. */
export interface ShownRun {
  id: string
  state: Run['state']
  label: string
  finished: boolean
  progress: Pick<Progress, 'current' | 'total' | 'percent'> | null
  result: ImportResult | null
}

const PING_MS = 15_000
const LABELS: Record<Run['state'], string> = {
  PENDING: 'Waiting for a worker',
  SCHEDULED: 'Waiting for its time',
  STARTED: 'Importing',
  PROGRESS: 'Importing',
  RETRY: 'Failed, will be tried again',
  SUCCESS: 'Imported',
  FAILURE: 'Failed',
  REVOKED: 'Stopped',
}

export function showRun(run: ImportRun): ShownRun {
  const { id, state, progress } = run
  const finished = state === 'SUCCESS' || state === 'FAILURE' || state === 'REVOKED'
  return {
    id,
    state,
    // A run is listed as started with its worker's next heartbeat; progress may be here before.
    label: LABELS[state === 'PENDING' && progress ? 'PROGRESS' : state],
    finished,
    progress: progress && { current: progress.current, total: progress.total, percent: progress.percent },
    result: state === 'SUCCESS' ? run.result : null,
  }
}

/** The text of the stream, until the run has finished or `signal` aborts. */
export async function* runEvents(
  handle: RunHandle<ImportResult>,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const changes = handle.watch({ signal })
  let next = changes.next()
  while (!signal.aborted) {
    const timer = new AbortController()
    const ping = wait(PING_MS, null, { signal: timer.signal, ref: false }).catch(() => null)
    const change = await Promise.race([next, ping]).finally(() => timer.abort())
    if (change === null) yield ': still here\n\n'
    else if (change.done) return
    else {
      yield `event: run\ndata: ${JSON.stringify(showRun(change.value))}\n\n`
      next = changes.next()
    }
  }
}
