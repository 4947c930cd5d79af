/**
 * /v1/workers, /v1/inspect, /v1/control: who works, at what, and telling them what to do. What is told is a row, so an
 * answer that does not come in time changes nothing about it.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { QUESTIONS, SETTINGS, type CommandControl } from '../../control/commands.ts'
import { ASPECTS, inspect } from '../../control/inspect.ts'
import type { WorkerControl } from '../../control/workers.ts'
import { ControlError, type Fault } from '../../errors.ts'
import { TEXT } from '../documents/document.ts'
import { COMMAND, INSPECTION, WORKER, WORKER_PAGE } from '../documents/worker.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { refuseQuery } from '../query.ts'
import {
  CONTROL_PARAMETERS,
  INSPECT_PARAMETERS,
  readControlQuery,
  readInspectQuery,
  TIMEOUT_MAX_MS,
} from '../worker-query.ts'

const READ = { auth: 'scope', scope: 'workers:read' } as const
const WRITE = { auth: 'scope', scope: 'workers:write' } as const
/** Those that wait for answers may wait so long, and the database takes some time beside. */
const ASKING = { handlerTimeout: TIMEOUT_MAX_MS + 5000 }

const LIST = endpoint(READ, {
  id: 'listWorkers',
  tag: 'workers',
  summary: 'Workers that live',
  answers: { 200: { description: 'All of them, by name', schema: WORKER_PAGE } },
})
const GET = endpoint(READ, {
  id: 'getWorker',
  tag: 'workers',
  summary: 'One worker',
  answers: { 200: { description: 'The worker; of several of this name the latest', schema: WORKER } },
  problems: ['RB_WORKER_NOT_FOUND'],
})
const LOOK = endpoint(READ, {
  id: 'inspectWorkers',
  tag: 'workers',
  summary: 'What workers are at',
  path: { what: { type: 'string', enum: ASPECTS } },
  query: INSPECT_PARAMETERS,
  answers: { 200: { description: 'An entry for each worker', schema: INSPECTION } },
  problems: ['RB_CONTROL_INVALID', 'RB_WORKER_NOT_FOUND'],
})
const TELL = endpoint(WRITE, {
  id: 'controlWorkers',
  tag: 'workers',
  summary: 'Tells workers what to do',
  description: 'The body has the arguments of the command, and `workers`: names, or null for all.',
  path: { command: { type: 'string', enum: [...new Set([...SETTINGS, ...QUESTIONS])].toSorted() } },
  query: CONTROL_PARAMETERS,
  body: {
    schema: {
      type: 'object',
      properties: { workers: { type: ['array', 'null'], items: TEXT } },
      additionalProperties: true,
    },
    isOptional: true,
    example: { workers: null },
  },
  answers: { 200: { description: 'The command, and what was answered in time', schema: COMMAND } },
  problems: ['RB_CONTROL_INVALID', 'RB_WORKER_NOT_FOUND'],
})

export function workerRoutes(app: FastifyInstance, workers: WorkerControl, commands: CommandControl): void {
  app.get('/v1/workers', LIST, async (request) => {
    refuseQuery(request.query)
    return { items: await workers.list(callerOf(request)), next: null }
  })
  app.get('/v1/workers/:name', GET, async (request) => {
    refuseQuery(request.query)
    return await workers.read(callerOf(request), (request.params as { name: string }).name)
  })
  app.get('/v1/inspect/:what', { ...LOOK, ...ASKING }, async (request) => {
    const { timeoutMs, names } = readInspectQuery(request.query)
    const { what } = request.params as { what: string }
    const asked = { what: what.replaceAll('-', '_'), workers: names ?? null, timeoutMs }
    return { items: await inspect(commands, callerOf(request), asked) }
  })
  app.post('/v1/control/:command', { ...TELL, ...ASKING }, async (request) => {
    const { timeoutMs } = readControlQuery(request.query)
    const { command } = request.params as { command: string }
    const { workers, args } = readBody(request)
    return await commands
      .control(callerOf(request), { command: command.replaceAll('-', '_'), args, workers, timeoutMs })
      .catch(asBody)
  })
}

/** The arguments of the command, and beside them `workers`: names, or null for all. */
function readBody({ body }: FastifyRequest): { args: Record<string, unknown>; workers: string[] | null } {
  if (body === undefined || body === null) return { args: {}, workers: null }
  if (typeof body !== 'object' || Array.isArray(body))
    throw refuse({ pointer: '', detail: 'must be an object' })
  const { workers = null, ...args } = body as Record<string, unknown>
  const isList = Array.isArray(workers) && workers.every((name) => typeof name === 'string')
  if (workers === null || isList) return { args, workers: workers as string[] | null }
  throw refuse({ pointer: '/workers', detail: 'must be null, which is all, or a list of names' })
}

function refuse(fault: Fault): ControlError {
  return new ControlError('RB_CONTROL_INVALID', `${fault.pointer || 'The body'} ${fault.detail}.`, [fault])
}

/** The arguments are the body here: `/args/queue` is at `/queue`. */
function asBody(error: unknown): never {
  if (!(error instanceof ControlError) || error.faults.length === 0) throw error
  const faults = error.faults.map(({ pointer, detail }) => {
    const unknown = pointer === '/args' ? /^"([^"]+)" is not/.exec(detail)?.[1] : undefined
    return { pointer: unknown ? `/${unknown}` : pointer.replace(/^\/args/, ''), detail }
  })
  throw new ControlError(error.code, `${faults[0]!.pointer || 'The body'} ${faults[0]!.detail}.`, faults, {
    cause: error,
  })
}
