/**
 * The examples' own connection inside a worker. Tasks are plain values, so a handler that needs the database
 * asks for it: DATABASE_URL is set by `rowbeat start` and `rowbeat worker`. A connection each is dear beside
 * a query, but nothing beside a mail; an app with more to ask would keep a pool. Only postgres.js here:
 * drizzle-orm would cost every worker process 200 MB.
 */
import postgres, { type Sql } from 'postgres'

export async function withDatabase<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = postgres(process.env.DATABASE_URL ?? '', { max: 1, prepare: false, connect_timeout: 10 })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
