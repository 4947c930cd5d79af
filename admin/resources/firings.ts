/** What became of the instants of all schedules, latest first: read, nothing else. Its id is the schedule's and the instant. */
import { readFiringFeedQuery, writeFiringCursor } from '../../src/api/firing-query.ts'
import { firingId, type FiringControl } from '../../src/control/firings.ts'
import type { Source } from './source.ts'

export function firingSource(control: FiringControl): Source {
  return {
    id: 'firings',
    title: 'schedule',
    read: 'schedules:read',
    write: 'schedules:write',
    views: { list: 'FiringList', show: 'RecordShow' },
    fields: [
      { name: 'id', type: 'string' },
      { name: 'schedule', type: 'string' },
      { name: 'task', type: 'string' },
      { name: 'due_at', type: 'datetime' },
      { name: 'state', type: 'string', words: ['fired', 'skipped', 'missed'] },
      { name: 'reason', type: 'string' },
      { name: 'run_id', type: 'uuid' },
      { name: 'fired_at', type: 'datetime' },
      { name: 'lateness', type: 'number' },
      { name: 'version', type: 'number' },
      { name: 'count', type: 'number' },
      { name: 'until_at', type: 'datetime' },
      { name: 'schedule_id', type: 'uuid' },
    ],
    async page(caller, asked) {
      const { items, before } = await control.list(caller, readFiringFeedQuery(asked))
      return { items: items.map(named), next: before === null ? null : writeFiringCursor(before) }
    },
    async find(caller, id) {
      const firing = await control.read(caller, id)
      return firing && named(firing)
    },
  }
}

function named<Item extends { schedule_id: string; due_at: string }>(item: Item): Item & { id: string } {
  return { ...item, id: firingId(item) }
}
