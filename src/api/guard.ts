/**
 * Default-deny. Every route of a guarded scope says in its `config` who may call it, and one that says
 * nothing cannot be registered. The hook decides by the route that was matched, never by the address, so no
 * spelling of an address (%61, //, ?x=, ..;) gets past it: it either is the route, and is guarded, or it is
 * another.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Keyring } from '../auth/keyring.ts'
import { requireScope, type Caller, type Scope } from '../auth/scopes.ts'
import { AccessError, InvariantError } from '../errors.ts'

/** `public`: anybody; `key`: any live key; a scope: a key that has it. */
export type Access = { auth: 'public' } | { auth: 'key' } | { auth: 'scope'; scope: Scope }

declare module 'fastify' {
  interface FastifyContextConfig {
    rowbeat?: Access
  }
}

const CALLER = Symbol('rowbeat.caller')
type Guarded = FastifyRequest & { [CALLER]?: Caller }

/** Guards every route that is registered in this scope from here on. */
export function guard(app: FastifyInstance, keyring: Keyring): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (!config?.rowbeat)
      throw new InvariantError(`route ${String(method)} ${url} does not say who may call it`)
  })
  app.decorateRequest(CALLER, undefined)
  app.addHook('onRequest', async (request: Guarded) => {
    const access = request.routeOptions.config.rowbeat
    if (access?.auth === 'public') return
    const caller = await keyring.identify(bearerOf(request))
    if (access?.auth === 'scope') requireScope(caller, access.scope)
    else if (access?.auth !== 'key')
      throw new AccessError('RB_SCOPE_MISSING', 'Nobody may call this address.')
    request[CALLER] = caller
  })
}

/** Who sent this request; only on routes that are not public. */
export function callerOf(request: FastifyRequest): Caller {
  const caller = (request as Guarded)[CALLER]
  if (!caller) throw new InvariantError('a public route asked who its caller is')
  return caller
}

/** The key of `Authorization: Bearer <key>`. Throws RB_KEY_MISSING. */
export function bearerOf(request: FastifyRequest): string {
  const match = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '')
  if (match) return match[1]!
  throw new AccessError(
    'RB_KEY_MISSING',
    'This address needs an API key: send the header "Authorization: Bearer <key>".',
  )
}
