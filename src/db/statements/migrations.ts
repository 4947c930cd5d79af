/**
 * Statements of `rowbeat migrate`: its lock, its bookkeeping, and the questions it asks the server first.
 */
import type { Queryable } from '../handle.ts'

/** Any fixed number: the lock every migrating process takes. */
const LOCK = 7_307_246_021

export async function readServerVersion(db: Queryable): Promise<{ number: number; text: string }> {
  const [row] = await db.query<{ number: string; text: string }>(
    `/* read_server_version */ select current_setting('server_version_num') as number, current_setting('server_version') as text`,
  )
  return { number: Number(row!.number), text: row!.text }
}

/** Session lock, held over graphile-worker's own transactions too. Who waits for it may wait for longer than a DBA lets statements run. */
export async function lockMigrations(db: Queryable): Promise<void> {
  await db.query(`/* wait_long */ select set_config('statement_timeout', '0', false)`)
  await db.query(`/* lock_migrations */ select pg_advisory_lock(${LOCK})`)
}

export async function unlockMigrations(db: Queryable): Promise<void> {
  await db.query(`/* unlock_migrations */ select pg_advisory_unlock(${LOCK})`)
}

/** Only what is missing: `if not exists` asks for the right to create even where there is nothing to create. */
export async function prepareMigrations(db: Queryable): Promise<void> {
  if (await hasMigrations(db)) return
  await db.query(`/* create_schema */ create schema if not exists rowbeat`)
  await db.query(
    `/* create_migrations */ create table if not exists rowbeat.migrations (name text primary key, applied_at timestamptz not null default now())`,
  )
}

/** Names of the steps that have run; none when the store was never made. */
export async function readAppliedMigrations(db: Queryable): Promise<string[]> {
  if (!(await hasMigrations(db))) return []
  const rows = await db.query<{ name: string }>(
    `/* read_migrations */ select name from rowbeat.migrations order by name`,
  )
  return rows.map((row) => row.name)
}

async function hasMigrations(db: Queryable): Promise<boolean> {
  const [table] = await db.query<{ there: boolean }>(
    `/* has_migrations */ select to_regclass('rowbeat.migrations') is not null as there`,
  )
  return table!.there
}

export async function recordMigration(db: Queryable, name: string): Promise<void> {
  if (name.startsWith('views')) {
    await db.query(`/* forget_views */ delete from rowbeat.migrations where name like 'views %'`)
  }
  await db.query(`/* record_migration */ insert into rowbeat.migrations (name) values ($1::text)`, [name])
}

/** Our view reads graphile's tables; it must not stand in the way of a migration that changes a column there. */
export async function dropViews(db: Queryable): Promise<void> {
  await db.query(`/* forget_views */ delete from rowbeat.migrations where name like 'views %'`)
  await db.query(`/* drop_run_json */ drop function if exists rowbeat.run_json_v1`)
  await db.query(`/* drop_run */ drop function if exists rowbeat.run`)
  await db.query(`/* drop_runs */ drop view if exists rowbeat.runs`)
}
