/**
 * The panel's own Fastify instance: sign-in, files, pages, the API of AdminJS, and the REST API a second time, for callers who are known by the
 * cookie of their sign-in. Whatever the pages show and do is therefore a documented address with its scope check and its row in the
 * audit log. It never listens: the app hands it the raw requests (panel.ts). Nothing outside it is told of what it throws.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
} from 'fastify'
import { restRoutes } from '../../src/api/plugin.ts'
import { createProblemHandler } from '../../src/api/problem.ts'
import { BODY_BYTES_MAX } from '../../src/api/routes/runs.ts'
import type { Scope } from '../../src/auth/scopes.ts'
import { createPanelSessions } from '../../src/control/panel-sessions.ts'
import type { OutboundOptions } from '../../src/outbound/policy.ts'
import type { Rowbeat } from '../../src/queue/rowbeat.ts'
import { describePanel } from '../adminjs.ts'
import { cookieDoor, guardPanel, refuseUnknown, type Arrival, type Entrance } from './arrival.ts'
import { loadFiles } from './files.ts'
import { loginRoutes } from './login.ts'
import { pageRoutes } from './pages.ts'
import { resourceRoutes } from './resource-api.ts'

export type { Arrival } from './arrival.ts'

export interface InnerOptions {
  rowbeat: Rowbeat
  logger: FastifyBaseLogger
  /** Where the panel is, as /admin. */
  root: string
  timezone?: string
  outbound?: OutboundOptions
  streamsMax?: number
}

/** After which who waits for the database is answered 503. */
const DEADLINE_MS = 5000

const ARRIVAL = Symbol('rowbeat.panel.arrival')
type Raw = IncomingMessage & { [ARRIVAL]?: Arrival }

export interface Inner {
  take(raw: IncomingMessage, response: ServerResponse, arrival: Arrival): void
  /** Every address there is, for who holds them all to something. */
  readonly routes: readonly InnerRoute[]
  close(): Promise<void>
}

export interface InnerRoute {
  method: string
  url: string
  entrance: Entrance
  /** Of an address of the REST API; null where whoever is signed in may ask. */
  scope: Scope | null
}

/** Throws ConfigError when what the browser gets was not built. */
export async function createInner(options: InnerOptions): Promise<Inner> {
  const { rowbeat, logger, root, streamsMax = 1000 } = options
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: (raw: Raw) => raw[ARRIVAL]!.id,
    bodyLimit: BODY_BYTES_MAX,
    return503OnClosing: false,
  }) as unknown as FastifyInstance
  const routes: InnerRoute[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    const entrance = config?.rowbeatPanel ?? 'call'
    const scope = config?.rowbeat?.auth === 'scope' ? config.rowbeat.scope : null
    for (const one of [method].flat()) routes.push({ method: one, url, entrance, scope })
  })
  const sessions = createPanelSessions(rowbeat)
  const [files, admin] = await Promise.all([
    loadFiles(root),
    describePanel({ rowbeat, root, timezone: options.timezone }),
  ])

  app.setErrorHandler(createProblemHandler())
  app.setNotFoundHandler(refuseUnknown)
  app.addHook('onRoute', (route) => void (route.handlerTimeout ??= DEADLINE_MS))
  app.addHook('onRequest', takeOver)
  guardPanel(app, { sessions, root })
  files.serve(app)
  loginRoutes(app, { sessions, root, files })
  await pageRoutes(app, { admin, root, files })
  resourceRoutes(app, { admin, root })
  await app.register(restRoutes, {
    rowbeat,
    prefix: root,
    door: cookieDoor(sessions),
    timezone: options.timezone,
    outbound: options.outbound,
    streamsMax,
  })
  await app.ready()
  return {
    routes,
    take(raw, response, arrival) {
      Object.assign(raw, { [ARRIVAL]: arrival })
      app.routing(raw, response)
    },
    close: async () => void (await app.close()),
  }
}

/** Which address and scheme a request came by, behind a proxy, was found out where it came in. */
async function takeOver(request: FastifyRequest): Promise<void> {
  const { ip, protocol, host } = (request.raw as Raw)[ARRIVAL]!
  for (const [key, value] of Object.entries({ ip, protocol, host }))
    Object.defineProperty(request, key, { value })
}
