/**
 * Finds tasks, schedules and queues by a glob: every export of the matching modules that is one, or an array of them. Two
 * different ones of one name are refused, as everywhere.
 */
import { glob } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isSchedule, listSchedules, type Schedule } from '../schedules/schedule.ts'
import { isQueueDefinition, listQueues, type QueueDefinition } from '../tasks/queue.ts'
import { createRegistry } from '../tasks/registry.ts'
import { isTask, type Task } from '../tasks/task.ts'

export interface Discovered {
  tasks: Task[]
  schedules: Schedule[]
  queues: QueueDefinition[]
}

/**
 * Imports what the globs match below `cwd`, in the order of their paths. Throws what an import throws, and RB_TASK_DUPLICATE,
 * RB_SCHEDULE_DUPLICATE, RB_QUEUE_INVALID.
 */
export async function discoverModules(
  globs: readonly string[],
  cwd: string = process.cwd(),
): Promise<Discovered> {
  const found: unknown[] = []
  for (const file of await findModules(globs, cwd)) found.push(...(await importModule(file)))
  return sortOut(found)
}

/** The files that the globs match below `cwd`, in order. */
export async function findModules(globs: readonly string[], cwd: string = process.cwd()): Promise<string[]> {
  const files = new Set<string>()
  for (const pattern of globs) {
    const matches = glob(pattern, { cwd, exclude: (name) => String(name) === 'node_modules' })
    for await (const file of matches) files.add(resolve(cwd, file))
  }
  return [...files].sort()
}

/** What a module exports, lists laid open. Throws what its import throws. */
export async function importModule(file: string): Promise<unknown[]> {
  const exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>
  return Object.values(exported).flatMap((value): unknown[] => (Array.isArray(value) ? value : [value]))
}

/** What of it is ours. Throws RB_TASK_DUPLICATE, RB_SCHEDULE_DUPLICATE, RB_QUEUE_INVALID. */
export function sortOut(found: readonly unknown[]): Discovered {
  return {
    tasks: [...createRegistry(found.filter(isTask)).values()],
    schedules: listSchedules(found.filter(isSchedule)),
    queues: listQueues(found.filter(isQueueDefinition)),
  }
}

/** Only the tasks. */
export async function discoverTasks(globs: readonly string[], cwd?: string): Promise<Task[]> {
  return (await discoverModules(globs, cwd)).tasks
}
