/**
 * Answers that are not a success: RFC 9457 problem documents, from one table of codes. Whatever is thrown on
 * the way ends here; what is not ours and not the caller's fault is told as "something failed here" with the
 * request's id, and the log has the rest. A stack, a statement or a parameter never leaves the process.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { monotonicMs } from '../clock.ts'
import { isConnectionLoss, isTransient } from '../db/handle.ts'
import { RowbeatError, type Fault } from '../errors.ts'

interface Kind {
  status: number
  title: string
  /** Seconds after which another try makes sense. */
  retryAfter?: number
}

/** Every code that REST answers, with its status: the one table. */
export const PROBLEMS: Readonly<Record<string, Kind>> = {
  RB_BODY_INVALID: { status: 400, title: 'The body is not JSON' },
  RB_REQUEST_INVALID: { status: 400, title: 'The request is not understood' },
  RB_KEY_MISSING: { status: 401, title: 'A key is needed' },
  RB_KEY_INVALID: { status: 401, title: 'The key is not accepted' },
  RB_TOKEN_INVALID: { status: 401, title: 'The token is not accepted' },
  RB_LOGIN_INVALID: { status: 401, title: 'The sign-in is not accepted' },
  RB_SESSION_OVER: { status: 401, title: 'A sign-in is needed' },
  RB_SCOPE_MISSING: { status: 403, title: 'The key may not do this' },
  RB_ORIGIN_FOREIGN: { status: 403, title: 'The request comes from another site' },
  RB_ROUTE_UNKNOWN: { status: 404, title: 'There is nothing at this address' },
  RB_RUN_NOT_FOUND: { status: 404, title: 'The run is unknown' },
  RB_TASK_NOT_FOUND: { status: 404, title: 'The task is unknown' },
  RB_SCHEDULE_NOT_FOUND: { status: 404, title: 'The schedule is unknown' },
  RB_OPERATION_NOT_FOUND: { status: 404, title: 'The operation is unknown' },
  RB_WORKER_NOT_FOUND: { status: 404, title: 'The worker is unknown' },
  RB_COMMAND_NOT_FOUND: { status: 404, title: 'The command is unknown' },
  RB_QUEUE_NOT_FOUND: { status: 404, title: 'The queue is unknown' },
  RB_WEBHOOK_NOT_FOUND: { status: 404, title: 'The webhook is unknown' },
  RB_KEY_NOT_FOUND: { status: 404, title: 'The key is unknown' },
  RB_USER_NOT_FOUND: { status: 404, title: 'The person is unknown' },
  RB_METHOD_NOT_ALLOWED: { status: 405, title: 'This address does not take this method' },
  RB_REQUEST_TIMEOUT: { status: 408, title: 'The request took too long to arrive' },
  RB_RUN_DUPLICATE: { status: 409, title: 'The unique key is held by another run' },
  RB_IDEMPOTENCY_REUSED: { status: 422, title: 'The idempotency key was used with another input' },
  RB_RUN_LIVE: { status: 409, title: 'The run has not finished' },
  RB_RUN_STATE: { status: 409, title: 'The run is in another state' },
  RB_SCHEDULE_DUPLICATE: { status: 409, title: 'A schedule of this name stands' },
  RB_WEBHOOK_DUPLICATE: { status: 409, title: 'A webhook of this name stands' },
  RB_SCHEDULE_UNDECLARED: { status: 409, title: 'No code declared the schedule' },
  RB_USER_DUPLICATE: { status: 409, title: 'The e-mail address has an account' },
  RB_LAST_ADMIN: { status: 409, title: 'There must be an admin' },
  RB_QUEUE_IN_USE: { status: 409, title: 'The queue is in use' },
  RB_QUEUE_PAUSED: { status: 409, title: 'The queue is paused' },
  RB_SCHEDULE_CHANGED: { status: 412, title: 'The schedule was changed meanwhile' },
  RB_WEBHOOK_CHANGED: { status: 412, title: 'The webhook was changed meanwhile' },
  RB_INPUT_TOO_LARGE: { status: 413, title: 'The body is too large' },
  RB_URL_TOO_LONG: { status: 414, title: 'The address is too long' },
  RB_MEDIA_TYPE_UNKNOWN: { status: 415, title: 'The body must be application/json' },
  RB_INPUT_INVALID: { status: 422, title: 'The input is refused' },
  RB_OPTION_INVALID: { status: 422, title: 'The run is refused' },
  RB_QUERY_INVALID: { status: 422, title: 'The query is refused' },
  RB_CONTROL_INVALID: { status: 422, title: 'The command is refused' },
  RB_QUEUE_INVALID: { status: 422, title: 'What is asked of the queue is refused' },
  RB_SCHEDULE_INVALID: { status: 422, title: 'The schedule is refused' },
  RB_WEBHOOK_INVALID: { status: 422, title: 'The webhook is refused' },
  RB_OPERATION_INVALID: { status: 422, title: 'The operation is refused' },
  RB_ACCESS_INVALID: { status: 422, title: 'What is asked is refused' },
  RB_QUEUE_UNKNOWN: { status: 422, title: 'The queue is unknown' },
  RB_TASK_UNKNOWN: { status: 422, title: 'The task is unknown' },
  RB_PRECONDITION_MISSING: { status: 428, title: 'The header If-Match is needed' },
  RB_LOGIN_BLOCKED: { status: 429, title: 'Too many wrong passwords' },
  RB_RATE_LIMITED: { status: 429, title: 'Too many requests' },
  RB_INTERNAL: { status: 500, title: 'Something failed here' },
  RB_CLOSING: { status: 503, title: 'This process is closing', retryAfter: 1 },
  RB_DB_BUSY: { status: 503, title: 'The database is busy', retryAfter: 1 },
  RB_DB_UNREACHABLE: { status: 503, title: 'The database cannot be reached', retryAfter: 2 },
  RB_SCHEMA_BEHIND: { status: 503, title: 'The database is not migrated', retryAfter: 5 },
  RB_SCHEMA_AHEAD: { status: 503, title: 'The database is of a newer release', retryAfter: 60 },
  RB_PANEL_UNAVAILABLE: { status: 503, title: 'The panel is not there', retryAfter: 10 },
  RB_STREAMS_FULL: { status: 503, title: 'Too many streams are open', retryAfter: 5 },
}

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  code: string
  request_id: string
  errors?: readonly Fault[]
}

export type SayProblem = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply

/** No key would help. */
const NOT_BY_KEY: ReadonlySet<string> = new Set(['RB_SESSION_OVER', 'RB_ORIGIN_FOREIGN'])

/**
 * The error handler of a scope. While the database is away the log gets a line a second, not one a request.
 */
export function createProblemHandler(): SayProblem {
  let quietUntil = 0
  return (error, request, reply) => {
    const { code, detail, faults, retryAfterMs } = readError(error)
    const kind = PROBLEMS[code]!
    if (kind.status >= 500 && monotonicMs() >= quietUntil) {
      if (kind.status === 503) quietUntil = monotonicMs() + 1000
      request.log.error({ err: error, request_id: request.id, code }, kind.title)
    }
    const retryAfter = retryAfterMs ? Math.max(1, Math.ceil(retryAfterMs / 1000)) : kind.retryAfter
    if (retryAfter) reply.header('retry-after', String(retryAfter))
    const isKeyed = !NOT_BY_KEY.has(code) && (kind.status === 401 || kind.status === 403)
    if (isKeyed) reply.header('www-authenticate', challenge(code))
    const problem = describeProblem(code, detail, request.url, request.id, faults)
    return reply
      .code(kind.status)
      .header('cache-control', 'no-store')
      .header('x-content-type-options', 'nosniff')
      .type('application/problem+json')
      .send(JSON.stringify(problem))
  }
}

export function describeProblem(
  code: string,
  detail: string,
  url: string,
  requestId: string,
  faults: readonly Fault[] = [],
): Problem {
  const { status, title } = PROBLEMS[code]!
  const [instance] = url.split('?', 1)
  return {
    type: `/problems/${code}`,
    title,
    status,
    detail,
    instance: instance!,
    code,
    request_id: requestId,
    ...(faults.length > 0 ? { errors: faults } : {}),
  }
}

function challenge(code: string): string {
  const reasons: Record<string, string> = {
    RB_KEY_INVALID: ', error="invalid_token"',
    RB_TOKEN_INVALID: ', error="invalid_token"',
    RB_SCOPE_MISSING: ', error="insufficient_scope"',
  }
  return `Bearer realm="rowbeat"${reasons[code] ?? ''}`
}

interface Told {
  code: string
  detail: string
  faults?: readonly Fault[]
  retryAfterMs?: number | null
}

/** Fastify's own refusals, in our words. */
const FASTIFY: Readonly<Record<string, Told>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'RB_INPUT_TOO_LARGE',
    detail: 'The body is larger than this address takes: an input may have 1 MiB.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'RB_MEDIA_TYPE_UNKNOWN',
    detail: 'Send the body as JSON with the header "Content-Type: application/json".',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'RB_REQUEST_INVALID',
    detail: 'The body is not as long as Content-Length says.',
  },
  FST_ERR_BAD_URL: { code: 'RB_REQUEST_INVALID', detail: 'The address has a broken %-escape.' },
  FST_ERR_MAX_PARAM_LENGTH: {
    code: 'RB_URL_TOO_LONG',
    detail: 'A part of the address is longer than any id.',
  },
  FST_ERR_HANDLER_TIMEOUT: {
    code: 'RB_DB_UNREACHABLE',
    detail:
      'No answer came in time, and it is not known whether a run was stored: repeat it with the same id.',
  },
}

function readError(error: unknown): Told {
  const {
    code = '',
    message = '',
    statusCode,
  } = error as { code?: string; message?: string; statusCode?: number }
  if (error instanceof RowbeatError && Object.hasOwn(PROBLEMS, code)) {
    const { faults, retryAfterMs } = error as { faults?: readonly Fault[]; retryAfterMs?: number | null }
    return { code, detail: message, faults, retryAfterMs }
  }
  if (Object.hasOwn(FASTIFY, code)) return FASTIFY[code]!
  if (isConnectionLoss(error))
    return { code: 'RB_DB_UNREACHABLE', detail: 'The database cannot be reached now; try again.' }
  if (isTransient(error)) return { code: 'RB_DB_BUSY', detail: 'The database asks for another try.' }
  if (/^(3F000|42P01|42883|42703)$/.test(code)) {
    return {
      code: 'RB_SCHEMA_BEHIND',
      detail: 'The database lacks tables or functions of this release: run `rowbeat migrate`.',
    }
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 && code.startsWith('FST_'))
    return { code: 'RB_REQUEST_INVALID', detail: message }
  return {
    code: 'RB_INTERNAL',
    detail: 'Something failed here that is not your fault; the log has it under this request_id.',
  }
}
