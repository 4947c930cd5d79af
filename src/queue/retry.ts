/**
 * Retrying and rescheduling a run from outside. A finished run is repeated by a new one, which names it (`retryOf`) and is
 * placed as any run is: pauses and limits hold for it too. A run that is parked is the same run, at another time. Both
 * run in the handle's own transaction.
 */
import { isUuid } from '../check.ts'
import type { Queryable } from '../db/handle.ts'
import { readRun } from '../db/statements/runs.ts'
import { rescheduleRun, retryRun, type When } from '../db/statements/run-verbs.ts'
import { parseDuration, type Duration } from '../duration.ts'
import { EnqueueError, ResultError } from '../errors.ts'
import { isInstant } from '../instant.ts'
import { parseRun, type RunState } from '../results/run.ts'
import type { RescheduleTime, RetryOptions } from '../results/verbs.ts'
import type { Registry } from '../tasks/registry.ts'
import { checkInput, explainRefusal } from './enqueue.ts'

/** Answers the id of the new run; of a parked run, which is released now, its own. */
export async function retry(
  db: Queryable,
  tasks: Registry,
  id: string,
  { input }: RetryOptions = {},
): Promise<string> {
  if (!isUuid(id)) throw unknownRun(id)
  let text: string | null = null
  if (input !== undefined) {
    const run = await readRun(db, id)
    if (run === null) throw unknownRun(id)
    const { task } = parseRun(run)
    text = (await checkInput(tasks.get(task), task, input))!
  }
  const made = await retryRun(db, id, text).catch((error: unknown) => {
    throw explainState(error)
  })
  if (made === null) throw unknownRun(id)
  return made
}

/** Answers the run's state after. */
export async function reschedule(db: Queryable, id: string, time: RescheduleTime): Promise<RunState> {
  const when = readTime(time)
  if (!isUuid(id)) throw unknownRun(id)
  const state = await rescheduleRun(db, id, when).catch((error: unknown) => {
    throw explainState(error)
  })
  if (state === null) throw unknownRun(id)
  return state as RunState
}

function readTime(time: RescheduleTime): When {
  const { eta, delay } = time as { eta?: Date | string; delay?: Duration }
  if ((eta === undefined) === (delay === undefined)) throw refuse('/eta', 'give eta or delay')
  if (eta === undefined) {
    const ms = parseDuration(delay)
    if (ms === null)
      throw refuse('/delay', `is ${JSON.stringify(delay)}; give seconds, or text such as "30s"`)
    return { delay: ms / 1000 }
  }
  const text = eta instanceof Date && !Number.isNaN(eta.getTime()) ? eta.toISOString() : eta
  if (isInstant(text)) return { eta: text }
  throw refuse('/eta', 'must be a Date or an instant such as "2026-01-31T12:00:00Z"')
}

function refuse(pointer: string, detail: string): EnqueueError {
  return new EnqueueError('RB_OPTION_INVALID', `${pointer} ${detail}`, [{ pointer, detail }])
}

export function unknownRun(id: string): ResultError {
  return new ResultError(
    'RB_RUN_NOT_FOUND',
    `run ${id} is unknown: it was never enqueued, was rolled back, or its result expired.`,
  )
}

/** PostgreSQL's 55000 has the sentence: which state, and what to do. */
export function explainState(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string }
  if (code === '55000') return new ResultError('RB_RUN_STATE', `${message}.`, { cause: error })
  return explainRefusal(error)
}
