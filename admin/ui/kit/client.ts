/**
 * The API as the pages call it: rowbeat/client, mounted under the panel's prefix, with the session's cookie for a key. What a
 * problem says is turned into words here, once.
 */
import { ApiProblem, createClient } from '../../../src/client/client.ts'
import { watchAttendance } from './attendance.ts'
import { ROOT, signedOut } from './place.ts'

export { ApiProblem, ApiUnreachable } from '../../../src/client/client.ts'
export type * from '../../../src/client/verbs.ts'

export const attendance = watchAttendance()

export const client = createClient({ url: ROOT, fetch: call })

/** For operations that the client has no word for yet; throws as it does. */
export async function request<Answer>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await call(`${ROOT}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const answer = parse(text)
  if (response.ok) return answer as Answer
  const problem = (answer ?? {}) as {
    code?: string
    detail?: string
    errors?: { pointer: string; detail: string }[]
    request_id?: string
  }
  throw new ApiProblem(problem.code ?? 'RB_API_UNREACHABLE', problem.detail ?? `${response.status}`, {
    status: response.status,
    errors: problem.errors ?? [],
    requestId: problem.request_id ?? response.headers.get('x-request-id'),
    retryAfter: null,
  })
}

export interface Refusal {
  text: string
  /** The id under which the server's log has it. */
  requestId: string | null
  /** Of fields: pointer -> what is wrong. */
  faults: Record<string, string>
}

/** What an error says to whoever looks at the screen. */
export function explain(error: unknown): Refusal {
  if (error instanceof ApiProblem)
    return {
      text: error.message,
      requestId: error.requestId,
      faults: Object.fromEntries(error.errors.map(({ pointer, detail }) => [pointer, detail])),
    }
  return { text: error instanceof Error ? error.message : String(error), requestId: null, faults: {} }
}

async function call(where: Parameters<typeof fetch>[0], how: RequestInit = {}): Promise<Response> {
  const headers = { ...Object.fromEntries(new Headers(how.headers)), ...attendance.headers() }
  const response = await fetch(where, { ...how, headers })
  if (response.status === 401) signedOut.set(true)
  else if (response.ok) signedOut.set(false)
  return response
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
