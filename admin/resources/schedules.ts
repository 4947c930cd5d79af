/**
 * Schedules. One is found by its id or its name, since people know the name. A change and a deletion are made to the version that was
 * read: somebody else's edit in between is refused, not lost.
 */
import { readListQuery, writeListCursor } from '../../src/api/schedule-query.ts'
import type { Caller } from '../../src/auth/scopes.ts'
import { isUuid } from '../../src/check.ts'
import type { ScheduleControl } from '../../src/control/schedules.ts'
import type { FieldSpec, Source, Values } from './source.ts'

export function scheduleSource(control: ScheduleControl): Source {
  const idOf = async (caller: Caller, name: string): Promise<string> =>
    isUuid(name) ? name : await control.find(caller, name)
  const match = ({ version }: Values): readonly number[] => [Number(version)]
  return {
    id: 'schedules',
    title: 'name',
    read: 'schedules:read',
    write: 'schedules:write',
    views: { list: 'ScheduleList', show: 'ScheduleShow', new: 'ScheduleForm', edit: 'ScheduleForm' },
    fields: FIELDS,
    async page(caller, asked) {
      const { filter, place } = readListQuery(asked)
      const { items, more } = await control.list(caller, filter, place)
      return { items, next: more ? writeListCursor(place, items.at(-1)!) : null }
    },
    find: async (caller, name) => await control.read(caller, await idOf(caller, name)),
    create: (caller, values) => control.create(caller, values),
    edit: async (caller, name, values, standing) =>
      await control.edit(caller, await idOf(caller, name), values, match(standing)),
    async remove(caller, name, standing) {
      await control.delete(caller, await idOf(caller, name), match(standing))
    },
  }
}

const FIELDS: readonly FieldSpec[] = [
  { name: 'id', type: 'uuid' },
  { name: 'name', type: 'string', write: 'both' },
  { name: 'task', type: 'string', write: 'both' },
  { name: 'schedule', type: 'json', write: 'both' },
  { name: 'input', type: 'json', write: 'both' },
  { name: 'enabled', type: 'boolean', write: 'both' },
  { name: 'queue', type: 'string', write: 'both' },
  { name: 'priority', type: 'number', write: 'both' },
  { name: 'tags', type: 'json', write: 'both' },
  { name: 'headers', type: 'json', write: 'both' },
  { name: 'expires', type: 'number', write: 'both' },
  { name: 'one_off', type: 'boolean', write: 'both' },
  { name: 'start_at', type: 'datetime', write: 'both' },
  { name: 'end_at', type: 'datetime', write: 'both' },
  { name: 'jitter', type: 'number', write: 'both' },
  { name: 'overlap', type: 'string', write: 'both' },
  { name: 'catch_up', type: 'string', write: 'both' },
  { name: 'catch_up_window', type: 'number', write: 'both' },
  { name: 'firings_max', type: 'number', write: 'both' },
  { name: 'failures_max', type: 'number', write: 'both' },
  { name: 'description', type: 'string', write: 'both' },
  { name: 'text', type: 'string' },
  { name: 'kind', type: 'string' },
  { name: 'pause_reason', type: 'string' },
  { name: 'resume_at', type: 'datetime' },
  { name: 'failures', type: 'number' },
  { name: 'origin', type: 'string', words: ['user', 'code'] },
  { name: 'edited_at', type: 'datetime' },
  { name: 'version', type: 'number' },
  { name: 'anchor_at', type: 'datetime' },
  { name: 'next_run_at', type: 'datetime' },
  { name: 'last_run_at', type: 'datetime' },
  { name: 'firings_total', type: 'number' },
  { name: 'error', type: 'string' },
  { name: 'created_at', type: 'datetime' },
  { name: 'updated_at', type: 'datetime' },
]
