/**
 * The connections of a worker: a pool for claims, outcomes and the dispatcher, with a deadline on every statement, and
 * connections for transactional tasks, which have none.
 */
import type { DatabaseHandle } from '../db/handle.ts'
import { openPool, type OpenPool } from '../db/pool.ts'
import { openTransactions } from './transactions.ts'

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

export interface Pools extends OpenPool {
  /** What transactional tasks begin their transactions on. */
  tasks: DatabaseHandle
  /** Before the first run. */
  prepare(): Promise<void>
}

export function openPools({ databaseUrl, prepare, lanes, transactional, db, onError }: PoolsOptions): Pools {
  const base = openPool({ url: databaseUrl, role: 'worker', max: Math.min(12, 5 + lanes), prepare, onError })
  const own = transactional && !db ? openTransactions(databaseUrl, prepare) : null
  return {
    ...base,
    tasks: db ?? own?.handle ?? base.pool,
    prepare: async () => void (await own?.prepare()),
    async end() {
      await base.end()
      await own?.end()
    },
  }
}
