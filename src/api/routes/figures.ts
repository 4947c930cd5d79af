/**
 * /v1/stats and /v1/problems: what a page of an operator shows, and asks for every few seconds.
 */
import type { FastifyInstance } from 'fastify'
import type { ProblemControl } from '../../control/problems.ts'
import { LONG_PERIOD_MAX, STATS_KEYS, type StatsControl, type StatsQuery } from '../../control/stats.ts'
import { STATS, TROUBLE_PAGE } from '../documents/figures.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { readQuery, readWord, refuseQuery, type Parameters } from '../query.ts'
import { PERIOD, readPeriodUpTo } from './tasks.ts'

/** The first look at a period of minutes counts all of it, and the first look of all what finished before there were rollups. */
const FIRST_LOOK_MS = 60_000

const PARAMETERS: Parameters<StatsQuery> = {
  period: readPeriodUpTo(LONG_PERIOD_MAX / 86_400),
  by: readWord('by', ...STATS_KEYS) as Parameters<StatsQuery>['by'],
}

const STATISTICS = endpoint(
  { auth: 'scope', scope: 'runs:read' },
  {
    id: 'getStats',
    tag: 'stats',
    summary: 'What waits and runs now, and what finished in a period',
    description: 'Without the right to read queues, `now` and `queues` are empty.',
    query: PARAMETERS,
    answers: { 200: { description: 'Figures, a moment old at most', schema: STATS } },
  },
)
const TROUBLES = endpoint(
  { auth: 'scope', scope: 'runs:read' },
  {
    id: 'listProblems',
    tag: 'stats',
    summary: 'What an operator should look at now, errors first',
    description: 'Needs the rights to read queues, workers and schedules too.',
    answers: { 200: { description: 'All of them: next is always null', schema: TROUBLE_PAGE } },
  },
)

export function figureRoutes(app: FastifyInstance, stats: StatsControl, problems: ProblemControl): void {
  app.get('/v1/stats', { ...STATISTICS, handlerTimeout: FIRST_LOOK_MS }, async (request) => {
    const query = readQuery<StatsQuery>(PARAMETERS, request.query, { period: PERIOD, by: 'queue' })
    return await stats.read(callerOf(request), query)
  })

  app.get('/v1/problems', TROUBLES, async (request) => {
    refuseQuery(request.query)
    return { items: await problems.list(callerOf(request)), next: null }
  })
}
