/**
 * Input schemas of tasks that this process does not have but another registered: the JSON Schema in
 * rowbeat.tasks, compiled once. An entry is trusted for two seconds, so a deployment that changes a schema is
 * followed; a task that nobody registered is asked for each time, so a worker that just started is seen at
 * once.
 */
import { monotonicMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { readTaskSchema } from '../db/statements/health.ts'
import { EnqueueError, type Fault } from '../errors.ts'
import { compileSchema, type InputCheck } from '../tasks/schema.ts'

interface Page {
  text: string | null
  check: InputCheck | null
  until: number
}

const TRUSTED_MS = 2000
const PAGES_MAX = 1000

/** Answers what is wrong with an input. Throws RB_TASK_UNKNOWN when no process ever registered the task. */
export function createSchemaBook(db: Queryable): (task: string, input: unknown) => Promise<Fault[]> {
  const pages = new Map<string, Page>()

  const open = async (task: string): Promise<Page> => {
    const standing = pages.get(task)
    if (standing && standing.until > monotonicMs()) return standing
    const row = await readTaskSchema(db, task).catch((error: unknown) => {
      throw explainDatabaseError(error)
    })
    if (!row) throw unknownTask(task)
    const check = standing && standing.text === row.schema ? standing.check : compile(task, row.schema)
    const page = { text: row.schema, check, until: monotonicMs() + TRUSTED_MS }
    if (pages.size >= PAGES_MAX) pages.delete(pages.keys().next().value!)
    pages.set(task, page)
    return page
  }

  return async (task, input) => {
    const { check } = await open(task)
    const checked = await check?.check(input ?? {})
    return checked && 'faults' in checked ? checked.faults : []
  }
}

/**
 * null for a schema that does not compile here: the worker that has the task checks the input again anyway.
 */
function compile(task: string, text: string | null): InputCheck | null {
  if (text === null) return null
  try {
    return compileSchema(JSON.parse(text) as Record<string, unknown>, `task ${task}`)
  } catch {
    return null
  }
}

function unknownTask(task: string): EnqueueError {
  return new EnqueueError(
    'RB_TASK_UNKNOWN',
    `No process ever registered the task "${task}": start a worker that has it, or correct the name.`,
    [{ pointer: '/task', detail: 'is a task that no process ever registered' }],
  )
}
