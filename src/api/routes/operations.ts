/**
 * /v1/operations: one verb for all runs that match a filter, worked off by workers.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isUuid } from '../../check.ts'
import type { OperationControl } from '../../control/operations.ts'
import { OperationError, RequestError } from '../../errors.ts'
import { callerOf } from '../guard.ts'
import { readOperationBody, readOperationQuery } from '../operation-body.ts'
import { refuseQuery, writeIdCursor } from '../query.ts'
import { readNothing } from '../schedule-body.ts'
import { BODY_BYTES_MAX } from './runs.ts'

const READ = { config: { rowbeat: { auth: 'scope', scope: 'runs:read' } } } as const
const WRITE = {
  config: { rowbeat: { auth: 'scope', scope: 'runs:write' } },
  bodyLimit: BODY_BYTES_MAX,
} as const

const ONE = '/v1/operations/:id'
const STOP = '/v1/operations/:id(^[^:/]+)::stop'

/** The methods each address takes. */
export const OPERATION_METHODS: Readonly<Record<string, readonly string[]>> = {
  '/v1/operations': ['GET', 'HEAD', 'POST'],
  [ONE]: ['GET', 'HEAD'],
  [STOP]: ['POST'],
}

export function operationRoutes(app: FastifyInstance, control: OperationControl): void {
  app.post('/v1/operations', WRITE, async (request, reply) => {
    refuseQuery(request.query)
    if (request.body === undefined)
      throw new RequestError(
        'RB_BODY_INVALID',
        'The body is missing: send {"kind": "revoke", "filter": {"task": "<name>"}} as JSON.',
      )
    const begun = await control.start(callerOf(request), readOperationBody(request.body))
    return reply.code(202).header('location', `${app.prefix}/v1/operations/${begun.id}`).send(begun)
  })

  app.get('/v1/operations', READ, async (request) => {
    const { items, before } = await control.list(callerOf(request), readOperationQuery(request.query))
    return { items, next: before === null ? null : writeIdCursor(before) }
  })

  app.get(ONE, READ, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), idOf(request))
  })

  app.post(STOP, WRITE, async (request) => {
    refuseQuery(request.query)
    readNothing(request.body)
    return await control.stop(callerOf(request), idOf(request))
  })
}

/** An id that is no UUID is the id of no operation. */
function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string }
  if (isUuid(id)) return id.toLowerCase()
  throw new OperationError('RB_OPERATION_NOT_FOUND', 'No operation has this id, which is no UUID.')
}
