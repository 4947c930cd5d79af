/**
 * What one asks of a run that is known: its result, with or without waiting for it; what its handler said; its tries.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isUuid } from '../../check.ts'
import { LOG_LEVELS, type LogQuery, type RunPartsControl } from '../../control/run-parts.ts'
import type { RunControl } from '../../control/runs.ts'
import { ResultError } from '../../errors.ts'
import { isFinished } from '../../results/run.ts'
import { RUN } from '../documents/run.ts'
import { ATTEMPTS, LOG_PAGE } from '../documents/run-parts.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import {
  LIMIT,
  parameter,
  readCursor,
  readLimit,
  readQuery,
  readTextCursor,
  readWords,
  refuseQuery,
  writeTextCursor,
  type Parameters,
} from '../query.ts'
import { parseInstant } from '../../instant.ts'
import { PREFER, readWait, type Waits } from '../wait.ts'

const READ = { auth: 'scope', scope: 'runs:read' } as const
const ONE = '/v1/runs/:id'
const tag = 'runs'

const LOG_PARAMETERS: Parameters<LogQuery> = {
  limit: readLimit,
  cursor: readCursor((cursor, query) => {
    const text = readTextCursor(cursor) ?? ''
    if (/^\d{1,15}$/.test(text)) query.after = Number(text)
    return query.after !== undefined
  }),
  level: readWords('levels', LOG_LEVELS),
  since: parameter(
    { type: 'string', format: 'date-time', description: 'Only what was said then or later' },
    (text, query) => {
      const ms = parseInstant(text)
      if (ms !== null) query.since = ms
      return ms === null ? 'must be an instant such as 2026-01-31T12:00:00Z' : null
    },
  ),
}

const RESULT = endpoint(READ, {
  id: 'getResult',
  tag,
  summary: 'One run, once it has finished',
  headers: { Prefer: PREFER },
  answers: {
    200: { description: 'The run, which has finished', schema: RUN, headers: ['Preference-Applied'] },
    202: {
      description: 'The run, which has not finished',
      schema: RUN,
      headers: ['Location', 'Preference-Applied'],
    },
  },
  problems: ['RB_RUN_NOT_FOUND'],
})
const LOGS = endpoint(READ, {
  id: 'listLogs',
  tag,
  summary: 'What its handler said, oldest first',
  query: LOG_PARAMETERS,
  answers: { 200: { description: 'A page of lines', schema: LOG_PAGE, headers: ['Link'] } },
  problems: ['RB_RUN_NOT_FOUND'],
})
const TRIES = endpoint(READ, {
  id: 'listAttempts',
  tag,
  summary: 'Its tries that did not end it in success, oldest first',
  answers: { 200: { description: 'All of them: next is always null', schema: ATTEMPTS } },
  problems: ['RB_RUN_NOT_FOUND'],
})

export function runPartsRoutes(
  app: FastifyInstance,
  control: RunControl,
  parts: RunPartsControl,
  waits: Waits,
): void {
  app.get(`${ONE}/result`, { ...RESULT, exposeHeadRoute: false }, async (request, reply) => {
    refuseQuery(request.query)
    const run = await control.read(callerOf(request), idOf(request))
    if (isFinished(run.state)) return reply.send(run)
    reply.header('location', `${app.prefix}/v1/runs/${run.id}`)
    const seconds = readWait(request)
    return seconds > 0 && waits.open(request, reply, run, seconds) ? reply : reply.code(202).send(run)
  })

  app.get(`${ONE}/logs`, LOGS, async (request) => {
    const query = readQuery<LogQuery>(LOG_PARAMETERS, request.query, { limit: LIMIT })
    const { items, after } = await parts.logs(callerOf(request), idOf(request), query)
    const next = after === null ? null : writeTextCursor(String(after))
    return { items, next }
  })

  app.get(`${ONE}/attempts`, TRIES, async (request) => {
    refuseQuery(request.query)
    return { items: await parts.attempts(callerOf(request), idOf(request)), next: null }
  })
}

/** An id that is no UUID is the id of no run. */
export function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string }
  if (isUuid(id)) return id.toLowerCase()
  throw new ResultError('RB_RUN_NOT_FOUND', 'No run has this id, which is no UUID.')
}
