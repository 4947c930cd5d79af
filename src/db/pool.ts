/**
 * The node-postgres pool of a process that must notice by itself when a connection has gone quiet: each statement has
 * a deadline, and a connection that missed one is thrown away. Our statements are prepared under the names they carry.
 */
import pg from 'pg'
import { sleep } from '../clock.ts'
import { nodePostgresAddress } from './address.ts'
import { toQueryable, type Queryable } from './handle.ts'

/** A statement that takes longer is cut and tried again on another connection. */
const DEADLINE_MS = 5000

export interface PoolOptions {
  url: string
  /** Shown in pg_stat_activity as `rowbeat <role>`. */
  role: string
  max: number
  /** false behind PgBouncer in transaction mode. */
  prepare: boolean
  /** An idle connection broke. */
  onError(error: Error): void
}

export interface OpenPool {
  pool: pg.Pool
  /** The pool, with our statements prepared under their names. */
  db: Queryable
  /** Waits a second at most for statements that are on their way. */
  end(): Promise<void>
}

export function openPool({ url, role, max, prepare, onError }: PoolOptions): OpenPool {
  const pool = new pg.Pool({
    ...nodePostgresAddress(url),
    application_name: `rowbeat ${role}`,
    max,
    keepAlive: true,
    connectionTimeoutMillis: 3000,
    query_timeout: DEADLINE_MS,
    idleTimeoutMillis: 60_000,
  })
  pool.on('error', onError)
  // A server that says good-bye in the very packet in which it says "ready" is heard before whoever asked for the client can listen;
  // an error that nobody listens to ends the process. The next statement on that client says it again.
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    pool,
    db: prepare ? toPrepared(pool) : toQueryable(pool),
    async end() {
      const patience = new AbortController()
      await Promise.race([pool.end(), sleep(1000, patience.signal)])
      patience.abort()
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
