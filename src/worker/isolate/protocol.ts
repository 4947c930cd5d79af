/**
 * What a worker and the thread or process of an isolated run say to each other: plain data, which either side makes its
 * own values of. Errors cross as what they said of themselves, so `instanceof` does not hold for a class of the user's own on the
 * other side, but `name`, `message`, `code` and `cause` do.
 */
import {
  RemoteError,
  RunRevoked,
  SoftTimeLimit,
  type ErrorData,
  type Fault,
  type RowbeatError,
} from '../../errors.ts'
import type { RunInfo } from '../../tasks/context.ts'
import { Discard, Retry, Snooze } from '../../tasks/signals.ts'
import { errorData } from '../outcome.ts'

/** One run to be made. */
export interface Order {
  /** The file URL of the module that exports the task. */
  readonly module: string
  readonly task: string
  readonly input: unknown
  readonly run: RunInfo
  /** Whether what it returns is wanted. */
  readonly keepsResult: boolean
}

/** Why the run is asked to stop. */
export interface Abort {
  readonly kind: 'abort'
  readonly error: ErrorData
  /** Of a soft time limit. */
  readonly limitMs?: number
  /** Of a revocation. */
  readonly revoked?: { readonly run: string; readonly data: ErrorData | null }
}

export type FromIsolate =
  /** Somebody is at it; its module may still have to be loaded. */
  | { readonly kind: 'taken' }
  /** Its handler is called: its limits begin. */
  | { readonly kind: 'started' }
  | {
      readonly kind: 'progress'
      readonly current: number
      readonly total: number | null
      readonly meta: unknown
    }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string; readonly data: unknown }
  | Answer
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The last word of a run; `runs` is how many this thread or process has made. */
export type Answer = { readonly runs: number } & (
  | { readonly kind: 'returned'; readonly text: string }
  | { readonly kind: 'unstorable'; readonly fault: Fault }
  | { readonly kind: 'threw'; readonly thrown: Thrown }
)

export type Thrown =
  | { readonly kind: 'retry' | 'snooze'; readonly delayMs: number | null; readonly error: ErrorData }
  | { readonly kind: 'discard' | 'error'; readonly error: ErrorData }
  /** The very reason of its signal. */
  | { readonly kind: 'obeyed' }

export function isAnswer(message: FromIsolate): message is Answer {
  return message.kind === 'returned' || message.kind === 'threw' || message.kind === 'unstorable'
}

export function toAbort(reason: unknown): Abort {
  const error = errorData(reason)
  if (reason instanceof SoftTimeLimit) return { kind: 'abort', error, limitMs: reason.limitMs }
  if (reason instanceof RunRevoked)
    return { kind: 'abort', error, revoked: { run: reason.runId, data: reason.data } }
  return { kind: 'abort', error }
}

/** Ours are ours again, so that a handler may ask `signal.reason instanceof SoftTimeLimit`. */
export function toReason({ error, limitMs, revoked }: Abort): RowbeatError | RemoteError {
  if (limitMs !== undefined) return new SoftTimeLimit(limitMs)
  if (revoked) return new RunRevoked('RB_RUN_REVOKED', revoked.run, 'revoked', revoked.data)
  return new RemoteError(error)
}

/** `reason` is that of the run's signal. */
export function toThrown(thrown: unknown, reason: unknown): Thrown {
  if (reason !== undefined && thrown === reason) return { kind: 'obeyed' }
  const error = errorData(thrown)
  if (thrown instanceof Retry) return { kind: 'retry', delayMs: thrown.delayMs, error }
  if (thrown instanceof Snooze) return { kind: 'snooze', delayMs: thrown.delayMs, error }
  return { kind: thrown instanceof Discard ? 'discard' : 'error', error }
}

/** What the worker throws in place of the handler. */
export function fromThrown(thrown: Thrown, reason: unknown): unknown {
  if (thrown.kind === 'obeyed') return reason
  const { error } = thrown
  const { message, stack } = error
  const cause = error.cause ? new RemoteError(error.cause) : undefined
  const withStack = <E extends Error>(signal: E): E => Object.assign(signal, stack ? { stack } : {})
  switch (thrown.kind) {
    case 'retry': {
      const delay = thrown.delayMs === null ? undefined : thrown.delayMs / 1000
      return withStack(new Retry({ in: delay, message, cause }))
    }
    case 'snooze':
      return withStack(new Snooze((thrown.delayMs ?? 0) / 1000, message))
    case 'discard':
      return withStack(new Discard(message, { cause }))
    default:
      return new RemoteError(error)
  }
}
