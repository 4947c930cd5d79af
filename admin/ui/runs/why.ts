/** Why a run is in its state, as a sentence: from the run, and from its queue and task where it waits for them. */
import {
  absoluteText,
  durationText,
  localeTag,
  relativeText,
  t,
  tOr,
  type QueueDocument,
  type RunDocument,
  type TaskDocument,
} from '../kit/kit.ts'
import { isRunning, secondsBetween } from './columns.tsx'

export interface Around {
  queue: QueueDocument | null
  /** Null: nobody ever registered it. Undefined: it was not looked at. */
  task: TaskDocument | null | undefined
}

export function whyOf(run: RunDocument, { queue, task }: Around, nowMs: number): string {
  const { state, reason } = run
  const values = {
    queue: run.queue,
    task: run.task,
    attempt: run.attempt,
    max: run.attempts_max,
    worker: run.worker ?? '',
    time: timeOf(run, nowMs),
    limit: limitOf(reason, queue, task ?? null),
  }
  if (isRunning(run)) return t('runs.why_running', values)
  if (state === 'SUCCESS') return t('runs.why_success', values)
  if (reason === 'paused' && queue?.pause_reason)
    return t('runs.why_queuePausedBecause', { ...values, reason: queue.pause_reason })
  if (reason !== null) return tOr(`runs.why_${reason}`, reason, values)
  if (state !== 'PENDING') return ''
  if (queue?.state === 'paused') return t('runs.why_paused', values)
  if (queue && queue.workers.length === 0) return t('runs.why_noWorker', values)
  if (task === null || task?.workers.length === 0) return t('runs.why_noTask', values)
  if (queue) return t('runs.why_ready', { ...values, running: queue.running, slots: queue.slots })
  return t('runs.why_plain')
}

/** When it may run, since when it runs, or how long it took: what the sentence of its state tells. */
function timeOf(run: RunDocument, nowMs: number): string {
  if (run.state === 'SUCCESS')
    return durationText(secondsBetween(run.started_at ?? run.run_at, run.finished_at!))
  const at = isRunning(run) ? (run.started_at ?? run.run_at) : run.run_at
  return `${relativeText(Date.parse(at), nowMs, localeTag())} (${absoluteText(at, localeTag())})`
}

function limitOf(reason: string | null, queue: QueueDocument | null, task: TaskDocument | null): string {
  const of = (one: { rate: string | null; concurrency: number | null } | null): string | number | null =>
    one === null ? null : reason === 'rate' ? one.rate : one.concurrency
  const parts = [
    of(task) === null ? '' : `${of(task)} (${task!.name})`,
    of(queue) === null ? '' : `${of(queue)} (${queue!.name})`,
  ].filter(Boolean)
  return parts.join(', ') || '–'
}
