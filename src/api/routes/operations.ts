/**
 * /v1/operations: one verb for all runs that match a filter, worked off by workers.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isUuid } from '../../check.ts'
import type { OperationControl } from '../../control/operations.ts'
import { OperationError, RequestError } from '../../errors.ts'
import { OPERATION, OPERATION_PAGE } from '../documents/run.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import {
  OPERATION_BODY,
  OPERATION_PARAMETERS,
  readOperationBody,
  readOperationQuery,
} from '../operation-body.ts'
import { refuseQuery, writeIdCursor } from '../query.ts'
import { NOTHING_BODY, readNothing } from '../schedule-body.ts'
import { BODY_BYTES_MAX } from './runs.ts'

const READ = { auth: 'scope', scope: 'runs:read' } as const
const WRITE = { auth: 'scope', scope: 'runs:write' } as const

const ONE = '/v1/operations/:id'
const STOP = '/v1/operations/:id(^[^:/]+)::stop'

const BEGIN = endpoint(WRITE, {
  id: 'beginOperation',
  tag: 'operations',
  summary: 'Begins one verb for all runs that match a filter',
  body: {
    schema: OPERATION_BODY,
    example: { kind: 'retry', filter: { task: 'demo.add', state: 'FAILURE' }, throttle: 100 },
  },
  answers: { 202: { description: 'It has begun; workers do it', schema: OPERATION, headers: ['Location'] } },
  problems: ['RB_OPERATION_INVALID', 'RB_INPUT_INVALID', 'RB_TASK_UNKNOWN'],
})
const LIST = endpoint(READ, {
  id: 'listOperations',
  tag: 'operations',
  summary: 'Operations, latest first',
  query: OPERATION_PARAMETERS,
  answers: { 200: { description: 'A page of operations', schema: OPERATION_PAGE } },
})
const GET = endpoint(READ, {
  id: 'getOperation',
  tag: 'operations',
  summary: 'How far one is',
  answers: { 200: { description: 'The operation', schema: OPERATION } },
  problems: ['RB_OPERATION_NOT_FOUND'],
})
const END = endpoint(WRITE, {
  id: 'stopOperation',
  tag: 'operations',
  summary: 'Stops one after the step it is at',
  body: { schema: NOTHING_BODY, isOptional: true },
  answers: {
    200: { description: 'The operation; of one that has ended nothing changes', schema: OPERATION },
  },
  problems: ['RB_OPERATION_NOT_FOUND', 'RB_SCHEDULE_INVALID'],
})

export function operationRoutes(app: FastifyInstance, control: OperationControl): void {
  app.post('/v1/operations', { ...BEGIN, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    if (request.body === undefined)
      throw new RequestError(
        'RB_BODY_INVALID',
        'The body is missing: send {"kind": "revoke", "filter": {"task": "<name>"}} as JSON.',
      )
    const begun = await control.start(callerOf(request), readOperationBody(request.body))
    return reply.code(202).header('location', `${app.prefix}/v1/operations/${begun.id}`).send(begun)
  })

  app.get('/v1/operations', LIST, async (request) => {
    const { items, before } = await control.list(callerOf(request), readOperationQuery(request.query))
    return { items, next: before === null ? null : writeIdCursor(before) }
  })

  app.get(ONE, GET, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), idOf(request))
  })

  app.post(STOP, END, async (request) => {
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
