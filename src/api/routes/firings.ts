/** /v1/firings: what became of the instants of all schedules. */
import type { FastifyInstance } from 'fastify'
import type { FiringControl } from '../../control/firings.ts'
import { FIRING_FEED_PAGE } from '../documents/schedule.ts'
import { endpoint } from '../endpoint.ts'
import { FIRING_FEED_PARAMETERS, readFiringFeedQuery, writeFiringCursor } from '../firing-query.ts'
import { callerOf } from '../guard.ts'

const LIST = endpoint(
  { auth: 'scope', scope: 'schedules:read' },
  {
    id: 'listAllFirings',
    tag: 'schedules',
    summary: 'What became of the instants of all schedules, latest first',
    query: FIRING_FEED_PARAMETERS,
    answers: { 200: { description: 'A page of them', schema: FIRING_FEED_PAGE } },
  },
)

export function firingRoutes(app: FastifyInstance, control: FiringControl): void {
  app.get('/v1/firings', LIST, async (request) => {
    const { items, before } = await control.list(callerOf(request), readFiringFeedQuery(request.query))
    return { items, next: before === null ? null : writeFiringCursor(before) }
  })
}
