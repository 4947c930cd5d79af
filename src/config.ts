/**
 * Configuration from the environment: the only file that knows the names of variables. Flags beat the environment,
 * the environment beats the defaults here. An unknown `ROWBEAT_` variable is refused at start, because a mistyped
 * setting that is silently ignored is found out much later, in production.
 */
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import ipaddr from 'ipaddr.js'
import { durationMs } from './duration.ts'
import { ConfigError } from './errors.ts'
import { readText, SECRETS } from './secrets.ts'
import { parseSize } from './size.ts'

/** Environment variables as plain data. */
export type Environment = Record<string, string | undefined>

export interface Config {
  readonly port: number
  readonly host: string
  /** null: `rowbeat start` runs its own PostgreSQL; other commands read credentials.json in the data directory. */
  readonly databaseUrl: string | null
  readonly dataDir: string
  readonly taskGlobs: readonly string[]
  /** A module with `export async function routes(app, { rowbeat, databaseUrl })`, mounted beside the REST API. */
  readonly app: string | null
  readonly timezone: string
  readonly resultRetentionMs: number
  /** Running runs at once for a queue that names no number of its own. */
  readonly concurrency: number
  /** Queue -> running runs at once in one worker process. */
  readonly queues: Readonly<Record<string, number>>
  /** Runs to hold ahead of free slots; null: measured. */
  readonly prefetch: number | null
  /** How its runs call a worker, with %h, %n, %d, %i in it (worker/name.ts); null: made up. */
  readonly workerName: string | null
  /** Worker processes; more than one, or one with a limit, has a parent. */
  readonly processes: number
  /** Runs after which a worker process gives way to another. */
  readonly maxRunsPerProcess: number | null
  /** Bytes of resident memory, the same. */
  readonly maxMemoryPerProcess: number | null
  /** Runs after which a worker ends. */
  readonly maxRuns: number | null
  /** Runs at once of each queue, as the backlog asks; null: as `queues` says. */
  readonly autoscale: Autoscale | null
  readonly autoscaleKeepAliveMs: number
  /** Isolated runs at once; null: as many as there are processors. */
  readonly threads: number | null
  /** Of runs whose call and task name none; null: none. */
  readonly timeLimitMs: number | null
  readonly softTimeLimitMs: number | null
  /** What becomes of a run for a queue that has no row in rowbeat.queues. */
  readonly unknownQueue: 'create' | 'refuse'
  readonly graceMs: number
  readonly logLevel: string
  /** false behind PgBouncer in transaction mode: no prepared statements. */
  readonly prepare: boolean
  readonly adminEmail: string
  readonly adminPassword: string | null
  /** What signs access tokens; null: a key that is made once and kept in the database. */
  readonly secret: string | null
  readonly rateLimits: RateLimits
  /** Whose X-Forwarded-For is believed: addresses and networks; null: nobody's. */
  readonly trustProxy: readonly string[] | null
  readonly smtpUrl: string | null
  /** Whether the API has the panel, at /admin. */
  readonly admin: boolean
  /** Whether workers know `rowbeat.http`, the task that calls an address. */
  readonly httpTask: boolean
  /** Hosts and networks that `rowbeat.http` and webhooks may call although they are private. */
  readonly httpAllow: readonly string[]
  /** http:// only to those. */
  readonly httpHttpsOnly: boolean
}

/** Requests in a while that each key, each person, and each address without either may send; null: as many as they like. */
export interface RateLimits {
  readonly key: RequestRate | null
  readonly user: RequestRate | null
  readonly anonymous: RequestRate | null
}

export interface RequestRate {
  readonly count: number
  readonly perMs: number
}

export const NO_RATE_LIMITS: RateLimits = Object.freeze({ key: null, user: null, anonymous: null })

export interface Autoscale {
  readonly max: number
  readonly min: number
}

const KNOWN = [
  'ROWBEAT_DATA_DIR',
  'ROWBEAT_TASKS',
  'ROWBEAT_APP',
  'ROWBEAT_TIMEZONE',
  'ROWBEAT_RESULT_RETENTION',
  'ROWBEAT_CONCURRENCY',
  'ROWBEAT_QUEUES',
  'ROWBEAT_PREFETCH',
  'ROWBEAT_WORKER_NAME',
  'ROWBEAT_PROCESSES',
  'ROWBEAT_MAX_RUNS_PER_PROCESS',
  'ROWBEAT_MAX_MEMORY_PER_PROCESS',
  'ROWBEAT_MAX_RUNS',
  'ROWBEAT_AUTOSCALE',
  'ROWBEAT_AUTOSCALE_KEEP_ALIVE',
  'ROWBEAT_THREADS',
  'ROWBEAT_TIME_LIMIT',
  'ROWBEAT_SOFT_TIME_LIMIT',
  'ROWBEAT_UNKNOWN_QUEUE',
  'ROWBEAT_GRACE',
  'ROWBEAT_LOG_LEVEL',
  'ROWBEAT_PREPARE',
  'ROWBEAT_ADMIN',
  'ROWBEAT_ADMIN_EMAIL',
  'ROWBEAT_ADMIN_PASSWORD',
  'ROWBEAT_HTTP_TASK',
  'ROWBEAT_HTTP_ALLOW',
  'ROWBEAT_HTTP_HTTPS_ONLY',
  'ROWBEAT_SECRET',
  'ROWBEAT_RATE_LIMIT',
  'ROWBEAT_TRUST_PROXY',
] as const

export const PROCESSES_MAX = 256
export const RUNS_MAX = 1_000_000_000
const MEMORY_MIN = 128 * 2 ** 20
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** This process's environment, with `.env` of the working directory under it. */
export function readEnvironment(cwd: string = process.cwd()): Environment {
  const { dotenv, own } = readLayers(cwd)
  return { ...dotenv, ...own }
}

/** The two apart: for who has to say where a setting comes from. */
export function readLayers(cwd: string = process.cwd()): { dotenv: Environment; own: Environment } {
  const file = resolve(cwd, '.env')
  // A folder of that name is some Python's, not ours.
  const isThere = statSync(file, { throwIfNoEntry: false })?.isFile()
  return { dotenv: isThere ? parseEnv(readText(file)) : {}, own: { ...process.env } }
}

/** Lets the user's own modules, which read process.env, see what `.env`, files and the command line said; undefined is unset. */
export function shareEnvironment(values: Environment): void {
  for (const [name, value] of Object.entries(values))
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
}

/** Reads the configuration; `flags` (from the command line) win. Throws ConfigError: one sentence, what and how to mend. */
export function readConfig(env: Environment, flags: Partial<Config> = {}): Config {
  refuseUnknown(env)
  const concurrency = flags.concurrency ?? integer(env, 'ROWBEAT_CONCURRENCY', 10, 1, 10_000)
  const queues = flags.queues ?? parseQueues(env.ROWBEAT_QUEUES || 'default,high', concurrency)
  const defined = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  return Object.freeze({
    port: integer(env, 'PORT', 4000, 0, 65_535),
    host: env.HOST || '127.0.0.1',
    databaseUrl: databaseUrl(env),
    dataDir: resolve(env.ROWBEAT_DATA_DIR || '.rowbeat'),
    taskGlobs: (env.ROWBEAT_TASKS ?? 'tasks/**/*.{ts,js,mjs},src/**/tasks.{ts,js,mjs}')
      .split(/,(?![^{]*\})/)
      .filter(Boolean),
    app: env.ROWBEAT_APP || null,
    timezone: zone(env.ROWBEAT_TIMEZONE || 'UTC'),
    resultRetentionMs: durationMs(env.ROWBEAT_RESULT_RETENTION || '30 days', 'ROWBEAT_RESULT_RETENTION'),
    unknownQueue: oneOf(env, 'ROWBEAT_UNKNOWN_QUEUE', 'create', ['create', 'refuse']),
    graceMs: durationMs(env.ROWBEAT_GRACE || '25s', 'ROWBEAT_GRACE'),
    logLevel: oneOf(env, 'ROWBEAT_LOG_LEVEL', 'info', LEVELS),
    prepare: oneOf(env, 'ROWBEAT_PREPARE', 'true', ['true', 'false']) === 'true',
    admin: oneOf(env, 'ROWBEAT_ADMIN', 'true', ['true', 'false']) === 'true',
    adminEmail: env.ROWBEAT_ADMIN_EMAIL || 'admin@localhost',
    adminPassword: env.ROWBEAT_ADMIN_PASSWORD || null,
    secret: given(env, 'ROWBEAT_SECRET', checkSecret),
    rateLimits: parseRateLimits(env.ROWBEAT_RATE_LIMIT || 'anonymous:120/m'),
    trustProxy: given(env, 'ROWBEAT_TRUST_PROXY', parseProxies),
    smtpUrl: env.SMTP_URL || null,
    httpTask: oneOf(env, 'ROWBEAT_HTTP_TASK', 'true', ['true', 'false']) === 'true',
    httpAllow: (env.ROWBEAT_HTTP_ALLOW || '')
      .split(',')
      .map((entry) => entry.trim())
      .filter(Boolean),
    httpHttpsOnly: oneOf(env, 'ROWBEAT_HTTP_HTTPS_ONLY', 'true', ['true', 'false']) === 'true',
    ...readWorking(env),
    ...defined,
    concurrency,
    queues,
  })
}

/** What concerns worker processes beyond their queues. */
function readWorking(
  env: Environment,
): Pick<
  Config,
  | 'prefetch'
  | 'workerName'
  | 'processes'
  | 'maxRunsPerProcess'
  | 'maxMemoryPerProcess'
  | 'maxRuns'
  | 'autoscale'
  | 'autoscaleKeepAliveMs'
  | 'threads'
  | 'timeLimitMs'
  | 'softTimeLimitMs'
> {
  const keepAlive = env.ROWBEAT_AUTOSCALE_KEEP_ALIVE || '30s'
  return {
    prefetch: integer(env, 'ROWBEAT_PREFETCH', null, 0, 10_000),
    workerName: env.ROWBEAT_WORKER_NAME || null,
    processes: integer(env, 'ROWBEAT_PROCESSES', 1, 1, PROCESSES_MAX),
    maxRunsPerProcess: integer(env, 'ROWBEAT_MAX_RUNS_PER_PROCESS', null, 1, RUNS_MAX),
    maxMemoryPerProcess: given(env, 'ROWBEAT_MAX_MEMORY_PER_PROCESS', parseMemory),
    maxRuns: integer(env, 'ROWBEAT_MAX_RUNS', null, 1, RUNS_MAX),
    autoscale: given(env, 'ROWBEAT_AUTOSCALE', parseAutoscale),
    autoscaleKeepAliveMs: durationMs(keepAlive, 'ROWBEAT_AUTOSCALE_KEEP_ALIVE'),
    threads: integer(env, 'ROWBEAT_THREADS', null, 1, 1024),
    timeLimitMs: given(env, 'ROWBEAT_TIME_LIMIT', durationMs),
    softTimeLimitMs: given(env, 'ROWBEAT_SOFT_TIME_LIMIT', durationMs),
  }
}

export const SECRET_MIN = 32

/** What is short, or the same few characters over again, is found by trying: who has a token can try at home. */
export function checkSecret(text: string, what = 'ROWBEAT_SECRET'): string {
  if (text.length >= SECRET_MIN && new Set(text).size >= 10) return text
  throw new ConfigError(
    `${what} must have at least ${SECRET_MIN} characters, 10 of them different: take what \`openssl rand -base64 32\` prints.`,
  )
}

/** Words of Fastify's for networks that are near. */
const NEAR = ['loopback', 'linklocal', 'uniquelocal']

function parseProxies(text: string, what: string): readonly string[] {
  const proxies = text.split(/[ ,]+/).filter(Boolean)
  const isPlace = (one: string): boolean => NEAR.includes(one) || isIP(one) !== 0 || ipaddr.isValidCIDR(one)
  const wrong = proxies.find((one) => !isPlace(one))
  if (wrong === undefined) return proxies
  throw new ConfigError(
    `${what}: "${wrong}" is no address: write addresses and networks, as in "10.0.0.1,192.168.0.0/16", or ${NEAR.join(', ')}.`,
  )
}

const SPANS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

/** `key:1000/s,user:600/m,anonymous:120/m`, or `none`; who is not named has no limit. */
export function parseRateLimits(text: string, what = 'ROWBEAT_RATE_LIMIT'): RateLimits {
  const limits: Record<string, RequestRate | null> = { ...NO_RATE_LIMITS }
  for (const part of text.trim() === 'none' ? [] : text.split(',').map((word) => word.trim())) {
    const [, who = '', count = '', unit = ''] =
      /^(key|user|anonymous):([1-9]\d{0,8})\/([smh])$/.exec(part) ?? []
    if (who === '')
      throw new ConfigError(
        `${what}: "${part}" is not understood: write who and how many, as in "key:1000/s,user:600/m,anonymous:120/m", or "none".`,
      )
    limits[who] = { count: Number(count), perMs: SPANS[unit]! }
  }
  return limits as unknown as RateLimits
}

/** `20,2`: at most and at least so many; Celery's order, and `20` alone means from 1. */
export function parseAutoscale(text: string, what = 'autoscale'): Autoscale {
  const match = /^(\d{1,5})(?:,(\d{1,5}))?$/.exec(text.replaceAll(' ', ''))
  const [max, min] = [Number(match?.[1]), Number(match?.[2] ?? 1)]
  if (match && max >= min && min >= 1 && max <= 10_000) return { max, min }
  throw new ConfigError(
    `${what} is "${text}": give the most and the least runs at once, as in "20,2", from 1 to 10000.`,
  )
}

/** Bytes. A worker at rest has some 120 MB; a limit below that would replace it for ever. */
export function parseMemory(text: string, what = 'the limit of memory'): number {
  const bytes = parseSize(text)
  if (bytes !== null && bytes >= MEMORY_MIN) return bytes
  throw new ConfigError(
    `${what} is "${text}": give a size with its unit, such as "300MB" or "1.5GB", of at least 128MB.`,
  )
}

/** `high:20,default:10` or `high,default` -> queue -> concurrency. */
export function parseQueues(text: string, concurrency: number): Record<string, number> {
  const queues: Record<string, number> = {}
  for (const part of text
    .split(',')
    .map((p) => p.trim())
    .filter(Boolean)) {
    const match = /^([a-z][a-z0-9_-]{0,31})(?::(\d{1,5}))?$/.exec(part)
    if (!match || match[2] === '0') {
      throw new ConfigError(
        `queues: "${part}" is not understood: write name or name:concurrency, as in "high:20,default:10".`,
      )
    }
    queues[match[1]!] = match[2] ? Number(match[2]) : concurrency
  }
  if (Object.keys(queues).length === 0)
    throw new ConfigError('queues: name at least one queue, as in "default:10".')
  return queues
}

function refuseUnknown(env: Environment): void {
  const known: readonly string[] = [...KNOWN, ...SECRETS.map((name) => `${name}_FILE`)]
  const unknown = Object.keys(env).find((name) => name.startsWith('ROWBEAT_') && !known.includes(name))
  if (!unknown) return
  throw new ConfigError(
    `${unknown} is not a variable Rowbeat knows: unset it, or use one of ${KNOWN.join(', ')}.`,
  )
}

/** DATABASE_URL, or the PG* variables libpq uses when PGHOST, PGSERVICE's siblings PGDATABASE or PGUSER are set. */
function databaseUrl(env: Environment): string | null {
  if (env.DATABASE_URL) {
    // Several hosts, which postgres.js takes, are no URL.
    const isAddress = URL.canParse(env.DATABASE_URL) || /^[a-z]+:\/\/[^/[\]]*,/.test(env.DATABASE_URL)
    if (!isAddress || !/^postgres(ql)?:\/\//.test(env.DATABASE_URL)) {
      throw new ConfigError(
        'DATABASE_URL must begin with postgres:// or postgresql://, as in postgres://user:password@host:5432/database.',
      )
    }
    return env.DATABASE_URL
  }
  if (!env.PGHOST && !env.PGDATABASE) return null
  const user = encodeURIComponent(env.PGUSER || env.USER || 'postgres')
  const password = env.PGPASSWORD ? `:${encodeURIComponent(env.PGPASSWORD)}` : ''
  const host = env.PGHOST || 'localhost'
  const database = encodeURIComponent(env.PGDATABASE || env.PGUSER || env.USER || 'postgres')
  const query = new URLSearchParams()
  if (host.startsWith('/')) query.set('host', host)
  if (env.PGSSLMODE) query.set('sslmode', env.PGSSLMODE)
  const at = host.startsWith('/') ? 'localhost' : host
  return `postgres://${user}${password}@${at}:${env.PGPORT || 5432}/${database}${query.size ? `?${query}` : ''}`
}

function given<T>(env: Environment, name: string, parse: (text: string, what: string) => T): T | null {
  return env[name] ? parse(env[name], name) : null
}

function integer<T extends number | null>(
  env: Environment,
  name: string,
  fallback: T,
  min: number,
  max: number,
): number | T {
  const text = env[name]
  if (text === undefined || text === '') return fallback
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new ConfigError(`${name} is "${text}": give a whole number from ${min} to ${max}.`)
}

function oneOf<Word extends string>(
  env: Environment,
  name: string,
  fallback: NoInfer<Word>,
  allowed: readonly Word[],
): Word {
  const value = env[name] || fallback
  if (allowed.includes(value as Word)) return value as Word
  throw new ConfigError(`${name} is "${value}": use one of ${allowed.join(', ')}.`)
}

function zone(name: string): string {
  try {
    Intl.DateTimeFormat('en', { timeZone: name })
    return name
  } catch (cause) {
    throw new ConfigError(
      `ROWBEAT_TIMEZONE is "${name}", which is no time zone: use an IANA name such as Europe/Kyiv.`,
      { cause },
    )
  }
}
