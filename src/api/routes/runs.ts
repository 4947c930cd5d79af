/**
 * /v1/runs: ask for a run, look at one, list them, watch one; revoke, retry, reschedule, delete one.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isUuid } from '../../check.ts'
import type { RunControl } from '../../control/runs.ts'
import { EnqueueError, RequestError, ResultError, type Fault } from '../../errors.ts'
import { isFinished } from '../../results/run.ts'
import { bearerOf, callerOf } from '../guard.ts'
import { readReschedule, readRetry, readRevoke } from '../operation-body.ts'
import { refuseQuery, writeIdCursor } from '../query.ts'
import { readNothing } from '../schedule-body.ts'
import { addIdempotencyKey, readRunBody } from '../run-body.ts'
import { readRunQuery } from '../run-query.ts'
import type { Streams } from '../streams.ts'

const READ = { rowbeat: { auth: 'scope', scope: 'runs:read' } } as const
const WRITE = { rowbeat: { auth: 'scope', scope: 'runs:write' } } as const

const ONE = '/v1/runs/:id'
/** A colon at the end of the address; the pattern keeps an id from swallowing it. */
const verb = (name: string): string => `/v1/runs/:id(^[^:/]+)::${name}`

/** The methods each address takes. */
export const RUN_METHODS: Readonly<Record<string, readonly string[]>> = {
  '/v1/runs': ['GET', 'HEAD', 'POST'],
  [ONE]: ['GET', 'HEAD', 'DELETE'],
  [`${ONE}/events`]: ['GET'],
  ...Object.fromEntries(['revoke', 'retry', 'reschedule'].map((name) => [verb(name), ['POST']])),
}

/** An input may have 1 MiB; its options and the spaces of a pretty printer get a little more. */
export const BODY_BYTES_MAX = 1_048_576 + 131_072

export function runRoutes(app: FastifyInstance, control: RunControl, streams: Streams): void {
  app.post('/v1/runs', { config: WRITE, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    if (request.body === undefined)
      throw new RequestError(
        'RB_BODY_INVALID',
        'The body is missing: send {"task": "<name>", "input": {}} as JSON.',
      )
    const { request: asked, faults } = readRunBody(
      addIdempotencyKey(request.body, request.headers['idempotency-key']),
    )
    if (faults.length > 0) throw await gatherFaults(control, asked.task, asked.input, faults)
    const { run, created } = await control.enqueue(callerOf(request), asked)
    return reply
      .code(created ? 202 : 200)
      .header('location', `${app.prefix}/v1/runs/${run.id}`)
      .send(run)
  })

  app.get('/v1/runs', { config: READ }, async (request) => {
    const { items, before } = await control.list(callerOf(request), readRunQuery(request.query))
    return { items, next: before === null ? null : writeIdCursor(before) }
  })

  app.get(ONE, { config: READ }, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), idOf(request))
  })

  app.get(`${ONE}/events`, { config: READ, exposeHeadRoute: false }, async (request, reply) => {
    refuseQuery(request.query)
    const run = await control.read(callerOf(request), idOf(request))
    // EventSource comes back after each end; told 204, it stays away.
    if (isFinished(run.state) && request.headers['last-event-id'] === run.state) return reply.code(204).send()
    streams.open(reply, run, bearerOf(request))
    return reply
  })
  verbRoutes(app, control)
}

function verbRoutes(app: FastifyInstance, control: RunControl): void {
  app.post(verb('revoke'), { config: WRITE }, async (request) => {
    refuseQuery(request.query)
    const options = readRevoke(request.body)
    return await control.revoke(callerOf(request), idOf(request), options)
  })

  app.post(verb('retry'), { config: WRITE, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    const options = readRetry(request.body)
    const { run, created } = await control.retry(callerOf(request), idOf(request), options)
    if (created) reply.code(202).header('location', `${app.prefix}/v1/runs/${run.id}`)
    return reply.send(run)
  })

  app.post(verb('reschedule'), { config: WRITE }, async (request) => {
    refuseQuery(request.query)
    const time = readReschedule(request.body)
    return await control.reschedule(callerOf(request), idOf(request), time)
  })

  app.delete(ONE, { config: WRITE }, async (request, reply) => {
    refuseQuery(request.query)
    readNothing(request.body)
    await control.delete(callerOf(request), idOf(request))
    return reply.code(204).send()
  })
}

/** An id that is no UUID is the id of no run. */
function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string }
  if (isUuid(id)) return id.toLowerCase()
  throw new ResultError('RB_RUN_NOT_FOUND', 'No run has this id, which is no UUID.')
}

/** Faults of the options, and those of the input with them, so that all can be mended at once. */
async function gatherFaults(
  control: RunControl,
  task: string,
  input: unknown,
  faults: Fault[],
): Promise<Error> {
  const all = [...faults]
  if (task !== '') {
    await control.checkInput(task, input).catch((error: unknown) => {
      if (!(error instanceof EnqueueError)) throw error
      all.push(...error.faults)
    })
  }
  const [first] = all
  return new EnqueueError(
    'RB_OPTION_INVALID',
    `The run is refused: ${first!.pointer} ${first!.detail}.`.replace('  ', ' '),
    all,
  )
}
