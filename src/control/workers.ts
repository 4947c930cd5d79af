/**
 * Workers as operators see them: those that live, by the name they were given. Nothing is asked of the workers
 * themselves; each writes its row about once a second.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { listWorkers, type WorkerDocument } from '../db/statements/control.ts'
import { ControlError } from '../errors.ts'
import { findUnstorable } from '../json.ts'

export type { WorkerDocument } from '../db/statements/control.ts'

export interface WorkerControl {
  /** Live ones, by name. */
  list(caller: Caller): Promise<WorkerDocument[]>
  /** Throws ControlError RB_WORKER_NOT_FOUND; of several with one name the one that started last. */
  read(caller: Caller, name: string): Promise<WorkerDocument>
}

export function createWorkerControl(db: Queryable): WorkerControl {
  const list = async (name: string | null): Promise<WorkerDocument[]> =>
    await listWorkers(db, name).catch((error: unknown) => {
      throw explainDatabaseError(error)
    })
  return Object.freeze({
    async list(caller: Caller) {
      requireScope(caller, 'workers:read')
      return await list(null)
    },
    async read(caller: Caller, name: string) {
      requireScope(caller, 'workers:read')
      const [worker] = findUnstorable(name, '') ? [] : await list(name)
      if (worker) return worker
      throw new ControlError(
        'RB_WORKER_NOT_FOUND',
        `No live worker is named ${JSON.stringify(name)}: it stopped, or was not seen for 10 s.`,
      )
    },
  })
}
