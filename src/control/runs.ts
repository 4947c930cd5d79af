/**
 * What may be done with runs, for REST, panel and command line alike: each verb checks the caller's scope, then acts.
 *
 * Reading back the run that an enqueue made is half of its cost, so reads that are asked for at the same moment go in
 * one statement, as the enqueues themselves do.
 */
import { isDeepStrictEqual } from 'node:util'
import { mayDo, requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable, type Queryable } from '../db/handle.ts'
import { readTaskSchema } from '../db/statements/health.ts'
import { findRuns, readRuns, readScanEnds, type RunFilter } from '../db/statements/list-runs.ts'
import { readRun } from '../db/statements/runs.ts'
import { EnqueueError, ResultError } from '../errors.ts'
import { buildBody, checkInput, type EnqueueOptions, type RunBody } from '../queue/enqueue.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { parseRun, type RunDocument, type RunState } from '../results/run.ts'
import { compileSchema, type InputCheck } from '../tasks/schema.ts'

/** A run asked for: the task's name, its input, and the options of enqueue. */
export interface RunRequest {
  task: string
  input?: unknown
  options: EnqueueOptions
  /** Fields that only SQL knows so far; they travel as they are. */
  extra: Record<string, unknown>
}

export interface RunPage {
  items: RunDocument[]
  /** The id to go on from; null when there are no more. */
  before: string | null
}

export interface RunControl {
  /** Throws EnqueueError with faults, or RB_TASK_UNKNOWN when no process ever registered the task. */
  enqueue(caller: Caller, request: RunRequest): Promise<{ run: RunDocument; created: boolean }>
  /** Throws the faults of an input alone: for callers that have found others already. */
  checkInput(task: string, input: unknown): Promise<void>
  /** Throws ResultError RB_RUN_NOT_FOUND. */
  read(caller: Caller, id: string): Promise<RunDocument>
  /** Newest first; a page may have fewer runs than `limit`, even none, and still a place to go on from. */
  list(caller: Caller, filter: RunFilter & { states?: RunState[] }, limit: number): Promise<RunPage>
}

export function createRunControl(rowbeat: Rowbeat): RunControl {
  const db = toQueryable(rowbeat.db)
  const read = createBatchReader(db)
  const schemas = createSchemaBook(db)

  const verify = async (task: string, input: unknown): Promise<void> => {
    const known = rowbeat.tasks.get(task)
    await checkInput(known, task, input)
    if (known) return
    const faults = await schemas.check(task, input)
    if (faults.length > 0) {
      const [first] = faults
      throw new EnqueueError(
        'RB_INPUT_INVALID',
        `input of ${task} is refused: ${first!.pointer} ${first!.detail}`,
        faults,
      )
    }
  }

  return Object.freeze({
    checkInput: verify,
    async enqueue(caller: Caller, { task, input, options, extra }: RunRequest) {
      requireScope(caller, 'runs:write')
      if (!rowbeat.tasks.has(task)) await verify(task, input)
      const body: RunBody = Object.assign(await buildBody(rowbeat.tasks, task, input, options), extra)
      const [sent] = await rowbeat.send([body])
      const run = await read(sent!.id)
      if (!run) throw unknownRun(sent!.id)
      return { run: sent!.created || mayDo(caller, 'runs:read') ? run : conceal(run), created: sent!.created }
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'runs:read')
      const run = await read(id)
      if (!run) throw unknownRun(id)
      return run
    },
    async list(caller: Caller, filter: RunFilter & { states?: RunState[] }, limit: number) {
      requireScope(caller, 'runs:read')
      return await listPage(db, filter, limit).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    },
  })
}

/** Of a standing run, a caller that may only write learns that it stands: an id is no right to read. */
function conceal(run: RunDocument): RunDocument {
  return { ...run, input: null, result: null, error: null, progress: null, headers: {}, tags: [] }
}

function unknownRun(id: string): ResultError {
  return new ResultError(
    'RB_RUN_NOT_FOUND',
    `run ${id} is unknown: it was never enqueued, was rolled back, or its result expired.`,
  )
}

async function listPage(
  db: Queryable,
  filter: RunFilter & { states?: RunState[] },
  limit: number,
): Promise<RunPage> {
  const found = await findRuns(db, filter, limit + 1)
  // A place that found fewer than a page may have stopped looking: nothing below where it stopped is sure yet.
  const counts = new Map<string, number>()
  for (const { place } of found) counts.set(place, (counts.get(place) ?? 0) + 1)
  const ends = await readScanEnds(db, filter, (place) => (counts.get(place) ?? 0) <= limit)
  const floor = ends.sort().at(-1) ?? null
  const sure = found.filter(({ id }) => floor === null || id >= floor).map(({ id }) => id)
  const page = sure.slice(0, limit)
  const before = sure.length > limit ? page.at(-1)! : floor
  const documents = new Map((await readMany(db, page)).map((run) => [run.id, run]))
  const items = page
    .map((id) => documents.get(id))
    // A run may have moved on between the two statements; one that no longer fits is left out.
    .filter((run) => run !== undefined && (filter.states?.includes(run.state) ?? true)) as RunDocument[]
  return { items, before }
}

async function readMany(db: Queryable, ids: readonly string[]): Promise<RunDocument[]> {
  return ids.length === 0 ? [] : (await readRuns(db, ids)).map(({ run }) => parseRun(run))
}

/** Ids in one statement at most, and statements on their way at once. */
const BATCH_MAX = 500
const FLIGHTS_MAX = 2

/** Reads one run; concurrent reads share a statement. */
function createBatchReader(db: Queryable): (id: string) => Promise<RunDocument | null> {
  let waiting: { id: string; resolve(run: RunDocument | null): void; reject(error: unknown): void }[] = []
  let flights = 0
  let armed = false

  const fly = (): void => {
    armed = false
    while (waiting.length > 0 && flights < FLIGHTS_MAX) {
      const batch = waiting.slice(0, BATCH_MAX)
      waiting = waiting.slice(BATCH_MAX)
      flights++
      void answer(batch).finally(() => {
        flights--
        arm()
      })
    }
  }
  const arm = (): void => {
    if (armed || waiting.length === 0 || flights >= FLIGHTS_MAX) return
    armed = true
    setImmediate(fly)
  }
  const answer = async (batch: typeof waiting): Promise<void> => {
    try {
      const runs = new Map<string, RunDocument>()
      if (batch.length === 1) {
        const text = await readRun(db, batch[0]!.id)
        if (text !== null) runs.set(batch[0]!.id, parseRun(text))
      } else for (const run of await readMany(db, [...new Set(batch.map(({ id }) => id))])) runs.set(run.id, run)
      for (const { id, resolve } of batch) resolve(runs.get(id) ?? null)
    } catch (error) {
      for (const { reject } of batch) reject(explainDatabaseError(error))
    }
  }

  return (id) =>
    new Promise((resolve, reject) => {
      waiting.push({ id, resolve, reject })
      arm()
    })
}
