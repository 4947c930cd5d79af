/**
 * `runNow(task, input)`: the shortest test of a task. No database and no worker, but what they would do to it: the input
 * is checked and goes through JSON, tries follow one another, the result goes through JSON and must be storable.
 */
import { createRunHandle } from '../results/handle.ts'
import { buildBody } from '../queue/enqueue.ts'
import type { EnqueueOptions } from '../queue/options.ts'
import { createRegistry } from '../tasks/registry.ts'
import type { ArgumentsOf, OutputOf, Task } from '../tasks/task.ts'
import { runHere, type Surroundings } from './here.ts'
import { createMemory } from './memory.ts'

export interface RunNowOptions extends EnqueueOptions, Surroundings {
  /** Tries again as the task's policy says, without the delays (default); false ends at the first error. */
  retries?: boolean
}

/**
 * Runs the task here and answers what it returned, as JSON gives it back. Throws what the handler threw at its last try;
 * EnqueueError when the input is refused; a RunError for an end without anything thrown (a time limit, expired, a result
 * that cannot be stored).
 */
export async function runNow<T extends Task<any, any, any>>(
  task: T,
  ...rest: ArgumentsOf<T, RunNowOptions>
): Promise<OutputOf<T>> {
  const [input, options = {}] = rest as [unknown, RunNowOptions | undefined]
  const { retries = true, middleware, db, signal, onProgress, onLog, onHookFailure, ...call } = options
  const body = await buildBody({ tasks: createRegistry([]), router: null }, task, input, call)
  const around = { middleware, db, signal, onProgress, onLog, onHookFailure }
  const { run, thrown } = await runHere(task, body, around, retries)
  if (run.state !== 'SUCCESS' && thrown !== undefined) throw thrown
  const memory = createMemory(async (id) => id)
  memory.add(run)
  return await createRunHandle<OutputOf<T>>(memory.reader, run.id, true).result()
}
