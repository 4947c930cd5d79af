/**
 * Every setting there is, what it came to, and who said so: a flag, the environment, `.env`, rowbeat.config.ts, or nobody, and
 * then it is the default. For `rowbeat config print` and `rowbeat report`, which people paste into places that others read, so
 * a secret never leaves this file whole.
 */
import { readLayers, type Config, type Environment, type RequestRate } from '../../config.ts'
import { isSecret } from '../../secrets.ts'
import { FIELDS, readConfigFile } from '../config-file.ts'
import { examplesOf, readSettings, type Flags } from '../options.ts'
import { readCredentials } from '../start/credentials.ts'
import type { WorkingFlags } from '../working.ts'

export interface Setting {
  /** As rowbeat.config.ts calls it. */
  name: string
  /** The variable it can be given as. */
  variable: string
  /** Text that the variable would take; null: not set. */
  value: string | null
  source: string
}

type Flagged = Flags & WorkingFlags

const MASK = '***'

/** By variable: what it came to, and the flag that can say it. */
const SETTINGS: Readonly<Record<string, { value(config: Config): unknown; flag?: keyof Flagged }>> = {
  DATABASE_URL: { value: (c) => c.databaseUrl, flag: 'databaseUrl' },
  PORT: { value: (c) => c.port, flag: 'port' },
  HOST: { value: (c) => c.host, flag: 'host' },
  ROWBEAT_DATA_DIR: { value: (c) => c.dataDir, flag: 'dataDir' },
  ROWBEAT_TASKS: { value: (c) => c.taskGlobs.join(',') },
  ROWBEAT_APP: { value: (c) => c.app },
  ROWBEAT_TIMEZONE: { value: (c) => c.timezone },
  ROWBEAT_RESULT_RETENTION: { value: (c) => span(c.resultRetentionMs) },
  ROWBEAT_QUEUES: { value: (c) => queues(c.queues), flag: 'queues' },
  ROWBEAT_CONCURRENCY: { value: (c) => c.concurrency, flag: 'concurrency' },
  ROWBEAT_UNKNOWN_QUEUE: { value: (c) => c.unknownQueue },
  ROWBEAT_PREFETCH: { value: (c) => c.prefetch, flag: 'prefetch' },
  ROWBEAT_WORKER_NAME: { value: (c) => c.workerName, flag: 'name' },
  ROWBEAT_PROCESSES: { value: (c) => c.processes, flag: 'processes' },
  ROWBEAT_MAX_RUNS_PER_PROCESS: { value: (c) => c.maxRunsPerProcess, flag: 'maxRunsPerProcess' },
  ROWBEAT_MAX_MEMORY_PER_PROCESS: {
    value: (c) => (c.maxMemoryPerProcess === null ? null : `${megabytes(c.maxMemoryPerProcess)}MB`),
    flag: 'maxMemoryPerProcess',
  },
  ROWBEAT_MAX_RUNS: { value: (c) => c.maxRuns, flag: 'maxRuns' },
  ROWBEAT_AUTOSCALE: {
    value: (c) => c.autoscale && `${c.autoscale.max},${c.autoscale.min}`,
    flag: 'autoscale',
  },
  ROWBEAT_AUTOSCALE_KEEP_ALIVE: { value: (c) => span(c.autoscaleKeepAliveMs), flag: 'autoscaleKeepAlive' },
  ROWBEAT_THREADS: { value: (c) => c.threads, flag: 'threads' },
  ROWBEAT_TIME_LIMIT: { value: (c) => c.timeLimitMs && span(c.timeLimitMs), flag: 'timeLimit' },
  ROWBEAT_SOFT_TIME_LIMIT: {
    value: (c) => c.softTimeLimitMs && span(c.softTimeLimitMs),
    flag: 'softTimeLimit',
  },
  ROWBEAT_GRACE: { value: (c) => span(c.graceMs), flag: 'grace' },
  ROWBEAT_LOG_LEVEL: { value: (c) => c.logLevel },
  ROWBEAT_PREPARE: { value: (c) => c.prepare },
  ROWBEAT_ADMIN_EMAIL: { value: (c) => c.adminEmail },
  ROWBEAT_ADMIN_PASSWORD: { value: (c) => c.adminPassword },
  ROWBEAT_SECRET: { value: (c) => c.secret },
  ROWBEAT_RATE_LIMIT: { value: (c) => rates(c.rateLimits) },
  ROWBEAT_TRUST_PROXY: { value: (c) => c.trustProxy?.join(',') },
  ROWBEAT_ADMIN: { value: (c) => c.admin },
  ROWBEAT_HTTP_TASK: { value: (c) => c.httpTask },
  ROWBEAT_HTTP_ALLOW: { value: (c) => c.httpAllow.join(',') || null },
  ROWBEAT_HTTP_HTTPS_ONLY: { value: (c) => c.httpHttpsOnly },
  SMTP_URL: { value: (c) => c.smtpUrl },
}

/** Throws ConfigError, as every command would with these flags. */
export async function listSettings(flags: Flagged): Promise<Setting[]> {
  // Looked at before the configuration is read, which hands `.env` on to the environment.
  const layers = readLayers()
  const file = await readConfigFile(process.cwd())
  const examples = file.given ? {} : examplesOf({ ...file.environment, ...layers.dotenv, ...layers.own })
  const { config } = await readSettings(flags, flags)
  return Object.entries(SETTINGS).map(([variable, { value, flag }]) => {
    const found = value(config)
    const text = found === null || found === undefined ? null : String(found)
    const source = examples[variable]
      ? 'examples'
      : sourceOf(variable, flag && flags[flag] !== undefined ? flag : null, layers, file)
    return settle({ name: nameOf(variable), variable, value: mask(variable, text), source }, config)
  })
}

/** Which database is used when nobody names one, is no default of the program: it is noted. */
function settle(setting: Setting, config: Config): Setting {
  if (setting.variable !== 'DATABASE_URL' || setting.value !== null) return setting
  const noted = readCredentials(config.dataDir)?.databaseUrl
  return noted ? { ...setting, value: mask('DATABASE_URL', noted), source: 'credentials.json' } : setting
}

function sourceOf(
  variable: string,
  flag: string | null,
  { dotenv, own }: { dotenv: Environment; own: Environment },
  file: { name: string | null; environment: Environment },
): string {
  const among = (env: Environment): string | null => {
    if (env[variable]) return ''
    if (env[`${variable}_FILE`] && isSecret(variable)) return ` (${variable}_FILE)`
    if (variable !== 'DATABASE_URL') return null
    const libpq = ['PGHOST', 'PGDATABASE'].find((name) => env[name])
    return libpq ? ` (${libpq})` : null
  }
  if (flag !== null) return `flag --${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  const beside = among(own)
  if (beside !== null) return `environment${beside}`
  const noted = among(dotenv)
  if (noted !== null) return `.env${noted}`
  return file.environment[variable] === undefined ? 'default' : file.name!
}

function nameOf(variable: string): string {
  const field = Object.entries(FIELDS).find(([, known]) => known === variable)?.[0]
  const bare = variable.replace(/^ROWBEAT_/, '').toLowerCase()
  return field ?? bare.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** Of an address everything but its password; of any other secret nothing. */
function mask(variable: string, text: string | null): string | null {
  if (text === null || !isSecret(variable)) return text
  if (!URL.canParse(text)) return MASK
  const url = new URL(text)
  if (url.password) url.password = MASK
  for (const name of url.searchParams.keys())
    if (/passw|secret|token|key/i.test(name)) url.searchParams.set(name, MASK)
  return url.href
}

const UNITS: readonly [ms: number, unit: string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
  [1, 'ms'],
]

/** In the largest unit that tells it whole. */
function span(ms: number): string {
  const [size, unit] = UNITS.find(([candidate]) => ms % candidate === 0)!
  return `${ms / size}${unit}`
}

function queues(served: Readonly<Record<string, number>>): string {
  return Object.entries(served)
    .map(([name, slots]) => `${name}:${slots}`)
    .join(',')
}

/** `none` is a word of its own: nobody is limited. */
function rates(limits: Config['rateLimits']): string {
  const units: Record<number, string> = { 1000: 's', 60_000: 'm', 3_600_000: 'h' }
  const told = Object.entries(limits).flatMap(([who, rate]: [string, RequestRate | null]) =>
    rate === null ? [] : [`${who}:${rate.count}/${units[rate.perMs]}`],
  )
  return told.join(',') || 'none'
}

function megabytes(bytes: number): number {
  return Math.round((bytes / 2 ** 20) * 1000) / 1000
}
