/**
 * The tasks a process knows, given as values (queue/discover.ts finds them by a glob). A name belongs to one task; two
 * different tasks of one name are refused, because which one ran would depend on the order of imports.
 */
import { DefinitionError } from '../errors.ts'
import { isTask, type Task } from './task.ts'

export type Registry = ReadonlyMap<string, Task>

/** Tasks as users write them: values, arrays of them, objects of them, nested. */
export type TaskTree = Task<any, any, any> | readonly TaskTree[] | { readonly [key: string]: TaskTree }

export function createRegistry(tree: TaskTree | undefined): Registry {
  const registry = new Map<string, Task>()
  collect(tree, registry)
  return registry
}

function collect(tree: TaskTree | undefined, registry: Map<string, Task>): void {
  if (tree === undefined || tree === null) return
  if (isTask(tree)) return add(registry, tree)
  if (typeof tree !== 'object')
    throw new DefinitionError(
      'RB_TASK_INVALID',
      `tasks: ${String(tree)} is not a task; make it with task(name, options, handler).`,
    )
  for (const branch of Object.values(tree)) collect(branch as TaskTree, registry)
}

function add(registry: Map<string, Task>, item: Task): void {
  const standing = registry.get(item.name)
  if (standing && standing !== item) {
    throw new DefinitionError('RB_TASK_DUPLICATE', `two tasks are named "${item.name}": rename one of them.`)
  }
  registry.set(item.name, item)
}
