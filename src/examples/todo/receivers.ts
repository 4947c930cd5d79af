/**
 * Who listens to the signals: a line in examples.task_log for each update that changed something, and for each
 * task that goes. The line about a new task comes from a run, todo.log_created (tasks.ts).
 */
import { taskLog } from './schema.ts'
import type { Signals, TaskRow, TaskSignals } from './signals.ts'

const TOLD = ['title', 'description', 'completed'] as const

export function connectReceivers(signals: Signals<TaskSignals>): void {
  signals.connect('post_save', async (tx, { task, before }) => {
    const message = describeChange(before, task)
    if (message) await tx.insert(taskLog).values({ taskId: task.id, event: 'updated', message })
  })
  signals.connect('pre_delete', async (tx, { task }) => {
    const message = `Task "${task.title}" was deleted`
    await tx.insert(taskLog).values({ taskId: task.id, event: 'deleted', message })
  })
}

/** null: nothing is another than before. */
export function describeChange(before: TaskRow, after: TaskRow): string | null {
  const changes = TOLD.filter((name) => before[name] !== after[name]).map(
    (name) => `${name} ${JSON.stringify(before[name])} -> ${JSON.stringify(after[name])}`,
  )
  return changes.length === 0 ? null : `Task "${after.title}" was updated: ${changes.join(', ')}`
}
