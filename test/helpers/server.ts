/**
 * The one PostgreSQL of a test run, shared by all test files and fast (fsync off).
 *
 * It is held by a process of its own, the keeper (keeper.ts), because the process that starts it ends before the tests
 * begin. `npm test` starts it in before.ts and stops it in after.ts; a single file run by itself starts it too, and the
 * keeper ends it when nobody has used it for a while. Where it is found: a file below the system's temporary folder,
 * one for each clone. The databases that tests clone come from a template named by what the migrations hold, so an
 * edited migration gets a new template without anybody clearing anything.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { isAlive, plainEnvironment, ROOT } from './process.ts'
import { until } from './wait.ts'

export interface Server {
  /** Superuser, database `postgres`. */
  readonly adminUrl: string
  /** The role that owns what tests clone; the path is replaced for each database. */
  readonly url: string
  readonly keeper: number
  /** The `npm test` it was started for; 0: a file run alone. */
  readonly runner: number
}

const NAME = createHash('sha256').update(ROOT).digest('hex').slice(0, 10)
export const SERVER_DIR = join(tmpdir(), `rowbeat-test-${process.getuid?.() ?? 0}-${NAME}`)
const SERVER_FILE = join(SERVER_DIR, 'server.json')

/** The running server, or null. */
export function findServer(): Server | null {
  try {
    const server = JSON.parse(readFileSync(SERVER_FILE, 'utf8')) as Server
    return isAlive(server.keeper) ? server : null
  } catch {
    return null
  }
}

/** The shared server, started when it does not run. `runner`: the process whose end ends it. */
export async function ensureServer(runner = 0): Promise<Server> {
  const running = findServer()
  if (running) return running
  mkdirSync(SERVER_DIR, { recursive: true, mode: 0o711 })
  const log = openSync(join(SERVER_DIR, 'keeper.log'), 'w')
  const keeper = spawn(
    process.execPath,
    [join(ROOT, 'test/helpers/keeper.ts'), SERVER_FILE, String(runner)],
    {
      detached: true,
      env: plainEnvironment(),
      stdio: ['ignore', log, log],
    },
  )
  keeper.unref()
  return until(`the test PostgreSQL runs (see ${join(SERVER_DIR, 'keeper.log')})`, () => findServer(), {
    timeout: 60_000,
  })
}

/** The template database with all migrations applied, made by whoever needs it first. */
export async function ensureTemplate(server: Server): Promise<string> {
  const name = `template_${migrationsHash()}`
  const admin = postgres(server.adminUrl, { max: 1, onnotice: () => {} })
  try {
    const isThere = async (): Promise<boolean> =>
      (await admin`select from pg_database where datname = ${name}`).length > 0
    if (await isThere()) return name
    await admin`select pg_advisory_lock(hashtext(${name}))`
    if (await isThere()) return name
    const half = `${name}_half`
    await admin.unsafe(`drop database if exists ${half} with (force)`)
    await admin.unsafe(`create database ${half} owner rowbeat`)
    const { migrate } = await import('../../src/db/migrate.ts')
    await migrate({ url: urlOf(server.url, half) })
    await admin.unsafe(`alter database ${half} rename to ${name}`)
    return name
  } finally {
    await admin.end()
  }
}

/** `url` for another database of the same server. */
export function urlOf(url: string, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}

function migrationsHash(): string {
  const hash = createHash('sha256')
  const drizzle = join(ROOT, 'drizzle')
  const files = readdirSync(drizzle).filter((file) => file.endsWith('.sql'))
  for (const file of files.toSorted()) hash.update(file).update(readFileSync(join(drizzle, file)))
  for (const file of ['src/db/migrate.ts', 'package-lock.json']) hash.update(readFileSync(join(ROOT, file)))
  return hash.digest('hex').slice(0, 12)
}
