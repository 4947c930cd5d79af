/** /v1/keys: the API keys. The key itself is in one answer only, that of POST. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { KEY_BODY, readFields } from '../../control/access-draft.ts'
import type { KeyControl, KeyQuery } from '../../control/keys.ts'
import { KEY, KEY_PAGE, NEW_KEY } from '../documents/access.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import {
  LIMIT,
  readBefore,
  readFlag,
  readLimit,
  readQuery,
  refuseQuery,
  writeIdCursor,
  type Parameters,
} from '../query.ts'

const READ = { auth: 'scope', scope: 'keys:read' } as const
const WRITE = { auth: 'scope', scope: 'keys:write' } as const
const ONE = '/v1/keys/:id'
const BODY_BYTES_MAX = 16_384

export const KEY_PARAMETERS: Parameters<KeyQuery> = {
  limit: readLimit,
  cursor: readBefore,
  live: readFlag('live'),
}
const tag = 'keys'

const LIST = endpoint(READ, {
  id: 'listKeys',
  tag,
  summary: 'API keys, newest first',
  query: KEY_PARAMETERS,
  answers: { 200: { description: 'A page of them', schema: KEY_PAGE } },
})
const POST = endpoint(WRITE, {
  id: 'createKey',
  tag,
  summary: 'Makes a key and tells it, this once',
  body: {
    schema: KEY_BODY,
    example: { name: 'billing', scopes: ['runs:read', 'runs:write'], expires_in: '90 days' },
  },
  answers: {
    201: { description: 'What is known of it, and the key', schema: NEW_KEY, headers: ['Location'] },
  },
  problems: ['RB_ACCESS_INVALID'],
})
const GET = endpoint(READ, {
  id: 'getKey',
  tag,
  summary: 'One key',
  answers: { 200: { description: 'What is known of it', schema: KEY } },
  problems: ['RB_KEY_NOT_FOUND'],
})
const REVOKE = endpoint(WRITE, {
  id: 'revokeKey',
  tag,
  summary: 'Refuses it everywhere within a second; it stays in the list',
  answers: { 204: { description: 'It is revoked' } },
  problems: ['RB_KEY_NOT_FOUND', 'RB_ACCESS_INVALID'],
})

export function keyRoutes(app: FastifyInstance, control: KeyControl): void {
  app.get('/v1/keys', LIST, async (request) => {
    const query = readQuery(KEY_PARAMETERS, request.query, { limit: LIMIT })
    const { items, before } = await control.list(callerOf(request), query)
    return { items, next: before === null ? null : writeIdCursor(before) }
  })
  app.post('/v1/keys', { ...POST, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    const key = await control.create(callerOf(request), request.body)
    return reply.code(201).header('location', `${app.prefix}/v1/keys/${key.id}`).send(key)
  })
  app.get(ONE, GET, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), idOf(request))
  })
  app.delete(ONE, { ...REVOKE, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    readFields(request.body ?? {}, {})
    await control.revoke(callerOf(request), idOf(request))
    return reply.code(204).send()
  })
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id.toLowerCase()
}
