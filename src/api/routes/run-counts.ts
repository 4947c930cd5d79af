/**
 * GET /v1/runs:count and GET /v1/failures: runs as numbers. How many there are in each state, and what the failed ones have in
 * common.
 */
import type { FastifyInstance } from 'fastify'
import type { FailureControl, FailureQuery } from '../../control/failures.ts'
import type { RunCountControl } from '../../control/run-counts.ts'
import { FAILURES, RUN_COUNTS } from '../documents/run-counts.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { LIMIT, parameter, readLimit, readQuery, readTask, type Parameters } from '../query.ts'
import { createDraft, finishDraft, RUN_FILTERS } from '../run-query.ts'
import { readPeriod } from './tasks.ts'

const READ = { auth: 'scope', scope: 'runs:read' } as const
const DAY = 86_400

const FAILURE_PARAMETERS: Parameters<FailureQuery> = {
  period: parameter({ ...readPeriod.schema, default: '24h' }, readPeriod),
  task: readTask,
  limit: readLimit,
}

const COUNT = endpoint(READ, {
  id: 'countRuns',
  tag: 'runs',
  summary: 'How many runs there are in each state',
  description:
    'The filters are those of the list. A look goes through a bounded number of rows: `capped` says that there may be more.',
  query: RUN_FILTERS,
  answers: { 200: { description: 'A number for each state, a moment old at most', schema: RUN_COUNTS } },
})
const GROUPS = endpoint(READ, {
  id: 'listFailures',
  tag: 'runs',
  summary: 'What failed in a period, in groups that have task, error and place in common',
  description:
    'Groups are added up about every ten seconds; `at` says up to when. `q` of a group is the search that finds its runs.',
  query: FAILURE_PARAMETERS,
  answers: { 200: { description: 'The largest groups first: next is always null', schema: FAILURES } },
})

export function runCountRoutes(
  app: FastifyInstance,
  counts: RunCountControl,
  failures: FailureControl,
): void {
  app.get('/v1/runs::count', COUNT, async (request) => {
    const { limit: _, ...filter } = finishDraft(readQuery(RUN_FILTERS, request.query, createDraft()))
    return await counts.count(callerOf(request), filter)
  })

  app.get('/v1/failures', GROUPS, async (request) => {
    const asked = readQuery(FAILURE_PARAMETERS, request.query, { period: DAY, limit: LIMIT })
    return await failures.list(callerOf(request), asked)
  })
}
