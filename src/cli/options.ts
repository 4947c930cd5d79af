/**
 * Options that commands share, and the way from what was typed to a configuration: flags beat the environment, which
 * beats `.env`, which beats rowbeat.config.ts, which beats the defaults (config.ts).
 */
import type { Command } from 'commander'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig, readEnvironment, shareEnvironment, type Config, type Environment } from '../config.ts'
import { readConfigFile, type Given } from './config-file.ts'
import { durationFlag, whole } from './flags.ts'
import { queuesOf, readWorking, type WorkingFlags } from './working.ts'

export interface Settings {
  config: Config
  /** What rowbeat.config.ts gives, beside what the globs find. */
  given: Given
  json: boolean
}

/** What commander hands over: the flags of one command. */
export interface Flags {
  databaseUrl?: string
  dataDir?: string
  json?: boolean
  port?: number
  host?: string
}

/** Every command has these. */
export function addCommon(command: Command): Command {
  return command
    .option(
      '--database-url <url>',
      'PostgreSQL to use (default: DATABASE_URL, then credentials.json in the data directory)',
    )
    .option('--data-dir <folder>', 'data directory (default: ROWBEAT_DATA_DIR, then .rowbeat)')
    .option('--json', 'print one JSON document on stdout')
}

export function addServing(command: Command): Command {
  return command
    .option(
      '--port <number>',
      'port to listen on, 0 for a free one (default: PORT, then 4000)',
      whole(0, 65_535),
    )
    .option('--host <address>', 'address to listen on (default: HOST, then 127.0.0.1)')
}

export function addGrace(command: Command): Command {
  return command.option(
    '--grace <duration>',
    'how long runs may still take when it is stopped (default: ROWBEAT_GRACE, then 25s)',
    durationFlag,
  )
}

/** The configuration of this call; `working` for those that serve, which the examples are for too. Throws ConfigError. */
export async function readSettings(flags: Flags, working: WorkingFlags | null = null): Promise<Settings> {
  const file = await readConfigFile(process.cwd())
  const own = readEnvironment()
  const env: Environment = { ...file.environment, ...own }
  if (own.PGHOST || own.PGDATABASE) env.DATABASE_URL = own.DATABASE_URL
  if (flags.databaseUrl) env.DATABASE_URL = flags.databaseUrl
  if (working && !file.given) Object.assign(env, examplesOf(env))
  shareEnvironment(env)
  const config = readConfig(env, {
    port: flags.port,
    host: flags.host,
    dataDir: flags.dataDir === undefined ? undefined : resolve(flags.dataDir),
    ...(working ? readWorking(working) : {}),
  })
  const queues = working ? queuesOf(working, config) : config.queues
  return {
    config: Object.freeze({ ...config, queues }),
    given: file.given ?? { tasks: [], schedules: [] },
    json: flags.json ?? false,
  }
}

/**
 * In a clone, where people look around first, the example apps are what there is to run: when nothing else is named and
 * the working directory has no tasks of its own to offer.
 */
function examplesOf(env: Environment): Environment {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const folder = resolve(root, 'src/examples')
  const isElsewhere = resolve(root) !== process.cwd() && ['tasks', 'src'].some((name) => existsSync(name))
  if (env.ROWBEAT_TASKS || env.ROWBEAT_APP || isElsewhere || !existsSync(resolve(folder, 'app.ts'))) return {}
  return { ROWBEAT_TASKS: `${folder}/*/tasks.ts`, ROWBEAT_APP: resolve(folder, 'app.ts') }
}
