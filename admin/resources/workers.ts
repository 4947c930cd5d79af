/** Workers that live: a short list that comes whole. What is told to one has its own address. */
import type { WorkerControl } from '../../src/control/workers.ts'
import { wholePage, type Source } from './source.ts'

export function workerSource(control: WorkerControl): Source {
  return {
    id: 'workers',
    title: 'name',
    read: 'workers:read',
    write: 'workers:write',
    views: { list: 'WorkerList', show: 'WorkerShow' },
    fields: [
      { name: 'name', type: 'string' },
      { name: 'id', type: 'uuid' },
      { name: 'hostname', type: 'string' },
      { name: 'pid', type: 'number' },
      { name: 'queues', type: 'json' },
      { name: 'autoscale', type: 'json' },
      { name: 'tasks', type: 'json' },
      { name: 'version', type: 'string' },
      { name: 'running', type: 'json' },
      { name: 'processed', type: 'json' },
      { name: 'rss_bytes', type: 'number' },
      { name: 'loop_lag_ms', type: 'number' },
      { name: 'clock_skew_ms', type: 'number' },
      { name: 'started_at', type: 'datetime' },
      { name: 'seen_at', type: 'datetime' },
      { name: 'stopping', type: 'boolean' },
      { name: 'quiet', type: 'boolean' },
      { name: 'listening', type: 'boolean' },
    ],
    page: async (caller, asked) => wholePage(await control.list(caller), asked, ['name', 'hostname']),
    find: (caller, name) => control.read(caller, name),
  }
}
