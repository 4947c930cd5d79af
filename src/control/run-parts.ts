/**
 * What belongs to one run, for REST, panel and command line alike: what its handler said, and its tries.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import {
  listAttempts,
  listLogs,
  type AttemptDocument,
  type LogDocument,
  type LogQuery,
} from '../db/statements/run-parts.ts'
import type { RunControl } from './runs.ts'

export { LOG_LEVELS } from '../db/statements/run-parts.ts'
export type { AttemptDocument, LogDocument, LogQuery } from '../db/statements/run-parts.ts'

/** Retries have no end: the latest are told. */
export const ATTEMPTS_MAX = 1000

export interface LogPage {
  items: LogDocument[]
  /** The number to go on behind; null when nothing more has been said. */
  after: number | null
}

/** Each verb throws ResultError RB_RUN_NOT_FOUND. */
export interface RunPartsControl {
  /** Oldest first. */
  logs(caller: Caller, id: string, query: LogQuery): Promise<LogPage>
  /** Oldest first, the latest ATTEMPTS_MAX. */
  attempts(caller: Caller, id: string): Promise<AttemptDocument[]>
}

export function createRunPartsControl(db: Queryable, runs: RunControl): RunPartsControl {
  const explain = (error: unknown): never => {
    throw explainDatabaseError(error)
  }
  return Object.freeze({
    async logs(caller: Caller, id: string, query: LogQuery) {
      requireScope(caller, 'runs:read')
      const lines = await listLogs(db, id, { ...query, limit: query.limit + 1 }).catch(explain)
      if (lines.length === 0) await runs.read(caller, id)
      const items = lines.slice(0, query.limit)
      return { items, after: lines.length > query.limit ? items.at(-1)!.seq : null }
    },
    async attempts(caller: Caller, id: string) {
      requireScope(caller, 'runs:read')
      const tries = await listAttempts(db, id, ATTEMPTS_MAX).catch(explain)
      if (tries.length === 0) await runs.read(caller, id)
      return tries
    },
  })
}
