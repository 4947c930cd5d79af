/**
 * Reads runs by id. Clients that wait for runs by asking again ask for many at the same moment, and so do those whose
 * enqueues were answered by runs that stood already: such reads share one statement, as the enqueues themselves do. A
 * single read takes the look-up that is planned for one id.
 */
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { readRuns } from '../db/statements/list-runs.ts'
import { readRun } from '../db/statements/runs.ts'
import { parseRun, type RunDocument } from '../results/run.ts'

/** Ids in one statement at most, and statements on their way at once. */
const BATCH_MAX = 500
const FLIGHTS_MAX = 2

interface Waiting {
  id: string
  resolve(run: RunDocument | null): void
  reject(error: unknown): void
}

/** Answers the run's document, or null when the id is unknown. Ids are lower case. */
export function createRunReads(db: Queryable): (id: string) => Promise<RunDocument | null> {
  let waiting: Waiting[] = []
  let flights = 0
  let armed = false

  const arm = (): void => {
    if (armed || waiting.length === 0 || flights >= FLIGHTS_MAX) return
    armed = true
    setImmediate(fly)
  }
  const fly = (): void => {
    armed = false
    const batch = waiting.slice(0, BATCH_MAX)
    waiting = waiting.slice(BATCH_MAX)
    flights++
    void answer(db, batch).finally(() => {
      flights--
      arm()
    })
    arm()
  }

  return (id) =>
    new Promise((resolve, reject) => {
      waiting.push({ id, resolve, reject })
      arm()
    })
}

async function answer(db: Queryable, batch: readonly Waiting[]): Promise<void> {
  try {
    const documents = await readDocuments(db, [...new Set(batch.map(({ id }) => id))])
    for (const { id, resolve } of batch) resolve(documents.get(id) ?? null)
  } catch (error) {
    for (const { reject } of batch) reject(explainDatabaseError(error))
  }
}

/** The documents of these ids, by id; unknown ones are missing. */
export async function readDocuments(
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, RunDocument>> {
  if (ids.length === 0) return new Map()
  if (ids.length > 1) return new Map((await readRuns(db, ids)).map(({ id, run }) => [id, parseRun(run)]))
  const text = await readRun(db, ids[0]!)
  return new Map(text === null ? [] : [[ids[0]!, parseRun(text)]])
}
