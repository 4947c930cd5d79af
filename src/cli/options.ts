/**
 * Options that commands share, and the way from what was typed to a configuration: flags beat the environment, which
 * beats `.env`, which beats rowbeat.config.ts, which beats the defaults (config.ts).
 */
import type { Command } from 'commander'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig, readEnvironment, shareEnvironment, type Config, type Environment } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { readSecrets } from '../secrets.ts'
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
  admin?: boolean
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
    .option(
      '--no-admin',
      'without the panel (default: ROWBEAT_ADMIN, then with it where adminjs is installed)',
    )
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
  // A variable of the shell that is not set must not choose another database.
  if (flags.databaseUrl === '')
    throw new ConfigError('--database-url is empty: give an address, or leave it out.')
  const file = await readConfigFile(process.cwd())
  const said = readEnvironment()
  // What was typed wins; a file that does not matter then need not be there.
  const own = readSecrets(flags.databaseUrl ? { ...said, DATABASE_URL_FILE: undefined } : said)
  const env: Environment = { ...file.environment, ...own }
  if (own.PGHOST || own.PGDATABASE) env.DATABASE_URL = own.DATABASE_URL
  if (flags.databaseUrl) env.DATABASE_URL = flags.databaseUrl
  if (working && !file.given) Object.assign(env, examplesOf(env))
  shareEnvironment(env)
  const config = readConfig(env, {
    port: flags.port,
    host: flags.host,
    // Commander says true where nothing was typed.
    admin: flags.admin === false ? false : undefined,
    dataDir: flags.dataDir === undefined ? undefined : resolve(flags.dataDir),
    ...(working ? readWorking(working) : {}),
  })
  const queues = working ? queuesOf(working, config) : config.queues
  return {
    config: Object.freeze({ ...config, queues }),
    given: file.given ?? (await givenByExamples(config)),
    json: flags.json ?? false,
  }
}

/** What rowbeat.config.ts gives to a process whose configuration was read by its supervisor. */
export async function readGiven(config: Config): Promise<Given> {
  const { given } = await readConfigFile(process.cwd())
  return given ?? (await givenByExamples(config))
}

const EXAMPLES = fileURLToPath(new URL('../../src/examples', import.meta.url))

/** The examples have a rowbeat.config.ts of their own. */
async function givenByExamples({ app }: Config): Promise<Given> {
  const { given } = app === resolve(EXAMPLES, 'app.ts') ? await readConfigFile(EXAMPLES) : { given: null }
  return given ?? { tasks: [], schedules: [] }
}

/**
 * In a clone, where people look around first, the example apps are what there is to run: when nothing else is named and
 * the working directory has no tasks of its own to offer.
 */
export function examplesOf(env: Environment): Environment {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const isElsewhere = resolve(root) !== process.cwd() && ['tasks', 'src'].some((name) => existsSync(name))
  if (env.ROWBEAT_TASKS || env.ROWBEAT_APP || isElsewhere || !existsSync(resolve(EXAMPLES, 'app.ts')))
    return {}
  return { ROWBEAT_TASKS: `${EXAMPLES}/*/tasks.ts`, ROWBEAT_APP: resolve(EXAMPLES, 'app.ts') }
}

/** A word behind a family that is none of its commands is told so, not taken for an argument of the one it falls back on. */
export function refuseStrangers(family: Command): Command {
  return family.hook('preSubcommand', ({ args: [word], commands }) => {
    if (word !== undefined && !word.startsWith('-') && !commands.some((one) => one.name() === word))
      family.error(
        `error: unknown command '${word}'; known are ${commands.map((one) => one.name()).join(', ')}`,
        { code: 'commander.unknownCommand', exitCode: 1 },
      )
  })
}
