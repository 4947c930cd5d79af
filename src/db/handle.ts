/**
 * The one seam to databases. Users hand us what they have: a drizzle db, transaction or savepoint, a postgres.js
 * client or transaction, a node-postgres Pool or Client. Each is recognised by its shape (nobody's package is
 * imported), unwrapped to the driver under it, and used through two verbs: `query` and `begin`.
 *
 * Parameters are strings, numbers, booleans or null only, and JSON is bound as `$n::text::jsonb`: postgres.js encodes
 * a bare `::jsonb` parameter twice on a plain client and once after drizzle has touched that client.
 */
import { ConfigError } from '../errors.ts'
import { guard, guarded, guardOutside, type Life } from './guard.ts'

export type Parameter = string | number | boolean | null

/**
 * What every statement takes first: a place to send SQL to, inside or outside a transaction. A statement that is rare, as one
 * of very many shapes, is not kept prepared: a connection would keep them all.
 */
export interface Queryable {
  query<Row extends object>(
    text: string,
    parameters?: readonly Parameter[],
    options?: { isRare?: boolean },
  ): Promise<Row[]>
}

/** postgres.js: `sql`, or the `sql` of `sql.begin`. */
export interface PostgresJsHandle {
  unsafe(text: string, parameters?: any[], options?: { prepare?: boolean }): PromiseLike<any>
}

/** node-postgres: a Pool, a Client, or a client taken from a pool. */
export interface NodePostgresHandle {
  query(text: string, values?: any[]): Promise<{ rows: any[] }>
}

/** drizzle over either driver: a db, a transaction, a savepoint. */
export interface DrizzleHandle {
  execute(...args: any[]): any
  transaction(...args: any[]): any
}

export type DatabaseHandle = PostgresJsHandle | NodePostgresHandle | DrizzleHandle

/** The driver under a handle: a drizzle object keeps it in its session. */
export function driverOf(handle: DatabaseHandle): PostgresJsHandle | NodePostgresHandle {
  const inner = (handle as { session?: { client?: DatabaseHandle } } | null)?.session?.client ?? handle
  if (isPostgresJs(inner) || isNodePostgres(inner)) return inner
  throw new ConfigError(
    'the database handle is none Rowbeat knows: pass a drizzle db or transaction (postgres-js or node-postgres), a postgres.js sql, or a node-postgres Pool or Client.',
  )
}

export function toQueryable(handle: DatabaseHandle): Queryable {
  const driver = driverOf(handle)
  if (isPostgresJs(driver)) {
    // A client opened with prepare: false wins over this option, so it is right behind PgBouncer too.
    return {
      query: async (text, parameters = [], { isRare = false } = {}) =>
        await driver.unsafe(text, [...parameters], { prepare: !isRare }),
    }
  }
  return { query: async (text, parameters = []) => (await driver.query(text, [...parameters])).rows }
}

/** What begins a transaction: of a postgres.js sql, of one inside a transaction, of a node-postgres Pool. */
interface Beginner<T> {
  begin?: (work: unknown) => Promise<T>
  savepoint?: (work: unknown) => Promise<T>
  connect?: () => Promise<any>
}

/** Runs `work` in a transaction (inside one: a savepoint) of the handle's own kind and gives it that kind of transaction. */
export async function begin<T>(handle: DatabaseHandle, work: (tx: DatabaseHandle) => Promise<T>): Promise<T> {
  const driver = driverOf(handle) as Beginner<T>
  if ('session' in handle && 'transaction' in handle) {
    if (isPostgresJs(driver)) return await guarded((inside) => handle.transaction(inside), work)
    return await handle.transaction((tx: any) => unharmed(tx.session?.client, tx, guardOutside, work))
  }
  const start = driver.begin ?? driver.savepoint
  if (isPostgresJs(driver) && typeof start === 'function')
    return await guarded((inside) => start.call(driver, inside), work)
  if (typeof driver.connect !== 'function') {
    throw new ConfigError(
      'the database handle cannot begin a transaction: pass a db, an sql or a Pool, not a single client or transaction.',
    )
  }
  const client = await driver.connect()
  let failure: unknown
  try {
    await client.query('BEGIN')
    const value = await unharmed(client, client, guard, work)
    await client.query('COMMIT')
    return value
  } catch (error) {
    failure = error
    await client.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    client.release(isConnectionLoss(failure) ? failure : undefined)
  }
}

/** What node-postgres says without a code. */
const LOST =
  /Connection (terminated|ended)|Query read timeout|timeout exceeded when trying to connect|encountered a connection error|not queryable/i

/** node-postgres tells a client that its connection broke; where nobody listens, that ends the process. The next query says it too. */
async function unharmed<T>(
  client: any,
  tx: object,
  guardOf: (tx: any, life: Life) => any,
  work: (tx: any) => Promise<T>,
): Promise<T> {
  const life: Life = { over: false }
  const ignore = (): void => {}
  client?.on?.('error', ignore)
  try {
    return await work(guardOf(tx, life))
  } finally {
    life.over = true
    client?.off?.('error', ignore)
  }
}

/** True when the connection, not the statement, is what failed: another try on another connection may succeed. */
export function isConnectionLoss(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code ?? '')
  if (/^(08...|57P0[1-5]|53...|25006)$/.test(code)) return true
  if (/^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN|ENOENT|CONNECTION_|CONNECT_TIMEOUT)/.test(code))
    return true
  return LOST.test(String((error as Error | null)?.message ?? ''))
}

/** True for what Postgres itself asks to try again: serialization failure, deadlock, lock or statement timeout. */
export function isTransient(error: unknown): boolean {
  return (
    isConnectionLoss(error) ||
    /^(40001|40P01|55P03|57014)$/.test(String((error as { code?: unknown } | null)?.code ?? ''))
  )
}

function isPostgresJs(value: unknown): value is PostgresJsHandle {
  return typeof (value as PostgresJsHandle | null)?.unsafe === 'function'
}

function isNodePostgres(value: unknown): value is NodePostgresHandle {
  return typeof (value as NodePostgresHandle | null)?.query === 'function'
}
