/**
 * The REST API as a Fastify plugin: for our own server, or mounted in an app of yours,
 *
 *   app.register(api, { rowbeat, prefix: '/jobs' })
 *
 * It is an encapsulated scope: its guard, its body parser and its error handler serve its own routes and no
 * other. What is opened here (a LISTEN once somebody watches a run) is closed with the app; `rowbeat` stays
 * yours to close.
 */
import type { FastifyInstance, HTTPMethods } from 'fastify'
import { createKeyring } from '../auth/keyring.ts'
import { createOperationControl } from '../control/operations.ts'
import { createCommandControl } from '../control/commands.ts'
import { createQueueControl } from '../control/queues.ts'
import { createRunControl } from '../control/runs.ts'
import { createScheduleControl } from '../control/schedules.ts'
import { announceTasks } from '../control/tasks.ts'
import { createWorkerControl } from '../control/workers.ts'
import { toQueryable } from '../db/handle.ts'
import { ConfigError, RequestError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { createRunFeed } from './feed.ts'
import { guard } from './guard.ts'
import { acceptJson } from './json.ts'
import { createProblemHandler } from './problem.ts'
import { healthRoutes } from './routes/health.ts'
import { OPERATION_METHODS, operationRoutes } from './routes/operations.ts'
import { QUEUE_METHODS, queueRoutes } from './routes/queues.ts'
import { RUN_METHODS, runRoutes } from './routes/runs.ts'
import { SCHEDULE_METHODS, scheduleRoutes } from './routes/schedules.ts'
import { WORKER_METHODS, workerRoutes } from './routes/workers.ts'
import { createStreams } from './streams.ts'

export interface ApiOptions {
  rowbeat: Rowbeat
  /** Zone of crontabs that name none; default UTC. */
  timezone?: string
  /** Told by /healthz. */
  version?: string
  /** Milliseconds after which a request that waits for the database is answered 503; default 5,000. */
  deadlineMs?: number
  /** Streams open at once in this process; default 10,000. */
  streamsMax?: number
  /** Milliseconds of silence after which a stream gets a comment; default 15,000. */
  pingMs?: number
  /** Where the routes are mounted; Fastify's own option. */
  prefix?: string
}

export async function api(app: FastifyInstance, options: ApiOptions): Promise<void> {
  const { rowbeat, timezone, version = '', deadlineMs = 5000, streamsMax = 10_000, pingMs = 15_000 } = options
  if (!rowbeat?.tasks) throw new ConfigError('api: pass { rowbeat }, what createRowbeat gave you.')
  const closing = new AbortController()
  const keyring = createKeyring(toQueryable(rowbeat.db))
  const feed = createRunFeed(rowbeat.db, (error) => app.log.warn({ err: error }, 'watching runs'))
  const streams = createStreams(feed, keyring, { limit: streamsMax, pingMs })

  app.setErrorHandler(createProblemHandler())
  acceptJson(app)
  app.addHook('onRoute', (route) => void (route.handlerTimeout ??= deadlineMs))
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    reply.header('x-content-type-options', 'nosniff')
    reply.header('x-request-id', request.id)
  })
  guard(app, keyring)

  healthRoutes(app, { db: rowbeat.db, version, isClosing: () => closing.signal.aborted })
  const runs = createRunControl(rowbeat)
  runRoutes(app, runs, streams)
  operationRoutes(app, createOperationControl(rowbeat, runs))
  scheduleRoutes(app, createScheduleControl(rowbeat, { runs, timezone }))
  const db = toQueryable(rowbeat.db)
  queueRoutes(app, createQueueControl(rowbeat))
  workerRoutes(app, createWorkerControl(db), createCommandControl(db))
  refuseOtherMethods(app, {
    '/healthz': ['GET', 'HEAD'],
    '/readyz': ['GET', 'HEAD'],
    ...RUN_METHODS,
    ...OPERATION_METHODS,
    ...SCHEDULE_METHODS,
    ...QUEUE_METHODS,
    ...WORKER_METHODS,
  })

  let announced: Promise<void> = Promise.resolve()
  app.addHook('onReady', async () => {
    announced = announceTasks(rowbeat, closing.signal, (error) =>
      app.log.warn({ err: error }, 'writing tasks'),
    )
  })
  app.addHook('preClose', async () => {
    closing.abort()
    streams.close()
    await feed.close()
    await announced
  })
}

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** 405 with Allow, for who has a key; anybody else learns no more than 401. */
function refuseOtherMethods(app: FastifyInstance, routes: Record<string, readonly string[]>): void {
  for (const [url, allowed] of Object.entries(routes)) {
    app.route({
      method: METHODS.filter((method) => !allowed.includes(method)),
      url,
      exposeHeadRoute: false,
      config: { rowbeat: { auth: url.startsWith('/v1') ? 'key' : 'public' } },
      onRequest: async (request, reply) => {
        reply.header('allow', allowed.join(', '))
        throw new RequestError(
          'RB_METHOD_NOT_ALLOWED',
          `${request.method} is not taken here: use ${allowed.join(' or ')}.`,
        )
      },
      handler: () => {},
    })
  }
}
