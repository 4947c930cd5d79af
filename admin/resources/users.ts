/** The people who may sign in. A password that was made is in one answer only. */
import { writeIdCursor, readQuery, LIMIT } from '../../src/api/query.ts'
import { USER_PARAMETERS } from '../../src/api/routes/users.ts'
import { ROLES } from '../../src/auth/scopes.ts'
import type { UserControl } from '../../src/control/users.ts'
import type { Source } from './source.ts'

export function userSource(control: UserControl): Source {
  return {
    id: 'users',
    title: 'email',
    read: 'users:read',
    write: 'users:write',
    views: { list: 'UserList', show: 'RecordShow', new: 'UserForm', edit: 'UserForm' },
    fields: [
      { name: 'id', type: 'uuid' },
      { name: 'email', type: 'string', write: 'new' },
      { name: 'role', type: 'string', write: 'both', words: ROLES },
      { name: 'password', type: 'string', write: 'both' },
      { name: 'disabled', type: 'boolean', write: 'edit' },
      { name: 'created_at', type: 'datetime' },
      { name: 'created_by', type: 'string' },
      { name: 'updated_at', type: 'datetime' },
      { name: 'signed_in_at', type: 'datetime' },
      { name: 'disabled_at', type: 'datetime' },
    ],
    async page(caller, asked) {
      const { items, before } = await control.list(
        caller,
        readQuery(USER_PARAMETERS, asked, { limit: LIMIT }),
      )
      return { items: items.map(withDisabled), next: before === null ? null : writeIdCursor(before) }
    },
    find: async (caller, id) => withDisabled(await control.read(caller, id)),
    create: (caller, values) => control.create(caller, values),
    // A form that is sent as it came has the password as it came: nothing.
    edit: async (caller, id, { password, ...values }) =>
      withDisabled(await control.edit(caller, id, password ? { ...values, password } : values)),
    async remove(caller, id) {
      await control.remove(caller, id)
    },
  }
}

function withDisabled<Document extends { disabled_at: string | null }>(
  document: Document,
): Document & { disabled: boolean } {
  return { ...document, disabled: document.disabled_at !== null }
}
