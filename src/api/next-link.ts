/**
 * The page behind this one, as a link in the header beside the `next` of the body (RFC 8288): a client that knows links needs
 * not know how this API makes its addresses.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Adds `Link: <…>; rel="next"` to pages of every list that has a cursor and is registered in this scope from here on. */
export function linkPages(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (!route.config?.rowbeat?.endpoint?.query?.cursor) return
    route.preSerialization = [route.preSerialization ?? []].flat().concat(link as never)
  })
}

async function link(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const { next } = (payload ?? {}) as { next?: unknown }
  if (typeof next !== 'string') return payload
  const { pathname, searchParams } = new URL(request.url, 'http://here')
  searchParams.set('cursor', next)
  reply.header('link', `<${pathname}?${searchParams.toString()}>; rel="next"`)
  return payload
}
