/**
 * Every error Rowbeat itself raises. One tree, one code each, one sentence that names what is wrong and how to
 * mend it. The API maps `code` to a status in one table (api/problem.ts); docs/reference/errors.md lists them all.
 *
 *   RowbeatError            code, message, cause, toJSON()
 *   ├─ ConfigError          RB_CONFIG_INVALID                      at start, never later
 *   ├─ DefinitionError      RB_TASK_DUPLICATE  RB_TASK_UNKNOWN  RB_TASK_INVALID  RB_TASK_NOT_FOUND
 *   ├─ EnqueueError         RB_INPUT_INVALID  RB_OPTION_INVALID  RB_RUN_DUPLICATE  RB_INPUT_TOO_LARGE  RB_QUEUE_UNKNOWN  RB_IDEMPOTENCY_REUSED   nothing was written
 *   ├─ ScheduleError        RB_SCHEDULE_INVALID  RB_SCHEDULE_NOT_FOUND  RB_SCHEDULE_DUPLICATE  RB_SCHEDULE_CHANGED
 *   │                       RB_SCHEDULE_UNDECLARED   nothing was written
 *   ├─ RunError             what a result carries: rebuilt from the row as data
 *   │  ├─ RunFailed  RunRevoked  WorkerLost  AttemptsExhausted
 *   ├─ ResultError          RB_RUN_NOT_FOUND  RB_RESULT_TIMEOUT  RB_RUN_LIVE  RB_RUN_STATE
 *   ├─ OperationError       RB_OPERATION_INVALID  RB_OPERATION_NOT_FOUND   nothing was written
 *   ├─ StoreError           RB_DB_UNREACHABLE  RB_SCHEMA_BEHIND  RB_SCHEMA_AHEAD  RB_DB_TOO_OLD  RB_QUEUE_UNKNOWN_VERSION  RB_VIEW_IN_USE
 *   │                       RB_TRANSACTION_OVER
 *   ├─ SoftTimeLimit        RB_SOFT_TIME_LIMIT    why the signal of a run aborts when its soft time limit passes
 *   ├─ TimeLimitExceeded    RB_TIME_LIMIT         how a run ends that reached its time limit
 *   ├─ IsolateLost          RB_WORKER_LOST        the thread or process of an isolated run died
 *   ├─ ControlError         RB_CONTROL_INVALID  RB_WORKER_NOT_FOUND  RB_COMMAND_NOT_FOUND   nothing was written
 *   ├─ QueueError           RB_QUEUE_INVALID  RB_QUEUE_NOT_FOUND  RB_QUEUE_IN_USE  RB_QUEUE_PAUSED   nothing was written
 *   ├─ WebhookError         RB_WEBHOOK_INVALID  RB_WEBHOOK_NOT_FOUND  RB_WEBHOOK_DUPLICATE  RB_WEBHOOK_CHANGED   nothing was written
 *   ├─ OutboundError        RB_OUTBOUND_REFUSED  RB_OUTBOUND_FAILED  RB_OUTBOUND_TIMEOUT  RB_OUTBOUND_STATUS   an address that a run called
 *   ├─ AccessError          RB_KEY_MISSING  RB_KEY_INVALID  RB_TOKEN_INVALID  RB_SCOPE_MISSING  RB_LOGIN_INVALID  RB_LOGIN_BLOCKED  RB_RATE_LIMITED
 *   │                       RB_ACCESS_INVALID  RB_KEY_NOT_FOUND  RB_USER_NOT_FOUND  RB_USER_DUPLICATE  RB_LAST_ADMIN  RB_SESSION_OVER  RB_ORIGIN_FOREIGN
 *   └─ RequestError         RB_BODY_INVALID  RB_QUERY_INVALID  RB_ROUTE_UNKNOWN  RB_METHOD_NOT_ALLOWED
 *                           RB_PRECONDITION_MISSING  RB_STREAMS_FULL  RB_CLOSING
 *
 * `rowbeat/client` throws ApiProblem, with the code of the API, and ApiUnreachable: src/client/call.ts.
 * Retry, Snooze and Discard are not errors: see tasks/signals.ts.
 */

/** One place in the input that is wrong; `pointer` is an RFC 6901 JSON pointer such as `/input/x`. */
export interface Fault {
  pointer: string
  detail: string
}

/** An error as it is stored in `rowbeat.results.error` and answered by REST: data, never a class to revive. */
export interface ErrorData {
  name: string
  message: string
  code: string | null
  stack: string | null
  cause: ErrorData | null
}

export class RowbeatError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
  toJSON(): { name: string; code: string; message: string } {
    return { name: this.name, code: this.code, message: this.message }
  }
}

export class ConfigError extends RowbeatError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('RB_CONFIG_INVALID', message, options)
  }
}

export class DefinitionError extends RowbeatError {}

/** The run was not accepted and nothing was written. `faults` names each wrong place. */
export class EnqueueError extends RowbeatError {
  readonly faults: readonly Fault[]
  constructor(code: string, message: string, faults: readonly Fault[] = [], options?: { cause?: unknown }) {
    super(code, message, options)
    this.faults = faults
  }
}

/** A schedule that is refused, unknown, or was changed by somebody else in the meantime. `faults` has one entry per wrong place. */
export class ScheduleError extends RowbeatError {
  readonly faults: readonly Fault[]
  constructor(code: string, message: string, faults: readonly Fault[] = [], options?: { cause?: unknown }) {
    super(code, message, options)
    this.faults = faults
  }
}

/** What was asked of workers is not understood, or is for nobody. `faults` has one entry per wrong place. */
export class ControlError extends RowbeatError {
  readonly faults: readonly Fault[]
  constructor(code: string, message: string, faults: readonly Fault[] = [], options?: { cause?: unknown }) {
    super(code, message, options)
    this.faults = faults
  }
}

/** What was to be done to many runs is not understood, or unknown. `faults` has one entry per wrong place. */
export class OperationError extends RowbeatError {
  readonly faults: readonly Fault[]
  constructor(code: string, message: string, faults: readonly Fault[] = [], options?: { cause?: unknown }) {
    super(code, message, options)
    this.faults = faults
  }
}

/** What was asked of a queue is not understood, or its state forbids it. `faults` has one entry per wrong place. */
export class QueueError extends RowbeatError {
  readonly faults: readonly Fault[]
  constructor(code: string, message: string, faults: readonly Fault[] = [], options?: { cause?: unknown }) {
    super(code, message, options)
    this.faults = faults
  }
}

/** A webhook that is refused, unknown, or was changed by somebody else in the meantime. `faults` has one entry per wrong place. */
export class WebhookError extends RowbeatError {
  readonly faults: readonly Fault[]
  constructor(code: string, message: string, faults: readonly Fault[] = [], options?: { cause?: unknown }) {
    super(code, message, options)
    this.faults = faults
  }
}

/** An address that was not to be called, was not reached, or answered what was not wanted. */
export class OutboundError extends RowbeatError {}

export class ResultError extends RowbeatError {}
export class StoreError extends RowbeatError {}

/** Who asks may not, is not known, or asked too often: then `retryAfterMs` says when to come again. `faults` has one entry per wrong place. */
export class AccessError extends RowbeatError {
  readonly faults: readonly Fault[]
  readonly retryAfterMs: number | null
  constructor(
    code: string,
    message: string,
    faults: readonly Fault[] = [],
    { retryAfterMs = null, ...options }: { cause?: unknown; retryAfterMs?: number | null } = {},
  ) {
    super(code, message, options)
    this.faults = faults
    this.retryAfterMs = retryAfterMs
  }
}

/** Why the signal of a run aborts when its soft time limit has passed; thrown on, it is what the try failed of. */
export class SoftTimeLimit extends RowbeatError {
  readonly limitMs: number
  constructor(limitMs: number, options?: { cause?: unknown }) {
    super('RB_SOFT_TIME_LIMIT', `the soft time limit of ${limitMs / 1000} s has passed.`, options)
    this.limitMs = limitMs
  }
}

/** How a run ends that reached its time limit; its handler is not waited for. */
export class TimeLimitExceeded extends RowbeatError {
  constructor(limitMs: number) {
    super('RB_TIME_LIMIT', `the run was ended at its time limit of ${limitMs / 1000} s.`)
  }
}

/** The thread or process that an isolated run was in is gone, and with it what became of the run. */
export class IsolateLost extends RowbeatError {
  readonly place: 'thread' | 'process'
  constructor(place: 'thread' | 'process', how: string, options?: { cause?: unknown }) {
    super('RB_WORKER_LOST', `the ${place} of the run died: ${how}.`, options)
    this.place = place
  }
}

/** An error from another thread or process: what it said of itself, as data. Its class is not revived. */
export class RemoteError extends Error {
  readonly code: string | undefined
  constructor({ name, message, code, stack, cause }: ErrorData) {
    super(message, cause ? { cause: new RemoteError(cause) } : undefined)
    this.name = name
    this.code = code ?? undefined
    this.stack = stack ?? `${name}: ${message}`
  }
}

/** An HTTP request that cannot be served as it was sent; `faults` names each wrong place of it. */
export class RequestError extends RowbeatError {
  readonly faults: readonly Fault[]
  constructor(code: string, message: string, faults: readonly Fault[] = [], options?: { cause?: unknown }) {
    super(code, message, options)
    this.faults = faults
  }
}

/** How a finished run ended when it did not succeed; `data` is the stored error, whole. */
export class RunError extends RowbeatError {
  readonly runId: string
  readonly reason: string
  readonly data: ErrorData | null
  constructor(code: string, runId: string, reason: string, data: ErrorData | null) {
    super(code, data ? `${data.name}: ${data.message}` : `run ${runId} ended: ${reason}`)
    this.runId = runId
    this.reason = reason
    this.data = data
    if (data?.stack) this.stack = data.stack
  }
}
export class RunFailed extends RunError {}
export class AttemptsExhausted extends RunFailed {}
export class RunTimedOut extends RunFailed {}
export class WorkerLost extends RunFailed {}
export class RunRevoked extends RunError {}

/** Programming faults inside Rowbeat itself: an invariant did not hold. Never expected, never caught by us. */
export class InvariantError extends RowbeatError {
  constructor(message: string) {
    super('RB_INVARIANT', message)
  }
}
