/**
 * Connections of our own: postgres.js for everything but graphile-worker's runner, which wants node-postgres. Each
 * names its role in `application_name`, so that pg_stat_activity tells who is who, and has a deadline for connecting
 * and keepalives, because a half-open connection says nothing at all.
 */
import postgres from 'postgres'
import { StoreError } from '../errors.ts'
import { postgresJsAddress } from './address.ts'
import { isConnectionLoss } from './handle.ts'

export interface ConnectOptions {
  url: string
  /** Shown in pg_stat_activity as `rowbeat <role>`. */
  role: string
  /** Connections at most; default 4. */
  max?: number
  /** false behind PgBouncer in transaction mode. */
  prepare?: boolean
  /**
   * Ask each new connection for its array types, which users' statements may need. Default false: when the connection
   * breaks meanwhile, postgres.js rejects what nobody can catch.
   */
  arrayTypes?: boolean
}

export type Sql = postgres.Sql

/** A lazily connecting pool: nothing is opened until the first query. */
export function connect({ url, role, max = 4, prepare = true, arrayTypes = false }: ConnectOptions): Sql {
  const { url: address, ...told } = postgresJsAddress(url)
  return postgres(address, {
    ...told,
    max,
    prepare,
    fetch_types: arrayTypes,
    connect_timeout: 10,
    keep_alive: 10,
    onnotice: () => {},
    connection: { application_name: `rowbeat ${role}` },
  })
}

/** Does `work` on a connection of its own, which no other work waits for and no deadline cuts. */
export async function withConnection<T>(
  options: Omit<ConnectOptions, 'max'>,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const sql = connect({ ...options, max: 1 })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Turns a connection failure into one sentence; any other error is returned as it is. */
export function explainDatabaseError(error: unknown, url?: string): unknown {
  const { code, message } = error as { code?: string; message?: string }
  const where = url ? ` at ${describeUrl(url)}` : ''
  if (code === '28P01' || code === '28000') {
    return new StoreError(
      'RB_DB_UNREACHABLE',
      `PostgreSQL${where} refused the login: check the user and password in DATABASE_URL.`,
      { cause: error },
    )
  }
  if (code === '3D000') {
    return new StoreError(
      'RB_DB_UNREACHABLE',
      `The database${where} does not exist: create it, or correct DATABASE_URL.`,
      { cause: error },
    )
  }
  if (isConnectionLoss(error)) {
    return new StoreError(
      'RB_DB_UNREACHABLE',
      `PostgreSQL${where} cannot be reached (${code ?? message}): check that it runs and that DATABASE_URL is right.`,
      { cause: error },
    )
  }
  return error
}

function describeUrl(url: string): string {
  try {
    const { host, pathname } = new URL(url)
    return `${host}${pathname}`
  } catch {
    return 'the address in DATABASE_URL'
  }
}
