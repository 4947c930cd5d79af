/**
 * The REST API as a Fastify plugin: for our own server, or mounted in an app of yours,
 *
 *   app.register(rowbeatPlugin, { rowbeat, prefix: '/jobs' })
 *
 * Two things at once. `app.rowbeat` is for the app that registers it, so that its own routes can enqueue: the plugin breaks
 * out of its scope for that, and for nothing else. The routes are an encapsulated scope: their guard, body parser and error
 * handler serve them and no other. What is opened here is closed with the app: streams, a LISTEN once somebody watches a
 * run, and the connections where a `databaseUrl` was given. A `rowbeat` that was given stays yours to close.
 */
import type { FastifyInstance, FastifyPluginAsync, HTTPMethods } from 'fastify'
import { createKeyring } from '../auth/keyring.ts'
import { createAccessTokens } from '../auth/tokens.ts'
import { NO_RATE_LIMITS, type RateLimits } from '../config.ts'
import { createAuditControl } from '../control/audit.ts'
import { createFailureControl } from '../control/failures.ts'
import { createFiringControl } from '../control/firings.ts'
import { createKeyControl } from '../control/keys.ts'
import { createLiveControl } from '../control/live.ts'
import { PROCESS } from '../auth/scopes.ts'
import { createOperationControl } from '../control/operations.ts'
import { createCommandControl } from '../control/commands.ts'
import { createProblemControl } from '../control/problems.ts'
import { createQueueControl } from '../control/queues.ts'
import { enqueueBatch } from '../control/run-batch.ts'
import { createRunCountControl } from '../control/run-counts.ts'
import { createRunPartsControl } from '../control/run-parts.ts'
import { createRunControl } from '../control/runs.ts'
import { createScheduleControl } from '../control/schedules.ts'
import { createSessionControl } from '../control/sessions.ts'
import { createStatsControl } from '../control/stats.ts'
import { createTaskControl } from '../control/task-reading.ts'
import { announceTasks } from '../control/tasks.ts'
import { createUserControl } from '../control/users.ts'
import { createWebhookControl } from '../control/webhooks.ts'
import { createWorkerControl } from '../control/workers.ts'
import { toQueryable } from '../db/handle.ts'
import { ConfigError, RequestError } from '../errors.ts'
import type { OutboundOptions } from '../outbound/policy.ts'
import { createRowbeat, type Rowbeat, type RowbeatOptions } from '../queue/rowbeat.ts'
import { collectEndpoints, type Registered } from './endpoint.ts'
import { createEventStreams } from './event-streams.ts'
import { createRunFeed } from './feed.ts'
import { bearerDoor, guard, type Door } from './guard.ts'
import { acceptJson } from './json.ts'
import { createLive } from './live.ts'
import { createLogFeed } from './log-feed.ts'
import { linkPages } from './next-link.ts'
import { createProblemHandler } from './problem.ts'
import { createRateLimit } from './rate-limit.ts'
import { auditRoutes } from './routes/audit.ts'
import { docsRoutes } from './routes/docs.ts'
import { exportRoutes } from './routes/export.ts'
import { figureRoutes } from './routes/figures.ts'
import { firingRoutes } from './routes/firings.ts'
import { healthRoutes } from './routes/health.ts'
import { taskRoutes } from './routes/tasks.ts'
import { keyRoutes } from './routes/keys.ts'
import { liveRoutes } from './routes/live.ts'
import { operationRoutes } from './routes/operations.ts'
import { queueRoutes } from './routes/queues.ts'
import { runBatchRoutes } from './routes/run-batch.ts'
import { runCountRoutes } from './routes/run-counts.ts'
import { runLogTailRoutes } from './routes/run-log-tail.ts'
import { runPartsRoutes } from './routes/run-parts.ts'
import { runRoutes } from './routes/runs.ts'
import { scheduleRoutes } from './routes/schedules.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { meRoute, tokenRoutes } from './routes/tokens.ts'
import { userRoutes } from './routes/users.ts'
import { workerRoutes } from './routes/workers.ts'
import { VERSION } from '../version.ts'
import { createStreams } from './streams.ts'
import { createWaits } from './wait.ts'

export interface ApiOptions {
  /** What createRowbeat gave you; it stays yours to close. */
  rowbeat?: Rowbeat
  /** Instead of `rowbeat`: it makes its own, and closes it with the app. */
  databaseUrl?: string
  /** Of its own: tasks known by name. */
  tasks?: RowbeatOptions['tasks']
  /** Of its own: queue and priority by the task's name. */
  routes?: RowbeatOptions['routes']
  /** Of its own: connections at most; default 10. */
  connections?: number
  /** Of its own: false behind PgBouncer in transaction mode. */
  prepare?: boolean
  /** What addresses of webhooks are judged by, as the workers' option of this name. */
  outbound?: OutboundOptions
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
  /** What signs access tokens; default a key that is made once and kept in the database. */
  secret?: string | null
  /** Requests that one caller may send in a while; default as many as they like. */
  rateLimits?: RateLimits
  /** Where the routes are mounted; Fastify's own option. */
  prefix?: string
}

export interface RestOptions extends ApiOptions {
  rowbeat: Rowbeat
  /**
   * The panel's: its pages are callers like any, known by a cookie. Then there are only the verbs here: what is public, documents and
   * tokens belong to the service itself.
   */
  door?: Door
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Of rowbeatPlugin. */
    rowbeat: Rowbeat
  }
}

/** Registers the routes under `prefix` and gives the app that registers it `app.rowbeat`. Throws ConfigError. */
export const rowbeatPlugin: FastifyPluginAsync<ApiOptions> = Object.assign(mount, {
  // What fastify-plugin does: decorate the parent, in words that Fastify reads.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'rowbeat',
})

async function mount(app: FastifyInstance, options: ApiOptions): Promise<void> {
  const rowbeat = options.rowbeat ?? own(options)
  if (!rowbeat.tasks) throw new ConfigError('rowbeatPlugin: `rowbeat` must be what createRowbeat gave you.')
  if (!app.hasDecorator('rowbeat')) app.decorate('rowbeat', rowbeat)
  else if (app.rowbeat !== rowbeat)
    throw new ConfigError(
      'rowbeatPlugin: this app has another rowbeat already: register each in a scope of its own, app.register(async (scope) => …).',
    )
  if (!options.rowbeat) app.addHook('onClose', () => rowbeat.close())
  await app.register(restRoutes, { ...options, rowbeat })
}

function own({ databaseUrl, tasks, routes, connections = 10, prepare }: ApiOptions): Rowbeat {
  if (!databaseUrl)
    throw new ConfigError(
      'rowbeatPlugin: pass { rowbeat }, what createRowbeat gave you, or { databaseUrl, tasks }.',
    )
  return createRowbeat({ databaseUrl, tasks, routes, connections, prepare, role: 'api' })
}

/** The routes alone: rowbeatPlugin without what it gives the app it is in. */
export async function restRoutes(app: FastifyInstance, options: RestOptions): Promise<void> {
  const { rowbeat, timezone, version = '', deadlineMs = 5000, streamsMax = 10_000, pingMs = 15_000 } = options
  const closing = new AbortController()
  const db = toQueryable(rowbeat.db)
  const tokens = createAccessTokens(db, options.secret)
  const door = options.door ?? bearerDoor(createKeyring(db, tokens))
  const feed = createRunFeed(rowbeat.db, (error) => app.log.warn({ err: error }, 'watching runs'))
  const logs = createLogFeed(db, (error) => app.log.warn({ err: error }, 'following logs'))
  const sockets = createEventStreams(door, { limit: streamsMax, pingMs })
  const streams = createStreams(feed, sockets)
  const waits = createWaits(feed, streamsMax)

  app.setErrorHandler(createProblemHandler())
  acceptJson(app)
  app.addHook('onRoute', (route) => void (route.handlerTimeout ??= deadlineMs))
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS)
    reply.header('x-request-id', request.id)
  })
  guard(app, door, createRateLimit(options.rateLimits ?? NO_RATE_LIMITS))
  linkPages(app)
  const endpoints = collectEndpoints(app)

  if (!options.door) healthRoutes(app, { db: rowbeat.db, version, isClosing: () => closing.signal.aborted })
  const runs = createRunControl(rowbeat)
  runRoutes(app, runs, streams, waits)
  runBatchRoutes(app, (caller, items) => enqueueBatch(rowbeat, runs, caller, items))
  exportRoutes(app, runs)
  runCountRoutes(app, createRunCountControl(db), createFailureControl(db))
  runLogTailRoutes(app, { control: runs, feed, logs, sockets })
  taskRoutes(app, createTaskControl(db))
  const problems = createProblemControl(db)
  figureRoutes(app, createStatsControl(db), problems)
  const live = createLive({
    feed,
    sockets,
    control: createLiveControl(db, problems),
    onProblem: (error) => app.log.warn({ err: error }, 'watching the whole'),
  })
  liveRoutes(app, live)
  runPartsRoutes(app, runs, createRunPartsControl(db, runs), waits)
  operationRoutes(app, createOperationControl(rowbeat, runs))
  scheduleRoutes(app, createScheduleControl(rowbeat, { runs, timezone }))
  firingRoutes(app, createFiringControl(db))
  queueRoutes(app, createQueueControl(rowbeat))
  workerRoutes(app, createWorkerControl(db), createCommandControl(rowbeat))
  const readRun = (id: string) => runs.read(PROCESS, id)
  webhookRoutes(app, createWebhookControl(rowbeat, { outbound: options.outbound, readRun }))
  keyRoutes(app, createKeyControl(rowbeat))
  userRoutes(app, createUserControl(rowbeat))
  if (!options.door) tokenRoutes(app, createSessionControl(rowbeat, tokens))
  meRoute(app)
  auditRoutes(app, createAuditControl(db))
  if (!options.door) docsRoutes(app, { endpoints, version: version || VERSION })
  refuseOtherMethods(app, endpoints)

  let announced: Promise<void> = Promise.resolve()
  app.addHook('onReady', async () => {
    if (options.door) return
    announced = announceTasks(rowbeat, closing.signal, (error) =>
      app.log.warn({ err: error }, 'writing tasks'),
    )
  })
  app.addHook('preClose', async () => {
    closing.abort()
    live.close()
    sockets.close()
    logs.close()
    waits.close()
    await feed.close()
    await announced
  })
}

/** Nothing here is kept, guessed at, framed or read by a page from elsewhere; the pages of /docs say what they need themselves. */
const HEADERS = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
})

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** 405 with Allow on every address, for who has a key; anybody else learns no more than 401. */
function refuseOtherMethods(app: FastifyInstance, endpoints: readonly Registered[]): void {
  const taken = new Map<string, { methods: Set<string>; isPublic: boolean }>()
  for (const { method, url, access } of endpoints) {
    const address = taken.get(url) ?? { methods: new Set(), isPublic: true }
    address.methods.add(method)
    taken.set(url, { ...address, isPublic: address.isPublic && access.auth === 'public' })
  }
  for (const [url, { methods, isPublic }] of taken) {
    const allowed = METHODS.filter((method) => methods.has(method))
    app.route({
      method: METHODS.filter((method) => !methods.has(method)),
      url,
      exposeHeadRoute: false,
      config: { rowbeat: { auth: isPublic ? 'public' : 'key', refuses: true } },
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
