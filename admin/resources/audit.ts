/** The audit log: read, nothing else. */
import { LIMIT, readQuery, writeIdCursor } from '../../src/api/query.ts'
import { AUDIT_PARAMETERS } from '../../src/api/routes/audit.ts'
import type { AuditControl } from '../../src/control/audit.ts'
import type { Source } from './source.ts'

export function auditSource(control: AuditControl): Source {
  return {
    id: 'audit',
    title: 'action',
    read: 'audit:read',
    write: 'audit:read',
    views: { list: 'AuditList', show: 'RecordShow' },
    fields: [
      { name: 'id', type: 'uuid' },
      { name: 'at', type: 'datetime' },
      { name: 'actor', type: 'string' },
      { name: 'actor_kind', type: 'string', words: ['key', 'user', 'process', 'database'] },
      { name: 'actor_id', type: 'string' },
      { name: 'via', type: 'string', words: ['rest', 'cli', 'panel', 'sql'] },
      { name: 'action', type: 'string' },
      { name: 'target_kind', type: 'string' },
      { name: 'target', type: 'string' },
      { name: 'before', type: 'json' },
      { name: 'after', type: 'json' },
      { name: 'reason', type: 'string' },
      { name: 'request_id', type: 'string' },
      { name: 'address', type: 'string' },
      { name: 'db_user', type: 'string' },
    ],
    async page(caller, asked) {
      const query = readQuery(AUDIT_PARAMETERS, asked, { limit: LIMIT })
      const { items, before } = await control.list(caller, query)
      return { items, next: before === null ? null : writeIdCursor(before) }
    },
    find: (caller, id) => control.read(caller, id),
  }
}
