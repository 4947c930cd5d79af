/**
 * /v1/tasks: what can be asked for, who does it, and how it does.
 */
import type { FastifyInstance } from 'fastify'
import { PERIOD_MAX, PERIOD_MIN } from '../../control/stats.ts'
import type { TaskControl } from '../../control/task-reading.ts'
import { parseDuration } from '../../duration.ts'
import { TASK_PAGE, TASK_WITH_STATS } from '../documents/figures.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { parameter, readQuery, refuseQuery, type Parameters, type ReadParameter } from '../query.ts'

const READ = { auth: 'scope', scope: 'tasks:read' } as const
const tag = 'tasks'

/** How far back figures go. */
export function readPeriodUpTo(days: number): ReadParameter<{ period: number }> {
  const words = `a duration from 1m to ${days}d`
  return parameter(
    {
      type: 'string',
      default: '1h',
      description: `${words.replace('a', 'A')}, such as 15m, 24h`,
      example: '24h',
    },
    (text, query) => {
      const seconds = (parseDuration(text) ?? 0) / 1000
      query.period = Math.round(seconds)
      return seconds >= PERIOD_MIN && seconds <= days * 86_400 ? null : `must be ${words}`
    },
  )
}
export const readPeriod = readPeriodUpTo(PERIOD_MAX / 86_400)
export const PERIOD = 3600

const PARAMETERS: Parameters<{ period: number }> = { period: readPeriod }

const LIST = endpoint(READ, {
  id: 'listTasks',
  tag,
  summary: 'Tasks that some process ever registered, by name',
  answers: { 200: { description: 'All of them: next is always null', schema: TASK_PAGE } },
})
const GET = endpoint(READ, {
  id: 'getTask',
  tag,
  summary: 'One task, and how its runs did',
  path: { name: { type: 'string' } },
  query: PARAMETERS,
  answers: { 200: { description: 'The task', schema: TASK_WITH_STATS } },
  problems: ['RB_TASK_NOT_FOUND'],
})

export function taskRoutes(app: FastifyInstance, control: TaskControl): void {
  app.get('/v1/tasks', LIST, async (request) => {
    refuseQuery(request.query)
    return { items: await control.list(callerOf(request)), next: null }
  })

  app.get('/v1/tasks/:name', GET, async (request) => {
    const { period } = readQuery(PARAMETERS, request.query, { period: PERIOD })
    const { name } = request.params as { name: string }
    return await control.read(callerOf(request), name, period)
  })
}
