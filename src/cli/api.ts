/**
 * `rowbeat api`: the REST API and, beside it, the routes of the app module. It asks the database before it listens, so
 * that a wrong DATABASE_URL or a missing migration is told at once and not with the first request.
 */
import { requireMigrated } from '../db/migrate.ts'
import { VERSION } from '../version.ts'
import { addressOf, explainListenError } from './listening.ts'
import { loadApp, loadModules } from './modules.ts'
import { mountPanel } from './panel.ts'
import { serve, type ServeFlags, type Service, type Setting } from './serve.ts'

export async function serveApi(flags: ServeFlags): Promise<number> {
  return await serve('api', flags, beginApi)
}

async function beginApi({ config, given, log, go }: Setting): Promise<Service> {
  const [{ createServer }, { createRowbeat }] = await Promise.all([
    import('../api/server.ts'),
    import('../queue/rowbeat.ts'),
  ])
  const { databaseUrl, port } = await go()
  const [modules, routes] = await Promise.all([
    loadModules(config, given),
    loadApp(config),
    requireMigrated(databaseUrl, 'api', config.prepare),
  ])
  const rowbeat = createRowbeat({
    databaseUrl,
    tasks: modules.tasks,
    connections: 10,
    prepare: config.prepare,
    role: 'api',
    routes: given.routes,
    unknownQueue: config.unknownQueue,
  })
  const { timezone, secret, rateLimits, trustProxy } = config
  const outbound = { allow: config.httpAllow, httpsOnly: config.httpHttpsOnly }
  const serving = { timezone, secret, rateLimits, trustProxy, outbound, version: VERSION }
  const app = createServer({ rowbeat, logger: log, ...serving })
  await routes?.(app, { rowbeat, databaseUrl })
  const panel = config.admin ? await mountPanel(app, { rowbeat, timezone, outbound }) : null
  try {
    await app.listen({ host: config.host, port })
  } catch (error) {
    throw explainListenError(error as NodeJS.ErrnoException, config.host, port)
  }
  const url = addressOf(config.host, (app.server.address() as { port: number }).port)
  log.info({ url }, 'listening')
  return { url, document: { url, panel: panel && url + panel }, stop: createStop(app, rowbeat) }
}

/** Lets requests in flight finish; when the grace is over, or at a second call, their connections are cut. */
function createStop(
  app: { close(): PromiseLike<unknown>; server: { closeAllConnections(): void } },
  rowbeat: { close(): Promise<void> },
): (graceMs: number) => Promise<void> {
  let closed: Promise<void> | null = null
  return async (graceMs) => {
    if (graceMs <= 0) app.server.closeAllConnections()
    else setTimeout(() => app.server.closeAllConnections(), graceMs).unref()
    closed ??= Promise.resolve(app.close()).then(() => rowbeat.close())
    await closed
  }
}
