/**
 * Whether a request comes from a page of ours. A browser says so itself, in headers that no page can write: Sec-Fetch-Site over TLS and on
 * the own machine, Origin with whatever is sent. Where it says neither, only reading is let in, since its answer cannot be read by
 * another site; and the sign-in, for there is nothing yet that could be abused. What the API of AdminJS does by GET is no navigation
 * either, so that a link from elsewhere cannot do anything.
 */
import type { FastifyRequest } from 'fastify'
import { AccessError } from '../../src/errors.ts'

/** Throws AccessError RB_ORIGIN_FOREIGN. */
export function refuseForeign(request: FastifyRequest, entrance: 'login' | 'call'): void {
  if (!isOurs(request, entrance))
    throw new AccessError(
      'RB_ORIGIN_FOREIGN',
      'This request does not come from a page of the panel: open the panel and do it there.',
    )
}

function isOurs(request: FastifyRequest, entrance: 'login' | 'call'): boolean {
  const { headers, method } = request
  const isRead = method === 'GET' || method === 'HEAD'
  const site = headers['sec-fetch-site']
  // The sign-in is a page too: it may be opened from anywhere.
  if (entrance === 'login' && isRead) return true
  if (site !== undefined && site !== 'same-origin') return false
  if (headers['sec-fetch-mode'] === 'navigate' && isRead && !mayBeOpened(request)) return false
  const { origin } = headers
  if (origin !== undefined) return hostOf(origin) === request.host
  if (site !== undefined || isRead) return true
  const { referer } = headers
  return referer === undefined ? entrance === 'login' : hostOf(referer) === request.host
}

/** A file that the REST API makes may be downloaded by a link. */
function mayBeOpened({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config?.rowbeat !== undefined
}

function hostOf(address: string): string | null {
  return URL.parse(address)?.host ?? null
}
