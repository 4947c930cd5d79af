/**
 * rowbeat.config.ts (or .js, .mjs) of the working directory: `export const config = { … }`, a default export is taken as
 * well. It may hold tasks and schedules as values and what the environment could say too; each such field stands for one variable and
 * is read by the same code, so there is one grammar and one set of refusals.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readConfig, type Environment } from '../config.ts'
import { ConfigError } from '../errors.ts'
import type { ScheduleTree } from '../schedules/schedule.ts'
import type { TaskTree } from '../tasks/registry.ts'

const NAMES = ['rowbeat.config.ts', 'rowbeat.config.js', 'rowbeat.config.mjs']

const VARIABLES: Record<string, string> = {
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
  grace: 'ROWBEAT_GRACE',
  logLevel: 'ROWBEAT_LOG_LEVEL',
  prepare: 'ROWBEAT_PREPARE',
  adminEmail: 'ROWBEAT_ADMIN_EMAIL',
}

/** What the file gives as values. */
export interface Given {
  tasks: TaskTree
  schedules: ScheduleTree
}

export interface ConfigFile {
  environment: Environment
  /** null: it names neither. */
  given: Given | null
}

/** Throws ConfigError that names the file. */
export async function readConfigFile(folder: string): Promise<ConfigFile> {
  const name = NAMES.find((candidate) => existsSync(resolve(folder, candidate)))
  if (!name) return { environment: {}, given: null }
  const { tasks, schedules, ...fields } = await load(resolve(folder, name), name)
  const environment: Environment = {}
  for (const [field, value] of Object.entries(fields)) {
    const variable = Object.hasOwn(VARIABLES, field) ? VARIABLES[field]! : null
    if (!variable) {
      const known = ['tasks', 'schedules', ...Object.keys(VARIABLES)].join(', ')
      throw new ConfigError(`${name}: "${field}" is no setting; known are ${known}.`)
    }
    if (value !== undefined && value !== null) environment[variable] = toText(value)
  }
  try {
    readConfig(environment)
  } catch (cause) {
    throw new ConfigError(`${name}: ${(cause as Error).message}`, { cause })
  }
  if (!tasks && !schedules) return { environment, given: null }
  return {
    environment,
    given: { tasks: (tasks ?? []) as TaskTree, schedules: (schedules ?? []) as ScheduleTree },
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
  if (config && typeof config === 'object') return config as Record<string, unknown>
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
