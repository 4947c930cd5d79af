/** The audit log, for REST, panel and command line alike. It is read only: triggers write it, and control/acting.ts tells them who acts. */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { isUuid } from '../check.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { listAudit, readAudit, type AuditDocument, type AuditQuery } from '../db/statements/audit.ts'

export type { AuditDocument, AuditQuery } from '../db/statements/audit.ts'

export interface AuditControl {
  /** Latest first; `before` is the id to go on below, null at the end. Throws AccessError RB_SCOPE_MISSING. */
  list(caller: Caller, query: AuditQuery): Promise<{ items: AuditDocument[]; before: string | null }>
  /** One row; null: there is none of this id. Throws AccessError RB_SCOPE_MISSING. */
  read(caller: Caller, id: string): Promise<AuditDocument | null>
}

export function createAuditControl(db: Queryable): AuditControl {
  return Object.freeze({
    async list(caller: Caller, query: AuditQuery) {
      requireScope(caller, 'audit:read')
      const rows = await listAudit(db, { ...query, limit: query.limit + 1 }).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
      const items = rows.slice(0, query.limit)
      return { items, before: rows.length > query.limit ? items.at(-1)!.id : null }
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'audit:read')
      if (!isUuid(id)) return null
      return await readAudit(db, id).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    },
  })
}
