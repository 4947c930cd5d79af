/** Runs: shown and deleted here; what else can be done with one has its own address and button. */
import { readRunQuery } from '../../src/api/run-query.ts'
import { writeIdCursor } from '../../src/api/query.ts'
import type { RunControl } from '../../src/control/runs.ts'
import { RUN_STATES } from '../../src/results/run.ts'
import type { Source } from './source.ts'

export function runSource(control: RunControl): Source {
  return {
    id: 'runs',
    title: 'task',
    read: 'runs:read',
    write: 'runs:write',
    views: { list: 'RunList', show: 'RunShow' },
    fields: [
      { name: 'id', type: 'uuid' },
      { name: 'task', type: 'string' },
      { name: 'queue', type: 'string' },
      { name: 'state', type: 'string', words: RUN_STATES },
      { name: 'reason', type: 'string' },
      { name: 'priority', type: 'number' },
      { name: 'input', type: 'json' },
      { name: 'result', type: 'json' },
      { name: 'error', type: 'json' },
      { name: 'progress', type: 'json' },
      { name: 'attempt', type: 'number' },
      { name: 'attempts_max', type: 'number' },
      { name: 'redeliveries', type: 'number' },
      { name: 'worker', type: 'string' },
      { name: 'created_at', type: 'datetime' },
      { name: 'run_at', type: 'datetime' },
      { name: 'started_at', type: 'datetime' },
      { name: 'finished_at', type: 'datetime' },
      { name: 'expires_at', type: 'datetime' },
      { name: 'time_limit', type: 'number' },
      { name: 'soft_time_limit', type: 'number' },
      { name: 'unique_key', type: 'string' },
      { name: 'tags', type: 'json' },
      { name: 'headers', type: 'json' },
      { name: 'parent', type: 'uuid' },
      { name: 'retry_of', type: 'uuid' },
      { name: 'schedule', type: 'string' },
      { name: 'due_at', type: 'datetime' },
    ],
    async page(caller, asked) {
      const { items, before } = await control.list(caller, readRunQuery(asked))
      return { items, next: before === null ? null : writeIdCursor(before) }
    },
    find: (caller, id) => control.read(caller, id),
    remove: (caller, id) => control.delete(caller, id),
  }
}
