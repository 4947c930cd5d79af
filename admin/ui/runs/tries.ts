/** A run as a line of time: how long it waited, ran, and waited again, try by try. Pure. */
import type { AttemptDocument } from '../../../src/db/statements/run-parts.ts'
import type { RunDocument } from '../../../src/results/run.ts'

export interface Try {
  number: number
  outcome: string
  worker: string | null
  started_at: string | null
  finished_at: string | null
  error: { name?: string; message?: string } | null
  retry_at: string | null
}

export interface Segment {
  kind: 'wait' | 'run'
  fromMs: number
  untilMs: number
}

const RUNNING = ['STARTED', 'PROGRESS']

/** Tries in order; the last may be the one that runs, or that ended the run. */
export function triesOf(run: RunDocument, attempts: readonly AttemptDocument[]): Try[] {
  const tries = attempts.map(
    ({ attempt, outcome, worker, started_at, finished_at, error, retry_at }): Try => ({
      number: attempt,
      outcome,
      worker,
      started_at,
      finished_at,
      error: error as Try['error'],
      retry_at,
    }),
  )
  const isTold = tries.some(
    (one) => one.number === run.attempt && (one.started_at === run.started_at || one.outcome === 'failed'),
  )
  const isOver = run.finished_at !== null
  if (!run.started_at || isTold || !(isOver || RUNNING.includes(run.state))) return tries
  return [
    ...tries,
    {
      number: run.attempt,
      outcome: isOver ? run.state : 'running',
      worker: run.worker,
      started_at: run.started_at,
      finished_at: run.finished_at,
      error: run.error,
      retry_at: null,
    },
  ]
}

/** What it did from when it was enqueued until it ended, or now. */
export function segmentsOf(run: RunDocument, tries: readonly Try[], nowMs: number): Segment[] {
  const endMs = run.finished_at ? Date.parse(run.finished_at) : nowMs
  const segments: Segment[] = []
  let atMs = Date.parse(run.created_at)
  for (const one of tries) {
    if (one.started_at === null) continue
    const startMs = Date.parse(one.started_at)
    const untilMs = one.finished_at ? Date.parse(one.finished_at) : endMs
    if (startMs > atMs) segments.push({ kind: 'wait', fromMs: atMs, untilMs: startMs })
    segments.push({ kind: 'run', fromMs: startMs, untilMs: Math.max(startMs, untilMs) })
    atMs = Math.max(atMs, untilMs)
  }
  if (endMs > atMs) segments.push({ kind: 'wait', fromMs: atMs, untilMs: endMs })
  return segments
}
