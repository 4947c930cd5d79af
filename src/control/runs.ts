/**
 * What may be done with runs, for REST, panel and command line alike: each verb checks the caller's scope,
 * then acts.
 */
import { isDeepStrictEqual } from 'node:util'
import { mayDo, requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import type { AuditNote } from '../db/statements/audit.ts'
import { forgetRun } from '../db/statements/runs.ts'
import { EnqueueError, ResultError } from '../errors.ts'
import { checkInput, createCoalescer, type RunBody } from '../queue/enqueue.ts'
import type { EnqueueOptions } from '../queue/options.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { sendBodiesTold } from '../queue/telling.ts'
import type { RevokeOptions } from '../results/revoke.ts'
import type { RunDocument } from '../results/run.ts'
import type { RescheduleTime, RetryOptions } from '../results/verbs.ts'
import { acting } from './acting.ts'
import { readRunPage, type RunPage, type RunQuery } from './run-page.ts'
import { createRunReads } from './run-reader.ts'
import { createSchemaBook } from './schema-book.ts'

/** A run asked for: the task's name, its input, and the options of enqueue. */
export interface RunRequest {
  task: string
  input?: unknown
  options: EnqueueOptions
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
  /** The run after. */
  revoke(caller: Caller, id: string, options: RevokeOptions): Promise<RunDocument>
  /** The new run of a finished one; of a parked one, released now, itself. Throws ResultError RB_RUN_STATE, EnqueueError. */
  retry(caller: Caller, id: string, options: RetryOptions): Promise<{ run: RunDocument; created: boolean }>
  /** The run after. Throws ResultError RB_RUN_STATE. */
  reschedule(caller: Caller, id: string, time: RescheduleTime): Promise<RunDocument>
  /** Only of a finished run. Throws ResultError RB_RUN_LIVE. */
  delete(caller: Caller, id: string): Promise<void>
}

export function createRunControl(rowbeat: Rowbeat): RunControl {
  const db = toQueryable(rowbeat.db)
  const readOne = createRunReads(db)
  const checkBySchema = createSchemaBook(db)
  const send = createCoalescer((bodies) => sendBodiesTold(db, bodies))

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
    async enqueue(caller: Caller, { task, input, options }: RunRequest) {
      requireScope(caller, 'runs:write')
      const body = await rowbeat.prepare(task, input, options)
      if (!rowbeat.tasks.has(task)) await checkUnregistered(task, input)
      const { id, created, run: told } = await send(body)
      const run = told ?? (await require(id))
      if (!created && options.idempotencyKey !== undefined) refuseOther(run, body)
      return { run: created || mayDo(caller, 'runs:read') ? run : concealRun(run), created }
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
    ...createVerbs(rowbeat, require, checkUnregistered),
  })
}

function createVerbs(
  rowbeat: Rowbeat,
  require: (id: string) => Promise<RunDocument>,
  checkUnregistered: (task: string, input: unknown) => Promise<void>,
): Pick<RunControl, 'revoke' | 'retry' | 'reschedule' | 'delete'> {
  /** Who may only write learns what became of the run, not what is in it. */
  const tell = async (caller: Caller, id: string): Promise<RunDocument> => {
    const run = await require(id)
    return mayDo(caller, 'runs:read') ? run : concealRun(run)
  }
  return {
    async revoke(caller, id, options) {
      requireScope(caller, 'runs:write')
      const { reason = null } = options
      const deed = { action: options.terminate ? 'run.terminate' : 'run.revoke', reason }
      await acting(rowbeat.db, caller, deed, async (inside) => {
        const state = await rowbeat.in(inside.tx).revoke(id, options)
        await inside.note({ ...of(deed.action, id), after: { state } })
      })
      return await tell(caller, id)
    },
    async retry(caller, id, options) {
      requireScope(caller, 'runs:write')
      if (options.input !== undefined) {
        const { task } = await require(id)
        if (!rowbeat.tasks.has(task)) await checkUnregistered(task, options.input)
      }
      const retried = await acting(rowbeat.db, caller, {}, async (inside) => {
        const handle = await rowbeat.in(inside.tx).retry(id, options)
        await inside.note({ ...of('run.retry', id), after: { run: handle.id } })
        return handle
      })
      return { run: await tell(caller, retried.id), created: retried.created }
    },
    async reschedule(caller, id, time) {
      requireScope(caller, 'runs:write')
      await acting(rowbeat.db, caller, {}, async (inside) => {
        await rowbeat.in(inside.tx).reschedule(id, time)
        await inside.note({ ...of('run.reschedule', id), after: { ...time } })
      })
      return await tell(caller, id)
    },
    async delete(caller, id) {
      requireScope(caller, 'runs:write')
      const gone = await acting(rowbeat.db, caller, {}, async (inside) => {
        const isGone = await forgetRun(inside.db, id)
        if (isGone) await inside.note(of('run.delete', id))
        return isGone
      }).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
      if (gone) return
      const { state } = await require(id)
      throw new ResultError(
        'RB_RUN_LIVE',
        `Run ${id} is ${state}: only a finished run can be deleted; revoke it first.`,
      )
    },
  }
}

/** A client that sends another body with a key it has used has a fault that an answer in the first one's name would hide. */
function refuseOther(run: RunDocument, { input = '{}' }: RunBody): void {
  if (isDeepStrictEqual(run.input, JSON.parse(input))) return
  throw new EnqueueError(
    'RB_IDEMPOTENCY_REUSED',
    'The idempotency key was used before with another input: send the first one again, or take a new key.',
    [{ pointer: '/input', detail: 'is another than was sent with this idempotency key before' }],
  )
}

/** What the audit log says of every verb on a run. */
function of(action: string, target: string): Pick<AuditNote, 'action' | 'targetKind' | 'target'> {
  return { action, targetKind: 'run', target }
}

/**
 * Of a run that stood already, who may only write learns that it stands: to know an id is no right to read.
 */
export function concealRun(run: RunDocument): RunDocument {
  return { ...run, input: null, result: null, error: null, progress: null, headers: {}, tags: [] }
}
