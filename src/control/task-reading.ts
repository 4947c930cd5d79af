/**
 * Tasks as operators see them: what the code declared, who has them now, what asks for them, and how they do.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { nowMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { readTaskFigures, TASK_SAMPLE, type TaskFigures } from '../db/statements/stats.ts'
import { listTasks, type TaskDocument } from '../db/statements/task-list.ts'
import { DefinitionError } from '../errors.ts'
import { createMemo } from './memo.ts'

export type { TaskDocument } from '../db/statements/task-list.ts'

/** Of the runs that were enqueued in the period and have finished: the newest of them, at most 20,000. */
export interface TaskStats extends TaskFigures {
  /** Seconds. */
  period: number
  /** There were more than are counted here. */
  capped: boolean
  /** Failed ones of all that succeeded or failed; null when none did. */
  failure_rate: number | null
}

export interface TaskControl {
  /** By name. */
  list(caller: Caller): Promise<TaskDocument[]>
  /** Throws DefinitionError RB_TASK_NOT_FOUND. `period` in seconds. */
  read(caller: Caller, name: string, period: number): Promise<TaskDocument & { stats: TaskStats }>
}

export function createTaskControl(db: Queryable): TaskControl {
  const memo = createMemo<TaskFigures>()
  const explain = (error: unknown): never => {
    throw explainDatabaseError(error)
  }
  return Object.freeze({
    async list(caller: Caller) {
      requireScope(caller, 'tasks:read')
      return await listTasks(db, null).catch(explain)
    },
    async read(caller: Caller, name: string, period: number) {
      requireScope(caller, 'tasks:read')
      const [task] = await listTasks(db, name).catch(explain)
      if (!task) {
        throw new DefinitionError(
          'RB_TASK_NOT_FOUND',
          `No process ever registered the task ${JSON.stringify(name)}: start a worker that has it, or correct the name.`,
        )
      }
      const since = nowMs() / 1000 - period
      const figures = await memo(`${name} ${period}`, () => readTaskFigures(db, name, since)).catch(explain)
      const judged = figures.succeeded + figures.failed
      const stats = {
        period,
        ...figures,
        capped: figures.finished >= TASK_SAMPLE,
        failure_rate: judged === 0 ? null : figures.failed / judged,
      }
      return { ...task, stats }
    },
  })
}
