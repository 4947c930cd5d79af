/**
 * The user's own code: modules that export tasks and schedules, and the app module whose routes stand beside the REST API. What it
 * throws while it loads is told with the file's name, because that is what has to be mended.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Config } from '../config.ts'
import { ConfigError, RowbeatError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { discoverModules, type Discovered } from '../queue/discover.ts'
import { listSchedules } from '../schedules/schedule.ts'
import { listQueues } from '../tasks/queue.ts'
import { createRegistry } from '../tasks/registry.ts'
import type { Given } from './config-file.ts'

/** `app` is a Fastify instance; the module's author knows it by that type. */
export type AppRoutes = (app: any, options: { rowbeat: Rowbeat; databaseUrl: string }) => Promise<void>

/** The tasks, schedules and queues of rowbeat.config.ts and those the globs find. Throws ConfigError, DefinitionError, ScheduleError. */
export async function loadModules(config: Config, given: Given): Promise<Discovered> {
  try {
    const found = await discoverModules(config.taskGlobs)
    return {
      tasks: [...createRegistry([given.tasks, found.tasks]).values()],
      schedules: listSchedules([given.schedules, found.schedules]),
      queues: listQueues([given.queueDefinitions ?? [], found.queues]),
    }
  } catch (error) {
    if (error instanceof RowbeatError) throw error
    throw unloadable(`A module of ${config.taskGlobs.join(', ')}`, error)
  }
}

/** The function `routes` of the module in ROWBEAT_APP; null when none is named. */
export async function loadApp(config: Config): Promise<AppRoutes | null> {
  if (!config.app) return null
  let exported: { routes?: unknown }
  try {
    exported = (await import(pathToFileURL(resolve(config.app)).href)) as { routes?: unknown }
  } catch (error) {
    throw unloadable(config.app, error)
  }
  if (typeof exported.routes === 'function') return exported.routes as AppRoutes
  throw new ConfigError(
    `${config.app} (ROWBEAT_APP) exports no function routes: write \`export async function routes(app, { rowbeat, databaseUrl })\`.`,
  )
}

/** What a module threw while it was loaded, with the place. */
export function unloadable(what: string, error: unknown): ConfigError {
  const { name, message, stack } = error as Error
  // The first place in a file; those of Node itself are named node:internal/….
  const where = /(?:^|[\s(])(?:file:\/\/)?(\/[^()\s]+:\d+(?::\d+)?)/.exec(stack ?? '')?.[1]
  return new ConfigError(`${what} cannot be loaded: ${name}: ${message}${where ? ` (${where})` : ''}`, {
    cause: error,
  })
}
