/**
 * `rowbeat.http`, a task that every worker brings along unless it is told not to: calls an address as a run, so that any
 * language, a schedule or a flow can call what has no task of its own.
 *
 * What is worth another try is what may pass: no connection, no answer in time, 408, 425, 429 and 5xx, by the run's own
 * retry policy or after Retry-After. Any other status that was not expected ends the run at once; so does an address
 * that may not be called. Every try sends the same Idempotency-Key, the run's id.
 */
import { isUtf8 } from 'node:buffer'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { parseDuration } from '../duration.ts'
import { OutboundError } from '../errors.ts'
import { Discard, Retry } from '../tasks/signals.ts'
import { task, type Task } from '../tasks/task.ts'
import { callUrl, type Answer, type Resolve } from './call.ts'
import type { Policy } from './policy.ts'
import { isPassing, retryAfterMs, wordsOf } from './answer.ts'

export const HTTP_TASK = 'rowbeat.http'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const TIMEOUT_MS = 30_000
const TIMEOUT_MAX_MS = 600_000
/** Of an answer's body; the rest is not read. */
const BODY_MAX = 262_144
/** What the connection itself decides. */
const OWN_HEADERS =
  /^(host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|keep-alive|accept-encoding|proxy-.*)$/i

const INPUT = {
  type: 'object',
  properties: {
    url: { type: 'string', description: 'https, or http where that is allowed', maxLength: 2000 },
    method: { type: 'string', enum: METHODS, description: 'default GET, or POST with a body' },
    headers: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 50 },
    body: { type: 'string', description: 'sent as it is' },
    json: { description: 'sent as JSON, instead of body' },
    timeout: { type: ['number', 'string'], description: 'of the whole call; default 30 s, at most 10 min' },
    expect: {
      type: 'array',
      items: { type: 'integer', minimum: 100, maximum: 599 },
      minItems: 1,
      maxItems: 50,
      description: 'statuses that are a success; default 200 to 299',
    },
  },
  required: ['url'],
  not: { required: ['body', 'json'] },
  additionalProperties: false,
}

export interface HttpInput {
  url: string
  method?: string
  headers?: Record<string, string>
  body?: string
  json?: unknown
  timeout?: number | string
  expect?: number[]
}

export interface HttpResult {
  status: number
  headers: Record<string, string | readonly string[]>
  body: string
  /** How `body` is written: as it came, where it is text, else in base64. */
  encoding: 'utf8' | 'base64'
  /** There was more of it than is kept. */
  truncated: boolean
}

export function createHttpTask(policy: Policy, resolve?: Resolve): Task {
  const call = async (input: HttpInput, runId: string, signal: AbortSignal): Promise<Answer> => {
    const body = input.json === undefined ? (input.body ?? null) : JSON.stringify(input.json)
    return await callUrl(
      {
        url: input.url,
        method: input.method ?? (body === null ? 'GET' : 'POST'),
        headers: headersOf(input, runId),
        body,
        timeoutMs: timeoutOf(input),
        bytesMax: BODY_MAX,
        signal,
      },
      policy,
      resolve,
    )
  }
  return task(
    HTTP_TASK,
    { input: INPUT, retry: { base: '2s', cap: '10 minutes' }, attemptsMax: 5 },
    async (input: any, { run, signal }) => {
      const answer = await call(input as HttpInput, run.id, signal).catch((error: unknown) => {
        const isRefused = error instanceof OutboundError && error.code === 'RB_OUTBOUND_REFUSED'
        throw isRefused ? new Discard(error.message, { cause: error }) : error
      })
      judgeStatus(answer, (input as HttpInput).expect)
      return describe(answer)
    },
  )
}

function judgeStatus(answer: Answer, expected: readonly number[] | undefined): void {
  const { status } = answer
  if (expected ? expected.includes(status) : status >= 200 && status < 300) return
  const error = new OutboundError('RB_OUTBOUND_STATUS', `It answered ${wordsOf(answer)}.`)
  if (!isPassing(status)) throw new Discard(error.message, { cause: error })
  const waitMs = retryAfterMs(answer)
  throw waitMs === null ? error : new Retry({ in: waitMs / 1000, message: error.message, cause: error })
}

function headersOf({ headers = {}, json }: HttpInput, runId: string): Record<string, string> {
  const own = Object.keys(headers).find((name) => OWN_HEADERS.test(name))
  if (own) throw new Discard(`The header "${own}" is set by the connection: leave it out.`)
  for (const [name, value] of Object.entries(headers)) refuseMalformed(name, value)
  const given = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  return {
    'idempotency-key': runId,
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    ...given,
  }
}

function refuseMalformed(name: string, value: string): void {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  } catch (cause) {
    throw new Discard(`The header ${JSON.stringify(name)} has characters that no header may have.`, { cause })
  }
}

function timeoutOf({ timeout }: HttpInput): number {
  if (timeout === undefined) return TIMEOUT_MS
  const ms = parseDuration(timeout)
  if (ms !== null && ms > 0 && ms <= TIMEOUT_MAX_MS) return ms
  throw new Discard('The timeout must be a duration above 0, at most 10 minutes, such as 10 or "30s".')
}

function describe({ status, headers, body, isCut }: Answer): HttpResult {
  const text = isCut ? wholeCharacters(body) : body
  const isText = isUtf8(text) && !text.includes(0)
  return {
    status,
    headers: { ...headers },
    body: isText ? text.toString('utf8') : body.toString('base64'),
    encoding: isText ? 'utf8' : 'base64',
    truncated: isCut,
  }
}

/** Without the character in the middle of which it was cut. */
function wholeCharacters(body: Buffer): Buffer {
  for (let less = 0; less < 4; less++) {
    const whole = body.subarray(0, body.length - less)
    if (isUtf8(whole)) return whole
  }
  return body
}
