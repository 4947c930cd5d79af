/**
 * Where an isolated task is to be imported from: its thread or process knows nothing but a file and a name. The task
 * noted which files were on the stack when it was defined; the one that exports it is among them, or was named.
 *
 * All of it is found out when the worker starts, so that a task which nobody could find is an error then, not at its first run.
 */
import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../../errors.ts'
import type { Registry } from '../../tasks/registry.ts'
import { isTask, type Task } from '../../tasks/task.ts'

/** Task -> the file URL of the module that exports it. Throws ConfigError. */
export async function locateIsolated(registry: Registry): Promise<Map<string, string>> {
  const places = new Map<string, string>()
  for (const task of registry.values()) if (task.options.isolate) places.set(task.name, await locate(task))
  return places
}

async function locate({ name, modules, options }: Task): Promise<string> {
  // What starts a worker would start another in each thread.
  const main = mainModule()
  const candidates = options.module === undefined ? modules.filter((file) => file !== main) : modules
  for (const file of candidates) {
    // A file that was merely on the stack may be one that source maps speak of and nobody has.
    const exported = await load(name, file).catch((error) =>
      options.module === undefined ? {} : Promise.reject(error),
    )
    if (findTask(exported, name)) return file
  }
  const isMain = candidates.length < modules.length
  throw new ConfigError(
    isMain
      ? `task ${name} is isolated, but defined in the program's main file, which its ${options.isolate} would run too: define it in a module of its own.`
      : `task ${name} is isolated, but ${candidates.join(' and ') || 'no file'} does not export it: export it, or name the file that does with { module: import.meta.url }.`,
  )
}

async function load(name: string, file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(file)) as Record<string, unknown>
  } catch (error) {
    throw new ConfigError(
      `task ${name} is isolated, but its module ${file} cannot be imported: ${(error as Error).message}.`,
      { cause: error },
    )
  }
}

/** An export that is the task, or an array or object that holds it. */
export function findTask(exported: Record<string, unknown>, name: string): Task | undefined {
  const held = Object.values(exported).flatMap((value) =>
    typeof value === 'object' && value !== null && !isTask(value) ? Object.values(value) : [value],
  )
  return held.filter(isTask).find((task) => task.name === name)
}

function mainModule(): string | null {
  const [, script] = process.argv
  if (script === undefined) return null
  try {
    return pathToFileURL(realpathSync(script)).href
  } catch {
    return null
  }
}
