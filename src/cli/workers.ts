/**
 * `rowbeat workers`: the workers that live, as `rowbeat status` lists them; one of them by its name with all that its row
 * says. REST answers the same documents.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createWorkerControl, type WorkerDocument } from '../control/workers.ts'
import { toQueryable } from '../db/handle.ts'
import { withRowbeat } from './database.ts'
import { status } from './inspect.ts'
import { readSettings, type Flags } from './options.ts'
import { tableOf } from './table.ts'
import { EXIT, say } from './words.ts'

export async function workers(name: string | undefined, flags: Flags): Promise<number> {
  if (name === undefined) return await status(flags)
  const { config, json } = await readSettings(flags)
  const worker = await withRowbeat(config, (rowbeat) =>
    createWorkerControl(toQueryable(rowbeat.db)).read(PROCESS, name),
  )
  say(json ? worker : tableOf(factsOf(worker)))
  return EXIT.done
}

function factsOf({ tasks, running, ...rest }: WorkerDocument): string[][] {
  return [
    ...Object.entries(rest).map(([key, value]) => [key, cell(value)]),
    ['tasks', tasks.join(', ') || '-'],
    ['running', running.length === 0 ? '-' : String(running.length)],
    ...running.map(({ id, started_at, attempt }) => [`  ${id}`, `since ${started_at}, try ${attempt}`]),
  ]
}

/** `default:10, high:20` rather than JSON. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return '-'
  if (typeof value !== 'object') return String(value)
  const parts = Object.entries(value).map(
    ([key, one]) => `${key}:${typeof one === 'object' ? JSON.stringify(one) : String(one)}`,
  )
  return parts.join(', ') || '-'
}
