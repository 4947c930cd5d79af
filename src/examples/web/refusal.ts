/**
 * What a request did wrong, told in the asker's own way: a page for people (they accept text/html), an RFC
 * 9457 problem for programs. What went wrong on our side is logged and told without its details.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { html } from './html.ts'
import { sendPage } from './layout.ts'

export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly pointer: string | null
  constructor(status: number, pointer: string | null, message: string) {
    super(message)
    this.status = status
    this.pointer = pointer
  }
}

const TITLES: Record<number, string> = {
  400: 'That request cannot be read',
  404: 'Not found',
  413: 'That is too large',
  415: 'That kind of content is not taken',
  422: 'That cannot be used',
  500: 'Something went wrong on our side',
}

/** Browsers ask for text/html; curl and fetch ask for anything. */
export function prefersPage(request: FastifyRequest): boolean {
  return (request.headers.accept ?? '').includes('text/html')
}

/** The error handler of the example pages. */
export function answerError(
  error: FastifyError | Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const wanted = error instanceof Refusal ? error.status : (error.statusCode ?? 500)
  const status = wanted >= 400 && wanted < 500 ? wanted : 500
  if (status === 500) request.log.error({ err: error }, 'an example page failed')
  const title = TITLES[status] ?? TITLES[400]!
  const detail = status === 500 ? `Try again; the log has it as request ${request.id}.` : error.message
  const pointer = error instanceof Refusal ? error.pointer : null
  if (prefersPage(request)) {
    const back = request.method === 'POST' ? (request.routeOptions.url ?? '/').replace(/\/sample$/, '') : '/'
    sendPage(reply.code(status), {
      title,
      body: html`<h1>${title}</h1>
        <p class="refusal" role="alert">${detail}</p>
        <p><a class="button" href="${back}">Back</a></p>`,
    })
    return
  }
  reply
    .code(status)
    .type('application/problem+json')
    .send({
      type: 'about:blank',
      title,
      status,
      detail,
      instance: request.url,
      request_id: request.id,
      errors: pointer === null ? [] : [{ pointer, detail }],
    })
}
