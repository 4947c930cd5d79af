/**
 * Migrations: graphile-worker's into `rowbeat_queue`, ours (plain SQL files in drizzle/) into `rowbeat`, the views
 * last, all under one advisory lock, so that any number of processes may start at once.
 *
 * Our view reads graphile's tables, and a dependent view would block a migration of theirs that changes a column. So
 * when theirs are behind, the views are dropped first, and forgotten, so that a migration that dies in between makes them
 * again at the next try. When only drizzle/views.sql changed, they are replaced in place.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { StoreError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { nodePostgresAddress } from './address.ts'
import { connect, explainDatabaseError, withConnection, type Sql } from './connect.ts'
import { analyzeStore, QUEUE_MIGRATION, QUEUE_SCHEMA, readQueueMigration } from './statements/jobs.ts'
import { toQueryable } from './handle.ts'
import {
  dropViews,
  lockMigrations,
  prepareMigrations,
  readAppliedMigrations,
  readServerVersion,
  recordMigration,
  unlockMigrations,
} from './statements/migrations.ts'

const OLDEST_SERVER = 150_000
const DEPENDENT_OBJECTS = '2BP01'
const INVALID_TABLE_DEFINITION = '42P16'

/** One pending step: what it is called and the SQL it would run. */
export interface MigrationStep {
  name: string
  sql: string
}

export interface MigrateOptions {
  url: string
  log?: Logger
  /** Only tell what is pending. */
  dryRun?: boolean
}

/** Brings the store to this release. Safe to run at any time, any number at once. Errors: RB_DB_TOO_OLD, RB_SCHEMA_AHEAD, RB_DB_UNREACHABLE. */
export async function migrate({
  url,
  log,
  dryRun = false,
}: MigrateOptions): Promise<{ applied: string[]; pending: MigrationStep[] }> {
  const sql = connect({ url, role: 'migrate', max: 1 })
  try {
    const db = toQueryable(sql)
    await requireServer(sql)
    if (dryRun) return { applied: [], pending: await pendingSteps(sql) }
    await lockMigrations(db)
    try {
      await prepareMigrations(db)
      const pending = await pendingSteps(sql)
      for (const step of pending) {
        await applyStep(sql, url, step)
        log?.info({ migration: step.name }, 'migration applied')
      }
      if (pending.length > 0) await analyzeStore(db)
      return { applied: pending.map((step) => step.name), pending: [] }
    } finally {
      await unlockMigrations(db).catch(() => {})
    }
  } catch (error) {
    throw explainDatabaseError(error, url)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

async function requireServer(sql: Sql): Promise<void> {
  const version = await readServerVersion(toQueryable(sql))
  if (version.number >= OLDEST_SERVER) return
  throw new StoreError(
    'RB_DB_TOO_OLD',
    `PostgreSQL ${version.text} is too old: Rowbeat needs 15 or newer, so upgrade the server or point DATABASE_URL at another.`,
  )
}

async function pendingSteps(sql: Sql): Promise<MigrationStep[]> {
  const db = toQueryable(sql)
  const known = new Set(await readAppliedMigrations(db))
  const files = readMigrationFiles()
  const ahead = [...known].find(
    (name) => !name.startsWith('views') && !files.some((file) => file.name === name),
  )
  if (ahead) {
    throw new StoreError(
      'RB_SCHEMA_AHEAD',
      `The database has migration ${ahead}, which this release does not know: install the newer Rowbeat that made it.`,
    )
  }
  const steps: MigrationStep[] = []
  const queue = await readQueueMigration(db)
  if (queue > QUEUE_MIGRATION) {
    throw new StoreError(
      'RB_SCHEMA_AHEAD',
      `The queue tables are at migration ${queue}; this release knows ${QUEUE_MIGRATION}: install the newer Rowbeat.`,
    )
  }
  if (queue < QUEUE_MIGRATION)
    steps.push({ name: `graphile-worker ${queue} -> ${QUEUE_MIGRATION}`, sql: readQueueFiles(queue) })
  steps.push(...files.filter((file) => !known.has(file.name)))
  const views = viewsStep()
  if (steps.length > 0 || !known.has(views.name)) steps.push(views)
  return steps
}

async function applyStep(sql: Sql, url: string, step: MigrationStep): Promise<void> {
  if (step.name.startsWith('graphile-worker')) {
    await removeViews(sql)
    const [{ runMigrations }, { default: pg }] = await Promise.all([import('graphile-worker'), import('pg')])
    const pool = new pg.Pool({ ...nodePostgresAddress(url), application_name: 'rowbeat migrate', max: 1 })
    // Said by the statement that needed it.
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
    try {
      await runMigrations({ pgPool: pool, schema: QUEUE_SCHEMA })
    } finally {
      await pool.end()
    }
    return
  }
  const apply = (): Promise<void> =>
    sql.begin(async (tx) => {
      await tx.unsafe(step.sql).simple()
      await recordMigration(toQueryable(tx), step.name)
    })
  try {
    await apply()
  } catch (error) {
    // A view whose columns changed cannot be replaced in place, only made anew.
    if (!step.name.startsWith('views') || (error as { code?: string }).code !== INVALID_TABLE_DEFINITION)
      throw error
    await removeViews(sql)
    await apply()
  }
}

/** All or nothing; refused, with nothing changed, while something of the user's depends on a view. */
async function removeViews(sql: Sql): Promise<void> {
  try {
    await sql.begin((tx) => dropViews(toQueryable(tx)))
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string }
    if (code !== DEPENDENT_OBJECTS) throw error
    throw new StoreError(
      'RB_VIEW_IN_USE',
      `The views of Rowbeat must be made anew and something of yours depends on them (${detail?.replaceAll('\n', ', ')}): drop it, run \`rowbeat migrate\`, and make it again.`,
      { cause: error },
    )
  }
}

/** True when nothing is pending: what /readyz and a starting worker ask. */
export async function isMigrated(sql: Sql): Promise<boolean> {
  return (await pendingSteps(sql)).length === 0
}

/** Throws RB_SCHEMA_BEHIND unless the database is at the schema of this release; RB_DB_UNREACHABLE. */
export async function requireMigrated(url: string, role: string, prepare = true): Promise<void> {
  const done = await withConnection({ url, role, prepare }, isMigrated).catch((error: unknown) => {
    throw explainDatabaseError(error, url)
  })
  if (done) return
  throw new StoreError(
    'RB_SCHEMA_BEHIND',
    'The database is not at the schema of this release: run `rowbeat migrate`.',
  )
}

function readMigrationFiles(): MigrationStep[] {
  const folder = new URL('../../drizzle/', import.meta.url)
  return readdirSync(fileURLToPath(folder))
    .filter((file) => /^\d{4}_.*\.sql$/.test(file))
    .sort()
    .map((file) => ({ name: file.replace(/\.sql$/, ''), sql: readFileSync(new URL(file, folder), 'utf8') }))
}

/** Named by its content: a changed file is a pending step. */
function viewsStep(): MigrationStep {
  const sql = readFileSync(new URL('../../drizzle/views.sql', import.meta.url), 'utf8')
  return { name: `views ${createHash('sha256').update(sql).digest('hex').slice(0, 12)}`, sql }
}

function readQueueFiles(applied: number): string {
  const folder = new URL('../sql/', import.meta.resolve('graphile-worker'))
  return readdirSync(fileURLToPath(folder))
    .filter((file) => Number.parseInt(file, 10) > applied)
    .sort()
    .map((file) =>
      readFileSync(new URL(file, folder), 'utf8').replaceAll(':GRAPHILE_WORKER_SCHEMA', QUEUE_SCHEMA),
    )
    .join('\n')
}
