/**
 * Writes the tasks of this process to rowbeat.tasks, so that SQL and other processes know their defaults and
 * schemas. A server that is away at the start is tried again until it answers: an API must come up before its
 * database may.
 */
import { sleep } from '../clock.ts'
import { toQueryable } from '../db/handle.ts'
import { registerTasks } from '../db/statements/workers.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { describeTask } from '../worker/describe.ts'

const AGAIN_MS = 2000

/** Resolves once the tasks are written, or `signal` aborted; `onProblem` hears of each try that failed. */
export async function announceTasks(
  rowbeat: Rowbeat,
  signal: AbortSignal,
  onProblem: (error: unknown) => void,
): Promise<void> {
  const rows = [...rowbeat.tasks.values()].map((task) =>
    describeTask(task, rowbeat.router?.routeName(task.name)),
  )
  while (rows.length > 0 && !signal.aborted) {
    try {
      await registerTasks(toQueryable(rowbeat.db), rows)
      return
    } catch (error) {
      onProblem(error)
      await sleep(AGAIN_MS, signal)
    }
  }
}
