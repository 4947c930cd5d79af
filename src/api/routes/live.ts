/**
 * /v1/live: the whole as it happens, for pages that somebody looks at. All who watch are told the same, from one reading.
 */
import type { FastifyInstance } from 'fastify'
import { requireScope } from '../../auth/scopes.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf, proofOf } from '../guard.ts'
import { LIVE_SCOPES, type Live } from '../live.ts'
import { refuseQuery } from '../query.ts'

const WATCH = endpoint(
  { auth: 'scope', scope: 'runs:read' },
  {
    id: 'watchLive',
    tag: 'stats',
    summary: 'The figures each second and the runs that change, as server-sent events',
    description: `Each event is named \`figures\`, once a second, or \`runs\`, whose data are \`items\`, short forms of runs that changed, and \`more\`:
others did too. Needs the rights to read queues, workers and schedules too.`,
    answers: {
      200: { description: 'A stream without an end', schema: { type: 'string' }, type: 'text/event-stream' },
    },
    problems: ['RB_STREAMS_FULL'],
  },
)

export function liveRoutes(app: FastifyInstance, live: Live): void {
  app.get('/v1/live', { ...WATCH, exposeHeadRoute: false }, async (request, reply) => {
    refuseQuery(request.query)
    for (const scope of LIVE_SCOPES) requireScope(callerOf(request), scope)
    live.open(reply, proofOf(request))
    return reply
  })
}
