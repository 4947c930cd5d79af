/**
 * What may be done with operations, for REST, panel and command line alike: begin one, see how far it is, stop it.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import { listOperations, type OperationQuery } from '../db/statements/operations.ts'
import { beginOperation, haltOperation, readDocument, type OperationDocument } from '../queue/operation.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { acting } from './acting.ts'
import type { RunControl } from './runs.ts'

/** As REST takes it; what is wrong with it the database says. */
export interface OperationRequest {
  kind: string
  filter: Record<string, unknown>
  options: Record<string, unknown>
}

export interface OperationPage {
  items: OperationDocument[]
  /** The id to go on below; null when there are no more. */
  before: string | null
}

export interface OperationControl {
  /** Throws OperationError RB_OPERATION_INVALID; EnqueueError for an input that its task refuses. */
  start(caller: Caller, request: OperationRequest): Promise<OperationDocument>
  /** Throws OperationError RB_OPERATION_NOT_FOUND, as `stop` does. */
  read(caller: Caller, id: string): Promise<OperationDocument>
  /** Latest first. */
  list(caller: Caller, query: OperationQuery): Promise<OperationPage>
  /** What was done stays done; of one that has ended, nothing changes. */
  stop(caller: Caller, id: string): Promise<OperationDocument>
}

export function createOperationControl(rowbeat: Rowbeat, runs: RunControl): OperationControl {
  const db = toQueryable(rowbeat.db)
  return Object.freeze({
    async start(caller: Caller, { kind, filter, options }: OperationRequest) {
      requireScope(caller, 'runs:write')
      if (options.input !== undefined && typeof filter.task === 'string')
        await runs.checkInput(filter.task, options.input)
      const reason = typeof options.reason === 'string' ? options.reason : null
      const id = await acting(rowbeat.db, caller, { reason }, (inside) =>
        beginOperation(inside.db, kind, filter, options, caller.name),
      )
      return await readDocument(db, id)
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'runs:read')
      return await readDocument(db, id)
    },
    async list(caller: Caller, query: OperationQuery) {
      requireScope(caller, 'runs:read')
      const texts = await listOperations(db, { ...query, limit: query.limit + 1 }).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
      const items = texts.slice(0, query.limit).map((text) => JSON.parse(text) as OperationDocument)
      return { items, before: texts.length > query.limit ? items.at(-1)!.id : null }
    },
    async stop(caller: Caller, id: string) {
      requireScope(caller, 'runs:write')
      await acting(rowbeat.db, caller, { action: 'operation.stop' }, (inside) => haltOperation(inside.db, id))
      return await readDocument(db, id)
    },
  })
}
