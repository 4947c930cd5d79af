/**
 * One request to the API over fetch, for Node and browsers. What is no success is thrown as an ApiProblem, with all that the
 * problem document says; what never became an answer as ApiUnreachable. Nothing is sent twice by itself: whoever sends with an
 * id or an idempotency key may do so.
 */
import { RowbeatError, type Fault } from '../errors.ts'

/** The API said no. `code` is as in `RB_RUN_NOT_FOUND`; `errors` names each place that is wrong. */
export class ApiProblem extends RowbeatError {
  readonly status: number
  readonly errors: readonly Fault[]
  /** As the log of the server has it. */
  readonly requestId: string | null
  /** Seconds after which another try makes sense. */
  readonly retryAfter: number | null
  constructor(code: string, message: string, told: Omit<ApiProblem, keyof RowbeatError>) {
    super(code, message)
    this.status = told.status
    this.errors = told.errors
    this.requestId = told.requestId
    this.retryAfter = told.retryAfter
  }
}

/** No answer came, so it is not known whether what was asked for was done. */
export class ApiUnreachable extends RowbeatError {
  constructor(url: string, cause: unknown) {
    super(
      'RB_API_UNREACHABLE',
      `${url} did not answer: look whether it runs, and whether it is the address.`,
      {
        cause,
      },
    )
  }
}

/** Words that go with a single call. */
export interface CallOptions {
  signal?: AbortSignal
  headers?: Record<string, string>
  /** The version a change is made to, as it was read; or `*` for whatever is there. */
  ifMatch?: number | string
  idempotencyKey?: string
  /** Seconds to wait for the end of the run, at most 60. */
  wait?: number
  /** Parameters of an operation that has a body too. */
  query?: Query
}

export type Query = Readonly<
  Record<string, string | number | boolean | Date | readonly string[] | null | undefined>
>

export interface Asked {
  method: string
  /** With its parts filled in, from the root of the API. */
  path: string
  query?: Query
  body?: unknown
  options?: CallOptions
}

export interface CallerOptions {
  /** Where the API is mounted, as in `https://jobs.example.com`. */
  url: string
  /** An API key or access token; a function is asked before each request. */
  key?: string | (() => string | Promise<string>)
  /** Default the fetch there is. */
  fetch?: typeof globalThis.fetch
}

/** Sends, and answers what was a success. Throws ApiProblem, ApiUnreachable, and what `signal` was aborted with. */
export type Call = (asked: Asked) => Promise<Response>

export function createCaller({ url, key, fetch = globalThis.fetch }: CallerOptions): Call {
  const base = url.replace(/\/+$/, '')
  return async ({ method, path, query = {}, body, options = {} }) => {
    const address = `${base}${path}${textOf({ ...query, ...options.query })}`
    const credential = typeof key === 'function' ? await key() : key
    const headers: Record<string, string> = {
      ...(credential ? { authorization: `Bearer ${credential}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headersOf(options),
      ...options.headers,
    }
    let response: Response
    try {
      const content = body === undefined ? {} : { body: JSON.stringify(body) }
      response = await fetch(address, { method, headers, signal: options.signal, ...content })
    } catch (error) {
      if (options.signal?.aborted) throw error
      throw new ApiUnreachable(address, error)
    }
    if (response.ok) return response
    throw await readProblem(response, address)
  }
}

function headersOf({ ifMatch, idempotencyKey, wait }: CallOptions): Record<string, string> {
  const match = typeof ifMatch === 'number' ? `"${ifMatch}"` : ifMatch
  return {
    ...(match === undefined ? {} : { 'if-match': match }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    ...(wait === undefined ? {} : { prefer: `wait=${wait}` }),
  }
}

/** What is null or undefined is left out; several are divided by commas. */
function textOf(query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) => {
    if (value === undefined || value === null) return []
    const text =
      value instanceof Date ? value.toISOString() : Array.isArray(value) ? value.join(',') : String(value)
    return [`${encodeURIComponent(name)}=${encodeURIComponent(text)}`]
  })
  return given.length === 0 ? '' : `?${given.join('&')}`
}

async function readProblem(response: Response, address: string): Promise<ApiProblem> {
  const text = await response.text().catch(() => '')
  const told = parse(text) as {
    code?: string
    detail?: string
    errors?: readonly Fault[]
    request_id?: string
  } | null
  const later = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new ApiProblem(
    told?.code ?? 'RB_API_UNREACHABLE',
    told?.detail ??
      `${address} answered ${response.status}, which is no word of this API: look at the address.`,
    {
      status: response.status,
      errors: told?.errors ?? [],
      requestId: told?.request_id ?? response.headers.get('x-request-id'),
      retryAfter: Number.isNaN(later) ? null : later,
    },
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
