/**
 * One page of runs, newest first. Each place (queue, parked, results) is asked for a page of its own and they
 * are merged by id; the documents of what is left are read in a second statement. Where a place gave up
 * looking before it had a page, nothing older than where it stopped is sure: the look goes on from there, for
 * BUDGET_MS, and then the page is what there is, with a cursor for the rest.
 */
import { monotonicMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { findRuns, readScanEnds, type RunFilter } from '../db/statements/list-runs.ts'
import type { RunDocument, RunState } from '../results/run.ts'
import { readDocuments } from './run-reader.ts'

export interface RunQuery extends RunFilter {
  states?: readonly RunState[]
  limit: number
}

export interface RunPage {
  items: RunDocument[]
  /** The id to go on below; null when there are no more. */
  before: string | null
}

const BUDGET_MS = 250

export async function readRunPage(db: Queryable, { limit, ...filter }: RunQuery): Promise<RunPage> {
  const deadline = monotonicMs() + BUDGET_MS
  const ids: string[] = []
  let before: string | null = filter.before ?? null
  do {
    const found = await findIds(db, { ...filter, before: before ?? undefined }, limit - ids.length)
    ids.push(...found.ids)
    before = found.before
  } while (before !== null && ids.length < limit && monotonicMs() < deadline)
  const documents = await readDocuments(db, ids)
  // A run may have moved on between the statements: one that no longer fits, or expired, is left out.
  const items = ids
    .map((id) => documents.get(id))
    .filter((run) => run !== undefined)
    .filter((run) => filter.states?.includes(run.state) ?? true)
  return { items, before }
}

/** Up to `limit` ids, and the id to go on below when there may be more. */
async function findIds(
  db: Queryable,
  filter: RunFilter,
  limit: number,
): Promise<{ ids: string[]; before: string | null }> {
  const found = await findRuns(db, filter, limit + 1)
  const full = new Set(found.filter(({ rank }) => rank > limit).map(({ place }) => place))
  const floor = (await readScanEnds(db, filter, full)).sort().at(-1) ?? null
  const sure = found.map(({ id }) => id).filter((id) => floor === null || id >= floor)
  const ids = sure.slice(0, limit)
  return { ids, before: sure.length > limit ? ids.at(-1)! : floor }
}
