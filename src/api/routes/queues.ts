/**
 * /v1/queues: where runs wait, what holds them up, and how many there are. Limits are edited live and last who wrote: there are
 * no versions here, because a limit stands for itself and nothing is lost that somebody would have to merge.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readMove, readPurge, readQueueNothing, readQueuePause } from '../../control/queue-draft.ts'
import type { QueueControl } from '../../control/queues.ts'
import { RequestError } from '../../errors.ts'
import type { OperationDocument } from '../../queue/operation.ts'
import { callerOf } from '../guard.ts'
import { refuseQuery } from '../query.ts'
import { BODY_BYTES_MAX } from './runs.ts'

const READING = { config: { rowbeat: { auth: 'scope', scope: 'queues:read' } } } as const
const WRITING = {
  config: { rowbeat: { auth: 'scope', scope: 'queues:write' } },
  bodyLimit: BODY_BYTES_MAX,
} as const
/** It takes thousands of runs out of the queue in its own statement. */
const HOLDING = { ...WRITING, handlerTimeout: 30_000 }

const ONE = '/v1/queues/:name'
const verb = (name: string): string => `/v1/queues/:name(^[^:/]+)::${name}`

/** The methods each address takes. */
export const QUEUE_METHODS: Readonly<Record<string, readonly string[]>> = {
  '/v1/queues': ['GET', 'HEAD'],
  [ONE]: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'],
  ...Object.fromEntries(['pause', 'resume', 'drain', 'purge', 'move'].map((name) => [verb(name), ['POST']])),
}

export function queueRoutes(app: FastifyInstance, control: QueueControl): void {
  const begun = (reply: FastifyReply, operation: OperationDocument): FastifyReply =>
    reply.code(202).header('location', `${app.prefix}/v1/operations/${operation.id}`).send(operation)

  app.get('/v1/queues', READING, async (request) => {
    refuseQuery(request.query)
    return { items: await control.list(callerOf(request)), next: null }
  })
  app.get(ONE, READING, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), nameOf(request))
  })
  app.put(ONE, HOLDING, async (request, reply) => {
    refuseQuery(request.query)
    const name = nameOf(request)
    const { queue, isNew } = await control.define(callerOf(request), name, bodyOf(request))
    if (isNew) reply.code(201).header('location', `${app.prefix}/v1/queues/${name}`)
    return queue
  })
  app.patch(ONE, HOLDING, async (request) => {
    refuseQuery(request.query)
    return await control.edit(callerOf(request), nameOf(request), bodyOf(request))
  })
  app.delete(ONE, WRITING, async (request, reply) => {
    refuseQuery(request.query)
    readQueueNothing(request.body)
    await control.remove(callerOf(request), nameOf(request))
    return reply.code(204).send()
  })
  app.post(verb('pause'), HOLDING, async (request) => {
    refuseQuery(request.query)
    return await control.pause(callerOf(request), nameOf(request), readQueuePause(request.body))
  })
  app.post(verb('resume'), WRITING, async (request) => {
    refuseQuery(request.query)
    readQueueNothing(request.body)
    return await control.resume(callerOf(request), nameOf(request))
  })
  app.post(verb('drain'), WRITING, async (request) => {
    refuseQuery(request.query)
    readQueueNothing(request.body)
    return await control.drain(callerOf(request), nameOf(request))
  })
  app.post(verb('purge'), WRITING, async (request, reply) => {
    refuseQuery(request.query)
    return begun(reply, await control.purge(callerOf(request), nameOf(request), readPurge(request.body)))
  })
  app.post(verb('move'), WRITING, async (request, reply) => {
    refuseQuery(request.query)
    const name = nameOf(request)
    return begun(reply, await control.move(callerOf(request), name, readMove(request.body, name)))
  })
}

function nameOf(request: FastifyRequest): string {
  return (request.params as { name: string }).name
}

function bodyOf(request: FastifyRequest): unknown {
  if (request.body !== undefined) return request.body
  throw new RequestError(
    'RB_BODY_INVALID',
    'The body is missing: send the limits as JSON, as in {"concurrency": 5}.',
  )
}
