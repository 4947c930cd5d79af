/**
 * Who comes in. Default-deny: one hook at the root of the panel's own Fastify instance decides on every request, by the route that was
 * matched and never by the address, so that no spelling of one (%61dmin, ?x=/frontend/assets/app.bundle.js, //, ..;) is let in: it is a
 * route that says who may come, or nothing that a stranger learns more of than 401. Open are the sign-in and a list of files, nothing else.
 *
 * Cookies come along with whatever another site makes a browser send, so who has one must also come from here: what browsers say of that
 * (Sec-Fetch-Site; the Origin where they say nothing) is asked for everything but pages, which only show. See also same-origin.ts.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { originOf, type Door } from '../../src/api/guard.ts'
import type { Caller } from '../../src/auth/scopes.ts'
import type { PanelSessions } from '../../src/control/panel-sessions.ts'
import { AccessError, InvariantError, RequestError } from '../../src/errors.ts'
import { createCookie } from './cookie.ts'
import { refuseForeign } from './same-origin.ts'

/** As the app that the panel is mounted in understands the request: it knows which proxies to believe. */
export interface Arrival {
  id: string
  ip: string
  protocol: string
  host: string
}

/**
 * `file` and `login`: anybody. `page`: who is signed in, and who is not is shown where to. `call`: who is signed in and comes from a page
 * of ours. A route of the REST API says it in its own way (guard.ts) and is a call.
 */
export type Entrance = 'file' | 'login' | 'page' | 'call'

declare module 'fastify' {
  interface FastifyContextConfig {
    rowbeatPanel?: Entrance
  }
}

const CALLER = Symbol('rowbeat.panel.caller')
type Arrived = FastifyRequest & { [CALLER]?: Caller }

/** Guards every route of this instance, and of the scopes in it. */
export function guardPanel(
  app: FastifyInstance,
  { sessions, root }: { sessions: PanelSessions; root: string },
): void {
  const cookie = createCookie()
  app.addHook('onRoute', ({ method, url, config }) => {
    if (!config?.rowbeatPanel && !config?.rowbeat)
      throw new InvariantError(`route ${String(method)} ${url} does not say who may call it`)
  })
  app.decorateRequest(CALLER, undefined)
  app.addHook('onRequest', async (request: Arrived, reply) => {
    reply.headers(HEADERS)
    reply.header('x-request-id', request.id)
    const entrance = entranceOf(request)
    if (entrance !== 'file') reply.header('cache-control', 'no-store')
    if (entrance === 'file') return
    if (entrance === 'login') return refuseForeign(request, entrance)
    const proof = cookie.read(request) ?? ''
    try {
      request[CALLER] = await sessions.identify(proof)
    } catch (error) {
      if (!(error instanceof AccessError)) throw error
      if (entrance === 'page' && isRead(request)) return sendToLogin(request, reply, root)
      throw error
    }
    if (entrance === 'call') refuseForeign(request, entrance)
    // Only now, because what another site sends does not keep a sign-in alive; nor does a page that nobody sits at (ui/kit/attendance.ts).
    if (!request.headers['rowbeat-unattended']) await sessions.use(proof)
  })
}

/** Who sent this request; on every route but those that are open to anybody. */
export function arrivedAs(request: FastifyRequest): Caller {
  const caller = (request as Arrived)[CALLER]
  if (!caller) throw new InvariantError('a route that is open to anybody asked who its caller is')
  return { ...caller, origin: { ...originOf(request), via: 'panel' } }
}

/** For the REST API: the cookie is what its callers come in by. */
export function cookieDoor(sessions: PanelSessions): Door {
  const cookie = createCookie()
  return Object.freeze({
    proofOf: (request: FastifyRequest) => cookie.read(request) ?? '',
    identify: sessions.identify,
    via: 'panel' as const,
  })
}

/** For who is signed in; anybody else has been told 401. */
export function refuseUnknown(request: FastifyRequest): never {
  throw new RequestError(
    'RB_ROUTE_UNKNOWN',
    `There is nothing at ${request.method} ${request.url.split('?', 1)[0]}.`,
  )
}

function entranceOf({ routeOptions }: FastifyRequest): Entrance {
  // What matches no route has no config of ours, and is a call like any.
  return routeOptions.config?.rowbeatPanel ?? 'call'
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

function sendToLogin(request: FastifyRequest, reply: FastifyReply, root: string): FastifyReply {
  return reply.redirect(`${root}/login?next=${encodeURIComponent(request.url)}`, 303)
}

/** Of every answer; pages and files add what they need. */
const HEADERS = Object.freeze({
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
})
