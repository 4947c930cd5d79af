/**
 * Default-deny. Every route of a guarded scope says in its `config` who may call it, and one that says
 * nothing cannot be registered. The hook decides by the route that was matched, never by the address, so no
 * spelling of an address (%61, //, ?x=, ..;) gets past it: it either is the route, and is guarded, or it is
 * another.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { placeOf } from '../auth/place.ts'
import { requireScope, type Caller, type Origin, type Scope } from '../auth/scopes.ts'
import { AccessError, InvariantError } from '../errors.ts'
import type { Endpoint } from './endpoint.ts'
import type { Spend } from './rate-limit.ts'

/** `public`: anybody; `key`: any live key, or person who signed in; a scope: one that has it. */
export type Access = { auth: 'public' } | { auth: 'key' } | { auth: 'scope'; scope: Scope }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `refuses`: the route is there to say that its methods are not taken. */
    rowbeat?: Access & { endpoint?: Endpoint; refuses?: true }
  }
}

/** How those who call prove who they are. */
export interface Door {
  /** What the request brings as proof; a stream asks it again while it is open. Throws AccessError. */
  proofOf(request: FastifyRequest): string
  /** Throws AccessError, or StoreError when the database cannot be asked. */
  identify(proof: string): Promise<Caller>
  readonly via: Origin['via']
}

const CALLER = Symbol('rowbeat.caller')
const DOOR = Symbol('rowbeat.door')
type Guarded = FastifyRequest & { [CALLER]?: Caller; [DOOR]?: Door }

/** The door of who has keys and tokens. */
export function bearerDoor(keyring: Pick<Door, 'identify'>): Door {
  return Object.freeze({ proofOf: bearerOf, identify: keyring.identify, via: 'rest' as const })
}

/** Guards every route that is registered in this scope from here on. */
export function guard(app: FastifyInstance, door: Door, spend: Spend): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (!config?.rowbeat)
      throw new InvariantError(`route ${String(method)} ${url} does not say who may call it`)
    if (!config.rowbeat.endpoint && !config.rowbeat.refuses)
      throw new InvariantError(`route ${String(method)} ${url} does not say what it takes and gives`)
  })
  app.decorateRequest(CALLER, undefined)
  app.decorateRequest(DOOR, undefined)
  const identify = async (request: FastifyRequest, reply: FastifyReply): Promise<Caller> => {
    try {
      return await door.identify(door.proofOf(request))
    } catch (error) {
      if (error instanceof AccessError) spend('anonymous', `refused ${placeOf(request.ip)}`, reply)
      throw error
    }
  }
  app.addHook('onRequest', async (request: Guarded, reply) => {
    const access = request.routeOptions.config.rowbeat
    if (access?.auth === 'public') {
      // Reading what is public costs little; what asks for tokens costs a statement.
      if (request.method === 'POST') spend('anonymous', `public ${placeOf(request.ip)}`, reply)
      return
    }
    const caller = await identify(request, reply)
    if (caller.kind !== 'process') spend(caller.kind, caller.id, reply)
    if (access?.auth === 'scope') requireScope(caller, access.scope)
    else if (access?.auth !== 'key')
      throw new AccessError('RB_SCOPE_MISSING', 'Nobody may call this address.')
    request[CALLER] = caller
    request[DOOR] = door
  })
}

/** Who sent this request; only on routes that are not public. */
export function callerOf(request: FastifyRequest): Caller {
  const caller = (request as Guarded)[CALLER]
  if (!caller) throw new InvariantError('a public route asked who its caller is')
  return { ...caller, origin: originOf(request) }
}

/** Where a request comes from, for the audit log and against who guesses. */
export function originOf(request: FastifyRequest): Origin {
  const { via = 'rest' } = (request as Guarded)[DOOR] ?? {}
  return { via, requestId: request.id, address: request.ip }
}

/** What this request proved its caller by; only on routes that are not public. */
export function proofOf(request: FastifyRequest): string {
  const door = (request as Guarded)[DOOR]
  if (!door) throw new InvariantError('a public route asked for a proof')
  return door.proofOf(request)
}

/** The key or access token of `Authorization: Bearer <key>`. Throws RB_KEY_MISSING. */
function bearerOf(request: FastifyRequest): string {
  const match = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '')
  if (match) return match[1]!
  throw new AccessError(
    'RB_KEY_MISSING',
    'This address needs an API key or an access token: send the header "Authorization: Bearer <key>".',
  )
}
