/** /v1/users: the people who may sign in. A password is in one answer at most: that of the POST that made it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { readFields, USER_BODY, USER_EDIT_BODY } from '../../control/access-draft.ts'
import type { UserControl, UserQuery } from '../../control/users.ts'
import { NEW_USER, USER, USER_PAGE } from '../documents/access.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import {
  LIMIT,
  readBefore,
  readLimit,
  readQuery,
  refuseQuery,
  writeIdCursor,
  type Parameters,
} from '../query.ts'

const READ = { auth: 'scope', scope: 'users:read' } as const
const WRITE = { auth: 'scope', scope: 'users:write' } as const
const ONE = '/v1/users/:id'
const BODY_BYTES_MAX = 16_384

export const USER_PARAMETERS: Parameters<UserQuery> = { limit: readLimit, cursor: readBefore }
const tag = 'users'
const one = { description: 'The person', schema: USER }

const LIST = endpoint(READ, {
  id: 'listUsers',
  tag,
  summary: 'People who may sign in, newest first',
  query: USER_PARAMETERS,
  answers: { 200: { description: 'A page of them', schema: USER_PAGE } },
})
const POST = endpoint(WRITE, {
  id: 'createUser',
  tag,
  summary: 'Makes an account; without a password one is made and told, this once',
  body: { schema: USER_BODY, example: { email: 'oksana@example.com', role: 'operator' } },
  answers: { 201: { ...one, schema: NEW_USER, headers: ['Location'] } },
  problems: ['RB_ACCESS_INVALID', 'RB_USER_DUPLICATE'],
})
const GET = endpoint(READ, {
  id: 'getUser',
  tag,
  summary: 'One person',
  answers: { 200: one },
  problems: ['RB_USER_NOT_FOUND'],
})
const PATCH = endpoint(WRITE, {
  id: 'editUser',
  tag,
  summary: 'Changes role or password, disables or enables; each ends the sign-ins there are',
  body: { schema: USER_EDIT_BODY, example: { role: 'viewer' } },
  answers: { 200: one },
  problems: ['RB_USER_NOT_FOUND', 'RB_ACCESS_INVALID', 'RB_LAST_ADMIN'],
})
const REMOVE = endpoint(WRITE, {
  id: 'deleteUser',
  tag,
  summary: 'Deletes the account',
  answers: { 204: { description: 'It is gone' } },
  problems: ['RB_USER_NOT_FOUND', 'RB_ACCESS_INVALID', 'RB_LAST_ADMIN'],
})

export function userRoutes(app: FastifyInstance, control: UserControl): void {
  app.get('/v1/users', LIST, async (request) => {
    const query = readQuery(USER_PARAMETERS, request.query, { limit: LIMIT })
    const { items, before } = await control.list(callerOf(request), query)
    return { items, next: before === null ? null : writeIdCursor(before) }
  })
  app.post('/v1/users', { ...POST, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    const user = await control.create(callerOf(request), request.body)
    return reply.code(201).header('location', `${app.prefix}/v1/users/${user.id}`).send(user)
  })
  app.get(ONE, GET, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), idOf(request))
  })
  app.patch(ONE, { ...PATCH, bodyLimit: BODY_BYTES_MAX }, async (request) => {
    refuseQuery(request.query)
    return await control.edit(callerOf(request), idOf(request), request.body)
  })
  app.delete(ONE, { ...REMOVE, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    readFields(request.body ?? {}, {})
    await control.remove(callerOf(request), idOf(request))
    return reply.code(204).send()
  })
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id.toLowerCase()
}
