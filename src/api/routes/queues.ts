/**
 * /v1/queues: where runs wait, what holds them up, and how many there are. Limits are edited live and last who wrote: there are
 * no versions here, because a limit stands for itself and nothing is lost that somebody would have to merge.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  LIMITS_BODY,
  MOVE_BODY,
  PURGE_BODY,
  QUEUE_PAUSE_BODY,
  readMove,
  readPurge,
  readQueueNothing,
  readQueuePause,
} from '../../control/queue-draft.ts'
import type { QueueControl } from '../../control/queues.ts'
import { RequestError } from '../../errors.ts'
import type { OperationDocument } from '../../queue/operation.ts'
import { QUEUE_NAME } from '../../tasks/options.ts'
import { OPERATION } from '../documents/run.ts'
import { QUEUE, QUEUE_PAGE } from '../documents/worker.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { refuseQuery } from '../query.ts'
import { NOTHING_BODY } from '../schedule-body.ts'
import { BODY_BYTES_MAX } from './runs.ts'

const READ = { auth: 'scope', scope: 'queues:read' } as const
const WRITE = { auth: 'scope', scope: 'queues:write' } as const
/** For what takes thousands of runs out of the queue in its own statement. */
const HOLDING = { handlerTimeout: 30_000, bodyLimit: BODY_BYTES_MAX }

const ONE = '/v1/queues/:name'
const verb = (name: string): string => `/v1/queues/:name(^[^:/]+)::${name}`

const path = { name: { type: 'string', pattern: QUEUE_NAME.source } }
const nothing = { schema: NOTHING_BODY, isOptional: true }
const limits = { schema: { title: 'QueueLimits', ...LIMITS_BODY }, example: { concurrency: 5, rate: '10/s' } }
const one = { description: 'The queue', schema: QUEUE }
const begins = {
  202: { description: 'The operation that does it', schema: OPERATION, headers: ['Location'] as const },
}
const tag = 'queues'

const LIST = endpoint(READ, {
  id: 'listQueues',
  tag,
  summary: 'Queues and what waits on them',
  answers: { 200: { description: 'All queues, by name', schema: QUEUE_PAGE } },
})
const GET = endpoint(READ, {
  id: 'getQueue',
  tag,
  summary: 'One queue',
  path,
  answers: { 200: one },
  problems: ['RB_QUEUE_NOT_FOUND'],
})
const PUT = endpoint(WRITE, {
  id: 'defineQueue',
  tag,
  summary: 'Makes it, or sets all its limits anew',
  path,
  body: limits,
  answers: { 200: one, 201: { ...one, description: 'The queue is new', headers: ['Location'] } },
  problems: ['RB_QUEUE_INVALID'],
})
const PATCH = endpoint(WRITE, {
  id: 'editQueue',
  tag,
  summary: 'Changes some of its limits; null takes one away',
  path,
  body: limits,
  answers: { 200: one },
  problems: ['RB_QUEUE_NOT_FOUND', 'RB_QUEUE_INVALID'],
})
const REMOVE = endpoint(WRITE, {
  id: 'deleteQueue',
  tag,
  summary: 'Forgets one that nothing is on and no worker serves',
  path,
  body: nothing,
  answers: { 204: { description: 'It is forgotten' } },
  problems: ['RB_QUEUE_NOT_FOUND', 'RB_QUEUE_INVALID', 'RB_QUEUE_IN_USE'],
})
const PAUSE = endpoint(WRITE, {
  id: 'pauseQueue',
  tag,
  summary: 'Starts nothing more of it',
  path,
  body: {
    schema: QUEUE_PAUSE_BODY,
    isOptional: true,
    example: { reason: 'the provider is down', for: '2 hours' },
  },
  answers: { 200: one },
  problems: ['RB_QUEUE_NOT_FOUND', 'RB_QUEUE_INVALID'],
})
const RESUME = endpoint(WRITE, {
  id: 'resumeQueue',
  tag,
  summary: 'Ends a pause or a drain',
  path,
  body: nothing,
  answers: { 200: one },
  problems: ['RB_QUEUE_NOT_FOUND', 'RB_QUEUE_INVALID'],
})
const DRAIN = endpoint(WRITE, {
  id: 'drainQueue',
  tag,
  summary: 'Works off what waits',
  path,
  body: nothing,
  answers: { 200: one },
  problems: ['RB_QUEUE_NOT_FOUND', 'RB_QUEUE_INVALID', 'RB_QUEUE_PAUSED'],
})
const PURGE = endpoint(WRITE, {
  id: 'purgeQueue',
  tag,
  summary: 'Revokes what waits',
  path,
  body: { schema: PURGE_BODY, isOptional: true, example: { reason: 'sent twice' } },
  answers: begins,
  problems: ['RB_QUEUE_NOT_FOUND', 'RB_QUEUE_INVALID'],
})
const MOVE = endpoint(WRITE, {
  id: 'moveQueue',
  tag,
  summary: 'Moves what waits to another queue',
  path,
  body: { schema: MOVE_BODY, example: { to: 'low', throttle: 500 } },
  answers: begins,
  problems: ['RB_QUEUE_NOT_FOUND', 'RB_QUEUE_INVALID'],
})

export function queueRoutes(app: FastifyInstance, control: QueueControl): void {
  const begun = (reply: FastifyReply, operation: OperationDocument): FastifyReply =>
    reply.code(202).header('location', `${app.prefix}/v1/operations/${operation.id}`).send(operation)

  app.get('/v1/queues', LIST, async (request) => {
    refuseQuery(request.query)
    return { items: await control.list(callerOf(request)), next: null }
  })
  app.get(ONE, GET, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), nameOf(request))
  })
  app.put(ONE, { ...PUT, ...HOLDING }, async (request, reply) => {
    refuseQuery(request.query)
    const name = nameOf(request)
    const { queue, isNew } = await control.define(callerOf(request), name, bodyOf(request))
    if (isNew) reply.code(201).header('location', `${app.prefix}/v1/queues/${name}`)
    return queue
  })
  app.patch(ONE, { ...PATCH, ...HOLDING }, async (request) => {
    refuseQuery(request.query)
    return await control.edit(callerOf(request), nameOf(request), bodyOf(request))
  })
  app.delete(ONE, REMOVE, async (request, reply) => {
    refuseQuery(request.query)
    readQueueNothing(request.body)
    await control.remove(callerOf(request), nameOf(request))
    return reply.code(204).send()
  })
  app.post(verb('pause'), { ...PAUSE, ...HOLDING }, async (request) => {
    refuseQuery(request.query)
    return await control.pause(callerOf(request), nameOf(request), readQueuePause(request.body))
  })
  app.post(verb('resume'), RESUME, async (request) => {
    refuseQuery(request.query)
    readQueueNothing(request.body)
    return await control.resume(callerOf(request), nameOf(request))
  })
  app.post(verb('drain'), DRAIN, async (request) => {
    refuseQuery(request.query)
    readQueueNothing(request.body)
    return await control.drain(callerOf(request), nameOf(request))
  })
  app.post(verb('purge'), PURGE, async (request, reply) => {
    refuseQuery(request.query)
    return begun(reply, await control.purge(callerOf(request), nameOf(request), readPurge(request.body)))
  })
  app.post(verb('move'), MOVE, async (request, reply) => {
    refuseQuery(request.query)
    const name = nameOf(request)
    return begun(reply, await control.move(callerOf(request), name, readMove(request.body, name)))
  })
}

function nameOf(request: FastifyRequest): string {
  return (request.params as { name: string }).name
}

function bodyOf(request: FastifyRequest): unknown {
  if ((request.body ?? null) !== null) return request.body
  throw new RequestError(
    'RB_BODY_INVALID',
    'The body is missing: send the limits as JSON, as in {"concurrency": 5}.',
  )
}
