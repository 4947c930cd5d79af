/**
 * Refusals as Django REST framework words them: a JSON object, `{"detail": "…"}` or the faults of each field,
 * `{"title": ["This field is required."]}`. Clients of a Django API that moves here need not change. A browser
 * that posted a form gets a page, as everywhere in the examples.
 */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { answerError, prefersPage, Refusal } from './refusal.ts'

export type Faults = Record<string, string[]>

export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal'
  readonly status: number
  readonly body: object
  readonly headers: Record<string, string>
  constructor(status: number, body: object, headers: Record<string, string> = {}) {
    super(Object.values(body).flat().join(' '))
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** Throws ApiRefusal 400 unless there are none. */
export function refuseFaults(faults: Faults): void {
  if (Object.keys(faults).length > 0) throw new ApiRefusal(400, faults)
}

/** Makes every refusal of this scope one of these, and reads an empty body as an empty object, as Django does. */
export function speakLikeDjango(scope: FastifyInstance): void {
  scope.setErrorHandler(answerLikeDjango)
  scope.removeContentTypeParser(['application/json', 'text/plain'])
  scope.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: 100_000 },
    async (_: unknown, body: string): Promise<unknown> => {
      if (body.trim() === '') return {}
      try {
        return JSON.parse(body)
      } catch (error) {
        throw new ApiRefusal(400, { detail: `JSON parse error - ${(error as Error).message}` })
      }
    },
  )
}

/** Refuses what `url` does not take, with Allow. */
export function refuseOtherMethods(scope: FastifyInstance, url: string, allowed: readonly string[]): void {
  const method = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((one) => !allowed.includes(one))
  scope.route({
    method,
    url,
    exposeHeadRoute: false,
    config: { auth: 'public' } as object,
    // Before a body is read.
    onRequest: async (request) => {
      throw new ApiRefusal(
        405,
        { detail: `Method "${request.method}" not allowed.` },
        { allow: allowed.join(', ') },
      )
    },
    handler: () => {},
  })
}

function answerLikeDjango(
  error: FastifyError | ApiRefusal | Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const refusal = toApiRefusal(error, request)
  if (!refusal) return answerError(error as FastifyError, request, reply)
  if (prefersPage(request))
    return answerError(new Refusal(refusal.status, null, refusal.message), request, reply)
  reply.code(refusal.status).headers(refusal.headers).type('application/json').send(refusal.body)
}

function toApiRefusal(
  error: FastifyError | ApiRefusal | Refusal,
  request: FastifyRequest,
): ApiRefusal | null {
  if (error instanceof ApiRefusal) return error
  if (error instanceof Refusal) return new ApiRefusal(error.status, { detail: error.message })
  const status = error.statusCode ?? 500
  const type = request.headers['content-type'] ?? ''
  if (status === 415) return new ApiRefusal(415, { detail: `Unsupported media type "${type}" in request.` })
  return status < 500 ? new ApiRefusal(status, { detail: error.message }) : null
}
