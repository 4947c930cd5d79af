/**
 * /v1/workers, /v1/inspect, /v1/control: who works, at what, and telling them what to do. What is told is a row, so an
 * answer that does not come in time changes nothing about it.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CommandControl } from '../../control/commands.ts'
import { inspect } from '../../control/inspect.ts'
import type { WorkerControl } from '../../control/workers.ts'
import { ControlError, type Fault } from '../../errors.ts'
import { callerOf } from '../guard.ts'
import { refuseQuery } from '../query.ts'
import { readControlQuery, readInspectQuery, TIMEOUT_MAX_MS } from '../worker-query.ts'

const READ = { rowbeat: { auth: 'scope', scope: 'workers:read' } } as const
const WRITE = { rowbeat: { auth: 'scope', scope: 'workers:write' } } as const
/** Those that wait for answers may wait so long, and the database takes some time beside. */
const ASKING = { handlerTimeout: TIMEOUT_MAX_MS + 5000 }

export const WORKER_METHODS: Readonly<Record<string, readonly string[]>> = {
  '/v1/workers': ['GET', 'HEAD'],
  '/v1/workers/:name': ['GET', 'HEAD'],
  '/v1/inspect/:what': ['GET', 'HEAD'],
  '/v1/control/:command': ['POST'],
}

export function workerRoutes(app: FastifyInstance, workers: WorkerControl, commands: CommandControl): void {
  app.get('/v1/workers', { config: READ }, async (request) => {
    refuseQuery(request.query)
    return { items: await workers.list(callerOf(request)), next: null }
  })
  app.get('/v1/workers/:name', { config: READ }, async (request) => {
    refuseQuery(request.query)
    return await workers.read(callerOf(request), (request.params as { name: string }).name)
  })
  app.get('/v1/inspect/:what', { config: READ, ...ASKING }, async (request) => {
    const { timeoutMs, names } = readInspectQuery(request.query)
    const { what } = request.params as { what: string }
    const asked = { what: what.replaceAll('-', '_'), workers: names ?? null, timeoutMs }
    return { items: await inspect(commands, callerOf(request), asked) }
  })
  app.post('/v1/control/:command', { config: WRITE, ...ASKING }, async (request) => {
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
