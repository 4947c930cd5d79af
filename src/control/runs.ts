/**
 * What may be done with runs, for REST, panel and command line alike: each verb checks the caller's scope,
 * then acts.
 */
import { mayDo, requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import { EnqueueError, ResultError } from '../errors.ts'
import { buildBody, checkInput, type EnqueueOptions } from '../queue/enqueue.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import type { RunDocument } from '../results/run.ts'
import { readRunPage, type RunPage, type RunQuery } from './run-page.ts'
import { createRunReads } from './run-reader.ts'
import { createSchemaBook } from './schema-book.ts'

/** A run asked for: the task's name, its input, and the options of enqueue. */
export interface RunRequest {
  task: string
  input?: unknown
  options: EnqueueOptions
  /** Fields that the store takes and TypeScript has no option for; they travel as they are. */
  extra: Record<string, unknown>
}

export interface RunControl {
  /** Throws EnqueueError with its faults; RB_TASK_UNKNOWN when no process ever registered the task. */
  enqueue(caller: Caller, request: RunRequest): Promise<{ run: RunDocument; created: boolean }>
  /**
   * Throws what `enqueue` would throw about the input: for who has found other faults and wants to tell all
   * at once.
   */
  checkInput(task: string, input: unknown): Promise<void>
  /** Throws ResultError RB_RUN_NOT_FOUND. */
  read(caller: Caller, id: string): Promise<RunDocument>
  /** Newest first; a page may have fewer runs than asked for, even none, and still an id to go on below. */
  list(caller: Caller, query: RunQuery): Promise<RunPage>
}

export function createRunControl(rowbeat: Rowbeat): RunControl {
  const db = toQueryable(rowbeat.db)
  const readOne = createRunReads(db)
  const checkBySchema = createSchemaBook(db)

  const require = async (id: string): Promise<RunDocument> => {
    const run = await readOne(id)
    if (run) return run
    throw new ResultError(
      'RB_RUN_NOT_FOUND',
      `Run ${id} is unknown: it was never enqueued, was rolled back, or its result expired.`,
    )
  }
  const checkUnregistered = async (task: string, input: unknown): Promise<void> => {
    const faults = await checkBySchema(task, input)
    if (faults.length === 0) return
    const [first] = faults
    throw new EnqueueError(
      'RB_INPUT_INVALID',
      `input of ${task} is refused: ${first!.pointer} ${first!.detail}`,
      faults,
    )
  }

  return Object.freeze({
    async enqueue(caller: Caller, { task, input, options, extra }: RunRequest) {
      requireScope(caller, 'runs:write')
      const body = await buildBody(rowbeat.tasks, task, input, options)
      Object.assign(body.fields, extra)
      if (!rowbeat.tasks.has(task)) await checkUnregistered(task, input)
      const [sent] = await rowbeat.send([body])
      const run = await require(sent!.id)
      return {
        run: sent!.created || mayDo(caller, 'runs:read') ? run : concealRun(run),
        created: sent!.created,
      }
    },
    async checkInput(task: string, input: unknown) {
      await checkInput(rowbeat.tasks.get(task), task, input)
      if (!rowbeat.tasks.has(task)) await checkUnregistered(task, input)
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'runs:read')
      return await require(id)
    },
    async list(caller: Caller, query: RunQuery) {
      requireScope(caller, 'runs:read')
      return await readRunPage(db, query).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    },
  })
}

/**
 * Of a run that stood already, who may only write learns that it stands: to know an id is no right to read.
 */
export function concealRun(run: RunDocument): RunDocument {
  return { ...run, input: null, result: null, error: null, progress: null, headers: {}, tags: [] }
}
