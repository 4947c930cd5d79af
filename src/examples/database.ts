/**
 * The examples' own connection inside a worker: tasks are plain values, so the pool is opened by the first handler
 * that asks for it, from DATABASE_URL, which `rowbeat start` and `rowbeat worker` set. Idle connections close by
 * themselves. Only postgres.js here: drizzle-orm would cost every worker process 200 MB.
 */
import postgres, { type Sql } from 'postgres'

const pools = new Map<string, Sql>()

export function database(): Sql {
  const url = process.env.DATABASE_URL ?? ''
  const pool =
    pools.get(url) ?? postgres(url, { max: 4, idle_timeout: 5, prepare: false, onnotice: () => {} })
  pools.set(url, pool)
  return pool
}
