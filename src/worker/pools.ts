/**
 * The connections of a worker: a node-postgres pool for claims, outcomes and the dispatcher, with a deadline on every
 * statement so that a half-open connection is noticed, and connections for transactional tasks, which have none.
 */
import pg from 'pg'
import { sleep } from '../clock.ts'
import { nodePostgresAddress } from '../db/address.ts'
import { connect } from '../db/connect.ts'
import { toQueryable, type DatabaseHandle, type Queryable } from '../db/handle.ts'
import { isMigrated } from '../db/migrate.ts'
import { StoreError } from '../errors.ts'
import { openTransactions } from './transactions.ts'

/** A statement of the runner that takes longer is cut and tried again on another connection. */
const DEADLINE_MS = 5000

export interface PoolsOptions {
  databaseUrl: string
  prepare: boolean
  lanes: number
  /** Whether any task is transactional. */
  transactional: boolean
  /** The user's own handle for them. */
  db: DatabaseHandle | undefined
  onError(error: Error): void
}

export interface Pools {
  pool: pg.Pool
  /** The pool, with our statements prepared under their names. */
  db: Queryable
  /** What transactional tasks begin their transactions on. */
  tasks: DatabaseHandle
  /** Before the first run. */
  prepare(): Promise<void>
  end(): Promise<void>
}

export function openPools(options: PoolsOptions): Pools {
  const pool = new pg.Pool({
    ...nodePostgresAddress(options.databaseUrl),
    application_name: 'rowbeat worker',
    max: Math.min(12, 5 + options.lanes),
    keepAlive: true,
    connectionTimeoutMillis: 3000,
    query_timeout: DEADLINE_MS,
    idleTimeoutMillis: 60_000,
  })
  pool.on('error', options.onError)
  const own =
    options.transactional && !options.db ? openTransactions(options.databaseUrl, options.prepare) : null
  return {
    pool,
    db: options.prepare ? toPrepared(pool) : toQueryable(pool),
    tasks: options.db ?? own?.handle ?? pool,
    prepare: async () => void (await own?.prepare()),
    async end() {
      const patience = new AbortController()
      await Promise.race([pool.end(), sleep(1000, patience.signal)])
      patience.abort()
      await own?.end()
    },
  }
}

/** Our statements carry their name as a comment; on our own pool that is also the name of their prepared statement. */
function toPrepared(pool: pg.Pool): Queryable {
  return {
    async query(text, parameters = []) {
      const name = /^\/\* (\w+) \*\//.exec(text)?.[1]
      return (await pool.query({ text, values: [...parameters], ...(name ? { name } : {}) })).rows
    },
  }
}

/** Throws RB_SCHEMA_BEHIND unless the database is at the schema of this release. */
export async function requireMigrated(url: string, prepare: boolean): Promise<void> {
  const sql = connect({ url, role: 'worker', max: 1, prepare })
  try {
    if (await isMigrated(sql)) return
    throw new StoreError(
      'RB_SCHEMA_BEHIND',
      'The database is not at the schema of this release: run `rowbeat migrate`.',
    )
  } finally {
    await sql.end({ timeout: 1 })
  }
}
