/** Queues: a short list that comes whole. Made by the first run that names one, so here only shown; limits and pauses have their own addresses. */
import type { QueueControl } from '../../src/control/queues.ts'
import { wholePage, type Source } from './source.ts'

export function queueSource(control: QueueControl): Source {
  return {
    id: 'queues',
    title: 'name',
    read: 'queues:read',
    write: 'queues:write',
    views: { list: 'QueueList', show: 'QueueShow' },
    fields: [
      { name: 'name', type: 'string' },
      { name: 'state', type: 'string', words: ['open', 'paused', 'draining'] },
      { name: 'concurrency', type: 'number', write: 'edit' },
      { name: 'rate', type: 'string', write: 'edit' },
      { name: 'rate_burst', type: 'number', write: 'edit' },
      { name: 'hot_limit', type: 'number', write: 'edit' },
      { name: 'paused_at', type: 'datetime' },
      { name: 'pause_reason', type: 'string' },
      { name: 'resume_at', type: 'datetime' },
      { name: 'draining_at', type: 'datetime' },
      { name: 'waiting', type: 'json' },
      { name: 'capped', type: 'boolean' },
      { name: 'running', type: 'number' },
      { name: 'oldest_age', type: 'number' },
      { name: 'workers', type: 'json' },
      { name: 'slots', type: 'number' },
    ],
    page: async (caller, asked) => wholePage(await control.list(caller), asked, ['name', 'state']),
    find: (caller, name) => control.read(caller, name),
    edit: (caller, name, values) => control.edit(caller, name, values),
  }
}
