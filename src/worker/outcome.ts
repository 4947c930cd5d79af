/**
 * What became of a try, decided from what the handler returned or threw: pure, so that every rule is a table in a test.
 *
 *   returned             SUCCESS          (FAILURE when the value cannot be stored)
 *   threw Snooze         parked, `snooze`, not counted
 *   threw Discard        FAILURE `discarded`
 *   threw Retry, or any error worth another try, and tries are left: parked, `retry`, after the backoff
 *   threw anything else  FAILURE: `time_limit` for SoftTimeLimit, `attempts_exhausted` where there were several tries, else `error`
 *   its isolate died     parked, `retry`, not counted, but as a redelivery; the third ends as FAILURE `worker_lost`
 *   hit its time limit   FAILURE `time_limit`, with no further try: who sets a limit wants an end
 *
 * A run that was revoked while it ran is not tried again. What its handler returned stands, and so does a Discard: both
 * are its own last word. Whatever else it throws, Retry and Snooze too, ends it as REVOKED.
 */
import type { FinishRow } from '../db/statements/finish.ts'
import { durationMs } from '../duration.ts'
import { SoftTimeLimit, TimeLimitExceeded, type ErrorData, type Fault, type IsolateLost } from '../errors.ts'
import { storable, storableText } from '../json.ts'
import { backoffMs, type RetryPolicy, type StoredRetryPolicy } from '../tasks/retry.ts'
import { Discard, Retry, Snooze } from '../tasks/signals.ts'
import type { Task } from '../tasks/task.ts'

/** The try that ended. */
export interface Try {
  readonly task: Task
  readonly attempt: number
  readonly allowed: number
  /** The call's own policy, which replaces the task's. */
  readonly retry: StoredRetryPolicy | undefined
}

export type Outcome = Pick<FinishRow, 'state' | 'reason' | 'result' | 'error' | 'delay' | 'patch' | 'outcome'>

export function succeed(value: unknown): Outcome {
  const stored = checkResult(value)
  return 'text' in stored ? { state: 'SUCCESS', result: value } : unstorable(stored.fault)
}

export function unstorable({ pointer, detail }: Fault): Outcome {
  const why = `the result cannot be stored: ${pointer} ${detail}`
  const error = describe('OutcomeNotStorable', why, 'RB_RESULT_INVALID')
  return { state: 'FAILURE', reason: 'error', error, outcome: 'failed' }
}

/** What it returned may throw while it is looked at: a getter, a toJSON. */
export function checkResult(value: unknown): ReturnType<typeof storableText> {
  try {
    return storableText(value, '/result')
  } catch (error) {
    return { fault: { pointer: '/result', detail: `threw while it was read: ${errorData(error).message}` } }
  }
}

/** `thrown` -> the outcome; `random` in [0, 1) is the jitter. */
export function fail(thrown: unknown, tried: Try, random: () => number): Outcome {
  if (thrown instanceof Snooze)
    return { state: 'PARK', reason: 'snooze', delay: thrown.delayMs / 1000, outcome: 'snooze' }
  const error = errorData(thrown)
  if (thrown instanceof Discard) return { state: 'FAILURE', reason: 'discarded', error, outcome: 'failed' }
  if (tried.attempt < tried.allowed && isWorthTrying(thrown, tried)) {
    const delay = delayMs(thrown, tried, random) / 1000
    return {
      state: 'PARK',
      reason: 'retry',
      delay,
      patch: { attempt: tried.attempt, attempts_max: tried.allowed },
      error,
      outcome: 'retry',
    }
  }
  const isExhausted = tried.allowed > 1 && tried.attempt >= tried.allowed
  const reason = thrown instanceof SoftTimeLimit ? 'time_limit' : isExhausted ? 'attempts_exhausted' : 'error'
  return { state: 'FAILURE', reason, error, outcome: 'failed' }
}

/** It reached its time limit; one that had been revoked as well ends as that, with this as its cause. */
export function timedOut(limitMs: number, revocation: { reason: string | null } | null): Outcome {
  const exceeded = new TimeLimitExceeded(limitMs)
  if (revocation) return revoked(revocation.reason, 'revoked', exceeded)
  const error = describe(exceeded.name, exceeded.message, exceeded.code)
  return { state: 'FAILURE', reason: 'time_limit', error, outcome: 'failed' }
}

/** Crashes that a run may cause: the same for those of its isolate and of a whole worker (rowbeat.sweep). */
const CRASHES_MAX = 3

/** Its thread or process died, for the `redeliveries` + 1st time. */
export function lost(died: IsolateLost, redeliveries: number): Outcome {
  const hits = redeliveries + 1
  const patch = { redeliveries: hits }
  const error = {
    ...describe(
      'WorkerLost',
      `the ${died.place} died ${hits === 1 ? 'once' : `${hits} times`} while it ran this`,
      'RB_WORKER_LOST',
    ),
    cause: { ...errorData(died), stack: null },
  }
  if (hits < CRASHES_MAX) return { state: 'PARK', reason: 'retry', delay: 0, patch, error, outcome: 'lost' }
  return { state: 'FAILURE', reason: 'worker_lost', patch, error, outcome: 'lost' }
}

export function refuseInput(message: string): Outcome {
  return {
    state: 'FAILURE',
    reason: 'input_invalid',
    error: describe('InputInvalid', message, 'RB_INPUT_INVALID'),
    outcome: 'failed',
  }
}

/** A run that was revoked, in the `words` of who did it; `cause` is what its handler threw, where that is news. */
export function revoked(words: string | null, reason: 'revoked' | 'terminated', cause?: unknown): Outcome {
  const error = revokedError(words, cause === undefined ? null : errorData(cause))
  return error ? { state: 'REVOKED', reason, error } : { state: 'REVOKED', reason }
}

/** As rowbeat.revoked_error_v1 makes it for runs that wait: null when nobody said anything. */
export function revokedError(words: string | null, cause: ErrorData | null): ErrorData | null {
  if (words === null && cause === null) return null
  return { ...describe('RunRevoked', words ?? 'the run was revoked', 'RB_RUN_REVOKED'), cause }
}

export const expired: Outcome = Object.freeze({ state: 'REVOKED', reason: 'expired' })

/** `when` may itself throw: then the error it was asked about is not worth another try. */
function isWorthTrying(thrown: unknown, { task }: Try): boolean {
  if (thrown instanceof Retry || !task.options.retry?.when) return true
  try {
    return task.options.retry.when(thrown) === true
  } catch {
    return false
  }
}

function delayMs(thrown: unknown, tried: Try, random: () => number): number {
  if (thrown instanceof Retry && thrown.delayMs !== null) return thrown.delayMs
  const policy: RetryPolicy | StoredRetryPolicy = tried.retry ?? tried.task.options.retry ?? {}
  try {
    return backoffMs(policy, tried.attempt, random)
  } catch {
    return durationMs('1 minute', 'the delay after a broken backoff function')
  }
}

/** Any thrown value as data that any column takes; causes five deep. Getters of an error may throw too. */
export function errorData(thrown: unknown): ErrorData {
  try {
    return readError(thrown, 0)
  } catch {
    return describe('NonError', 'an error that cannot be read', null)
  }
}

function readError(thrown: unknown, depth: number): ErrorData {
  if (!(thrown instanceof Error)) return describe('NonError', String(safeText(thrown)), null)
  const { name, message, stack, cause } = thrown
  const code = (thrown as { code?: unknown }).code
  return {
    name: storable(String(name), 256),
    message: storable(String(message), 16_384),
    code: typeof code === 'string' || typeof code === 'number' ? storable(String(code), 256) : null,
    stack: typeof stack === 'string' ? storable(stack, 32_768) : null,
    cause: cause === undefined || cause === null || depth >= 5 ? null : readError(cause, depth + 1),
  }
}

function safeText(thrown: unknown): string {
  try {
    return storable(typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown), 16_384)
  } catch {
    return 'a value that has no text'
  }
}

function describe(name: string, message: string, code: string | null): ErrorData {
  return { name, message: storable(message, 16_384), code, stack: null, cause: null }
}
