/**
 * /v1/runs: ask for a run, look at one, list them, watch one; revoke, retry, reschedule, delete one.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isUuid } from '../../check.ts'
import type { RunControl } from '../../control/runs.ts'
import { EnqueueError, RequestError, ResultError, type Fault } from '../../errors.ts'
import { isFinished } from '../../results/run.ts'
import { endpoint } from '../endpoint.ts'
import { newsOf } from '../feed.ts'
import { callerOf, proofOf } from '../guard.ts'
import { RUN, RUN_PAGE } from '../documents/run.ts'
import {
  readReschedule,
  readRetry,
  readRevoke,
  RETRY_BODY,
  REVOKE_BODY,
  TIME_BODY,
} from '../operation-body.ts'
import { refuseQuery, writeIdCursor } from '../query.ts'
import { NOTHING_BODY, readNothing } from '../schedule-body.ts'
import { addIdempotencyKey, readRunBody, RUN_BODY } from '../run-body.ts'
import { readRunQuery, RUN_PARAMETERS } from '../run-query.ts'
import type { Streams } from '../streams.ts'
import { PREFER, readWait, type Waits } from '../wait.ts'
import { mayDo } from '../../auth/scopes.ts'

const READ = { auth: 'scope', scope: 'runs:read' } as const
const WRITE = { auth: 'scope', scope: 'runs:write' } as const

const ONE = '/v1/runs/:id'
/** A colon at the end of the address; the pattern keeps an id from swallowing it. */
const verb = (name: string): string => `/v1/runs/:id(^[^:/]+)::${name}`

const tag = 'runs'
const one = { description: 'The run', schema: RUN }

const ENQUEUE = endpoint(WRITE, {
  id: 'enqueueRun',
  tag,
  summary: 'Enqueues a run',
  description: 'When no answer arrives, send it again with the same id or key: it is stored once.',
  headers: {
    'Idempotency-Key': { type: 'string', description: 'Stands for the field `idempotency_key`' },
    Prefer: PREFER,
  },
  body: {
    schema: RUN_BODY,
    example: { task: 'demo.add', input: { x: 1, y: 2 }, queue: 'high', delay: '10 minutes' },
  },
  answers: {
    202: {
      description: 'The run was made, or has not finished yet',
      schema: RUN,
      headers: ['Location', 'Preference-Applied'],
    },
    200: {
      description:
        'A run with this id, or one that holds the key, stood already; or it has been waited for and has finished',
      schema: RUN,
      headers: ['Location', 'Preference-Applied'],
    },
  },
  problems: [
    'RB_OPTION_INVALID',
    'RB_TASK_UNKNOWN',
    'RB_QUEUE_UNKNOWN',
    'RB_RUN_DUPLICATE',
    'RB_IDEMPOTENCY_REUSED',
  ],
})
const LIST = endpoint(READ, {
  id: 'listRuns',
  tag,
  summary: 'Runs, newest first',
  query: RUN_PARAMETERS,
  answers: {
    200: {
      description: 'A page of runs; it may be empty and have a next',
      schema: RUN_PAGE,
      headers: ['Link'],
    },
  },
})
const GET = endpoint(READ, {
  id: 'getRun',
  tag,
  summary: 'One run',
  answers: { 200: one },
  problems: ['RB_RUN_NOT_FOUND'],
})
const WATCH = endpoint(READ, {
  id: 'watchRun',
  tag,
  summary: 'One run, and each change of it, as server-sent events',
  description:
    'Each event is named `run`, its data is the whole run and its id another for each change. The stream ends after a finished state.',
  headers: { 'Last-Event-ID': { type: 'string', description: 'Of the event that was seen last' } },
  answers: {
    200: { description: 'A stream of runs', schema: { type: 'string' }, type: 'text/event-stream' },
    204: { description: 'The finished state was seen: there is nothing to come' },
  },
  problems: ['RB_RUN_NOT_FOUND', 'RB_STREAMS_FULL'],
})
const REVOKE = endpoint(WRITE, {
  id: 'revokeRun',
  tag,
  summary: 'Stops it',
  body: {
    schema: REVOKE_BODY,
    isOptional: true,
    example: { terminate: true, reason: 'nobody wants it any more' },
  },
  answers: { 200: { description: 'The run after', schema: RUN } },
  problems: ['RB_RUN_NOT_FOUND', 'RB_OPTION_INVALID'],
})
const RETRY = endpoint(WRITE, {
  id: 'retryRun',
  tag,
  summary: 'Repeats a finished one, or releases one that waits',
  body: { schema: RETRY_BODY, isOptional: true, example: { input: { x: 3, y: 4 } } },
  answers: {
    202: { description: 'A new run', schema: RUN, headers: ['Location'] },
    200: { description: 'The same run, which may run now', schema: RUN },
  },
  problems: [
    'RB_RUN_NOT_FOUND',
    'RB_RUN_STATE',
    'RB_RUN_DUPLICATE',
    'RB_OPTION_INVALID',
    'RB_TASK_UNKNOWN',
    'RB_QUEUE_UNKNOWN',
  ],
})
const RESCHEDULE = endpoint(WRITE, {
  id: 'rescheduleRun',
  tag,
  summary: 'Moves it to another time',
  body: { schema: TIME_BODY, example: { delay: '10 minutes' } },
  answers: { 200: one },
  problems: ['RB_RUN_NOT_FOUND', 'RB_RUN_STATE', 'RB_OPTION_INVALID'],
})
const REMOVE = endpoint(WRITE, {
  id: 'deleteRun',
  tag,
  summary: 'Deletes a finished one, with its result, attempts and logs',
  body: { schema: NOTHING_BODY, isOptional: true },
  answers: { 204: { description: 'It is gone' } },
  problems: ['RB_RUN_NOT_FOUND', 'RB_RUN_LIVE', 'RB_SCHEDULE_INVALID'],
})

/** An input may have 1 MiB; its options and the spaces of a pretty printer get a little more. */
export const BODY_BYTES_MAX = 1_048_576 + 131_072

export function runRoutes(app: FastifyInstance, control: RunControl, streams: Streams, waits: Waits): void {
  app.post('/v1/runs', { ...ENQUEUE, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
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
    const caller = callerOf(request)
    const { run, created } = await control.enqueue(caller, asked)
    reply.header('location', `${app.prefix}/v1/runs/${run.id}`)
    const seconds = isFinished(run.state) || !mayDo(caller, 'runs:read') ? 0 : readWait(request)
    if (seconds > 0 && waits.open(request, reply, run, seconds)) return reply
    return reply.code(created ? 202 : 200).send(run)
  })

  app.get('/v1/runs', LIST, async (request) => {
    const { items, before } = await control.list(callerOf(request), readRunQuery(request.query))
    const next = before === null ? null : writeIdCursor(before)
    return { items, next }
  })

  app.get(ONE, GET, async (request) => {
    refuseQuery(request.query)
    return await control.read(callerOf(request), idOf(request))
  })

  app.get(`${ONE}/events`, { ...WATCH, exposeHeadRoute: false }, async (request, reply) => {
    refuseQuery(request.query)
    const run = await control.read(callerOf(request), idOf(request))
    // EventSource comes back after each end; told 204, it stays away.
    const seen = request.headers['last-event-id']
    if (isFinished(run.state) && seen === newsOf(run).version) return reply.code(204).send()
    streams.open(reply, run, proofOf(request), typeof seen === 'string' ? seen : undefined)
    return reply
  })
  verbRoutes(app, control)
}

function verbRoutes(app: FastifyInstance, control: RunControl): void {
  app.post(verb('revoke'), REVOKE, async (request) => {
    refuseQuery(request.query)
    const options = readRevoke(request.body)
    return await control.revoke(callerOf(request), idOf(request), options)
  })

  app.post(verb('retry'), { ...RETRY, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    const options = readRetry(request.body)
    const { run, created } = await control.retry(callerOf(request), idOf(request), options)
    if (created) reply.code(202).header('location', `${app.prefix}/v1/runs/${run.id}`)
    return reply.send(run)
  })

  app.post(verb('reschedule'), RESCHEDULE, async (request) => {
    refuseQuery(request.query)
    const time = readReschedule(request.body)
    return await control.reschedule(callerOf(request), idOf(request), time)
  })

  app.delete(ONE, REMOVE, async (request, reply) => {
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
