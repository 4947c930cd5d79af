/**
 * /v1/tokens: signing in with e-mail address and password, for tokens; and /v1/me: who one is. The three verbs of tokens are open to
 * anybody, since what proves who asks is in the body; what holds off who guesses is said in control/sessions.ts.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LOGIN_BODY } from '../../control/passwords.ts'
import { REFRESH_BODY, type SessionControl } from '../../control/sessions.ts'
import { ME, TOKENS, type MeDocument } from '../documents/access.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf, originOf } from '../guard.ts'
import { refuseQuery } from '../query.ts'

const PUBLIC = { auth: 'public' } as const
const BODY_BYTES_MAX = 16_384
/** A password may have to wait for others to be compared. */
const COMPARING = { bodyLimit: BODY_BYTES_MAX, handlerTimeout: 15_000 }
const tag = 'tokens'
const tokens = { 200: { description: 'The tokens', schema: TOKENS } }

const BEGIN = endpoint(PUBLIC, {
  id: 'signIn',
  tag,
  summary: 'Tokens for an e-mail address and its password',
  body: {
    schema: LOGIN_BODY,
    example: { email: 'oksana@example.com', password: 'correct horse and battery' },
  },
  answers: tokens,
  problems: ['RB_LOGIN_INVALID', 'RB_LOGIN_BLOCKED', 'RB_ACCESS_INVALID'],
})
const REFRESH = endpoint(PUBLIC, {
  id: 'refreshTokens',
  tag,
  summary: 'New tokens for a refresh token, which is spent by it',
  body: { schema: REFRESH_BODY },
  answers: tokens,
  problems: ['RB_TOKEN_INVALID', 'RB_ACCESS_INVALID'],
})
const END = endpoint(PUBLIC, {
  id: 'signOut',
  tag,
  summary: 'Ends the sign-in of a refresh token',
  body: { schema: REFRESH_BODY },
  answers: { 204: { description: 'Its sign-in is over, if it had one' } },
  problems: ['RB_ACCESS_INVALID'],
})
const WHO = endpoint(
  { auth: 'key' },
  {
    id: 'getMe',
    tag: 'tokens',
    summary: 'Who asks, and what they may do',
    answers: { 200: { description: 'The key or the person', schema: ME } },
  },
)

export function tokenRoutes(app: FastifyInstance, control: SessionControl): void {
  app.post('/v1/tokens', { ...BEGIN, ...COMPARING }, async (request) => {
    refuseQuery(request.query)
    return await control.begin(request.body, originOf(request))
  })
  app.post('/v1/tokens::refresh', { ...REFRESH, bodyLimit: BODY_BYTES_MAX }, async (request) => {
    refuseQuery(request.query)
    return await control.refresh(request.body)
  })
  app.post('/v1/tokens::revoke', { ...END, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    await control.end(request.body, originOf(request))
    return reply.code(204).send()
  })
}

export function meRoute(app: FastifyInstance): void {
  app.get('/v1/me', WHO, async (request): Promise<MeDocument> => {
    refuseQuery(request.query)
    return describeCaller(request)
  })
}

function describeCaller(request: FastifyRequest): MeDocument {
  const { kind, id, name, role = null, scopes } = callerOf(request)
  return { kind: kind as MeDocument['kind'], id, name, role, scopes }
}
