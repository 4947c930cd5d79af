/**
 * A test's own world: `const { url, sql } = await setup(t)` is a fresh, migrated database cloned from the template in
 * some 50 ms, dropped when `t` ends. Nothing is shared with another test but the server. Works the same when a file
 * runs alone: `node test/x.test.ts`.
 */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { toQueryable } from '../../src/db/handle.ts'
import type { Queryable } from '../../src/db/handle.ts'
import { ensureServer, ensureTemplate, urlOf } from './server.ts'

export interface Bundle {
  /** Connects as the owner, an ordinary role. */
  readonly url: string
  /** The same database as superuser: to kill sessions, read plans, spoil things. */
  readonly adminUrl: string
  /** Of the owner. */
  readonly sql: postgres.Sql
  readonly admin: postgres.Sql
  readonly db: Queryable
}

interface Owner {
  teardown(handler: () => unknown): unknown
}

/** A database for `t` alone; `empty: true` gives one without our tables. */
export async function setup(t: Owner, options: { empty?: boolean } = {}): Promise<Bundle> {
  const server = await ensureServer()
  const template = options.empty ? 'template0' : await ensureTemplate(server)
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`
  const root = postgres(server.adminUrl, { max: 1, onnotice: () => {} })
  await root.unsafe(`create database ${name} template ${template} owner rowbeat`)
  const [url, adminUrl] = [urlOf(server.url, name), urlOf(server.adminUrl, name)]
  const sql = postgres(url, { onnotice: () => {} })
  const admin = postgres(adminUrl, { max: 2, onnotice: () => {} })
  t.teardown(async () => {
    await Promise.all([sql.end({ timeout: 1 }), admin.end({ timeout: 1 })])
    await root.unsafe(`drop database if exists ${name} with (force)`)
    await root.end({ timeout: 1 })
  })
  return { url, adminUrl, sql, admin, db: toQueryable(sql) }
}
