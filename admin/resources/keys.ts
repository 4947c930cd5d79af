/** API keys. Made and revoked, never changed; the key itself is in one answer only. */
import { writeIdCursor, readQuery, LIMIT } from '../../src/api/query.ts'
import { KEY_PARAMETERS } from '../../src/api/routes/keys.ts'
import type { KeyControl } from '../../src/control/keys.ts'
import type { Source } from './source.ts'

export function keySource(control: KeyControl): Source {
  return {
    id: 'keys',
    title: 'name',
    read: 'keys:read',
    write: 'keys:write',
    views: { list: 'KeyList', show: 'RecordShow', new: 'KeyForm' },
    fields: [
      { name: 'id', type: 'uuid' },
      { name: 'name', type: 'string', write: 'new' },
      { name: 'prefix', type: 'string' },
      { name: 'scopes', type: 'json', write: 'new' },
      { name: 'expires_at', type: 'datetime', write: 'new' },
      { name: 'expires_in', type: 'string', write: 'new' },
      { name: 'created_at', type: 'datetime' },
      { name: 'created_by', type: 'string' },
      { name: 'last_used_at', type: 'datetime' },
      { name: 'revoked_at', type: 'datetime' },
    ],
    async page(caller, asked) {
      const { items, before } = await control.list(caller, readQuery(KEY_PARAMETERS, asked, { limit: LIMIT }))
      return { items, next: before === null ? null : writeIdCursor(before) }
    },
    find: (caller, id) => control.read(caller, id),
    create: (caller, values) => control.create(caller, values),
    async remove(caller, id) {
      await control.revoke(caller, id)
    },
  }
}
