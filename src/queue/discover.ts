/**
 * Finds tasks by a glob: every export of the matching modules that is a task, or an array of them. Two different tasks
 * of one name are refused, as everywhere.
 */
import { glob } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createRegistry } from '../tasks/registry.ts'
import { isTask, type Task } from '../tasks/task.ts'

/** Imports what the globs match below `cwd`, in the order of their paths. Throws what an import throws, and RB_TASK_DUPLICATE. */
export async function discoverTasks(globs: readonly string[], cwd: string = process.cwd()): Promise<Task[]> {
  const files = new Set<string>()
  for (const pattern of globs) {
    const matches = glob(pattern, { cwd, exclude: (name) => String(name) === 'node_modules' })
    for await (const file of matches) files.add(resolve(cwd, file))
  }
  const found: Task[] = []
  for (const file of [...files].sort()) {
    const exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>
    for (const value of Object.values(exported)) {
      for (const item of Array.isArray(value) ? value : [value]) if (isTask(item)) found.push(item)
    }
  }
  return [...createRegistry(found).values()]
}
