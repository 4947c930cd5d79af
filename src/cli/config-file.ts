/**
 * rowbeat.config.ts (or .js, .mjs) of the working directory: `export const config = { … }`, a default export is taken as
 * well. It may hold tasks, schedules, queues, routes and middleware as values and what the environment could say too; each such field stands for one variable and
 * is read by the same code, so there is one grammar and one set of refusals.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readConfig, type Environment } from '../config.ts'
import { ConfigError } from '../errors.ts'
import type { ScheduleTree } from '../schedules/schedule.ts'
import { checkMiddleware, type MiddlewareList } from '../tasks/middleware.ts'
import type { QueueTree } from '../tasks/queue.ts'
import type { TaskTree } from '../tasks/registry.ts'
import { createRouter, type Routes } from '../tasks/route.ts'

const NAMES = ['rowbeat.config.ts', 'rowbeat.config.js', 'rowbeat.config.mjs']

/** Field -> the variable it stands for. */
export const FIELDS: Readonly<Record<string, string>> = {
  port: 'PORT',
  host: 'HOST',
  databaseUrl: 'DATABASE_URL',
  dataDir: 'ROWBEAT_DATA_DIR',
  taskGlobs: 'ROWBEAT_TASKS',
  app: 'ROWBEAT_APP',
  timezone: 'ROWBEAT_TIMEZONE',
  resultRetention: 'ROWBEAT_RESULT_RETENTION',
  concurrency: 'ROWBEAT_CONCURRENCY',
  queues: 'ROWBEAT_QUEUES',
  unknownQueue: 'ROWBEAT_UNKNOWN_QUEUE',
  prefetch: 'ROWBEAT_PREFETCH',
  workerName: 'ROWBEAT_WORKER_NAME',
  processes: 'ROWBEAT_PROCESSES',
  maxRunsPerProcess: 'ROWBEAT_MAX_RUNS_PER_PROCESS',
  maxMemoryPerProcess: 'ROWBEAT_MAX_MEMORY_PER_PROCESS',
  maxRuns: 'ROWBEAT_MAX_RUNS',
  autoscale: 'ROWBEAT_AUTOSCALE',
  autoscaleKeepAlive: 'ROWBEAT_AUTOSCALE_KEEP_ALIVE',
  threads: 'ROWBEAT_THREADS',
  timeLimit: 'ROWBEAT_TIME_LIMIT',
  softTimeLimit: 'ROWBEAT_SOFT_TIME_LIMIT',
  grace: 'ROWBEAT_GRACE',
  logLevel: 'ROWBEAT_LOG_LEVEL',
  prepare: 'ROWBEAT_PREPARE',
  adminEmail: 'ROWBEAT_ADMIN_EMAIL',
  admin: 'ROWBEAT_ADMIN',
  httpTask: 'ROWBEAT_HTTP_TASK',
  httpAllow: 'ROWBEAT_HTTP_ALLOW',
  httpHttpsOnly: 'ROWBEAT_HTTP_HTTPS_ONLY',
}

/** What the file gives as values. */
export interface Given {
  tasks: TaskTree
  schedules: ScheduleTree
  /** Queues as the application defines them: defineQueue(name, options). */
  queueDefinitions?: QueueTree
  routes?: Routes
  middleware?: MiddlewareList
}

const VALUES = ['tasks', 'schedules', 'queueDefinitions', 'routes', 'middleware'] as const

export interface ConfigFile {
  /** null: there is none. */
  name: string | null
  environment: Environment
  /** null: it names none of them. */
  given: Given | null
}

/** What the file says, by field, as it was written; null when there is none. Throws ConfigError that names the file. */
export async function readFields(
  folder: string,
): Promise<{ name: string; fields: Record<string, unknown> } | null> {
  const name = NAMES.find((candidate) => existsSync(resolve(folder, candidate)))
  return name === undefined ? null : { name, fields: await load(resolve(folder, name), name) }
}

export async function readConfigFile(folder: string): Promise<ConfigFile> {
  const read = await readFields(folder)
  return read ? readFile(read.name, read.fields) : { name: null, environment: {}, given: null }
}

/** One field or all of them. Throws ConfigError that names the file. */
export function readFile(name: string, written: Record<string, unknown>): ConfigFile {
  const fields = { ...written }
  const given: Record<string, unknown> = {}
  for (const field of VALUES) {
    if (fields[field]) given[field] = fields[field]
    delete fields[field]
  }
  const environment: Environment = {}
  for (const [field, value] of Object.entries(fields)) {
    const variable = Object.hasOwn(FIELDS, field) ? FIELDS[field]! : null
    if (!variable) {
      const known = [...VALUES, ...Object.keys(FIELDS)].join(', ')
      throw new ConfigError(`${name}: "${field}" is no setting; known are ${known}.`)
    }
    if (value !== undefined && value !== null) environment[variable] = toText(value)
  }
  try {
    readConfig(environment)
    if (given.routes) createRouter(given.routes as Routes)
    checkMiddleware(given.middleware)
  } catch (cause) {
    throw new ConfigError(`${name}: ${(cause as Error).message}`, { cause })
  }
  if (Object.keys(given).length === 0) return { name, environment, given: null }
  return {
    name,
    environment,
    given: { tasks: [], schedules: [], ...given },
  }
}

async function load(file: string, name: string): Promise<Record<string, unknown>> {
  let exported: Record<string, unknown>
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (cause) {
    throw new ConfigError(`${name} cannot be loaded: ${(cause as Error).message}`, { cause })
  }
  const config = exported.config ?? exported.default
  if (config && typeof config === 'object') return { ...config }
  throw new ConfigError(`${name} exports no config: write \`export const config = { … }\`.`)
}

/** As a variable would say it: lists by comma, queues as `name:concurrency`. */
function toText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  if (typeof value !== 'object') return String(value)
  return Object.entries(value as object)
    .map(([queue, slots]) => `${queue}:${slots}`)
    .join(',')
}
