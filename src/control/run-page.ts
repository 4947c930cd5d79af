/**
 * One page of runs, newest first. Each place (queue, parked, results) is asked for a page of its own and they
 * are merged by id; the documents of what is left are read in a second statement. Where a place gave up
 * looking before it had a page, nothing older than where it stopped is sure: the look goes on from there, for
 * BUDGET_MS, and then the page is what there is, with a cursor for the rest. A look that may have to read
 * large inputs begins with few rows and takes more as long as they are read fast; no look begins that would end too late.
 */
import { monotonicMs, nowMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { findRuns, isDeepFilter, readScanEnds, SCANS, type RunFilter } from '../db/statements/list-runs.ts'
import type { RunDocument, RunState } from '../results/run.ts'
import { readDocuments } from './run-reader.ts'
import { nextZone, zonesOf } from './run-zones.ts'

export interface RunQuery extends RunFilter {
  states?: readonly RunState[]
  limit: number
}

export interface RunPage {
  items: RunDocument[]
  /** The id to go on below; null when there are no more. */
  before: string | null
}

const BUDGET_MS = 200
/** A look that took longer than this is followed by a smaller one, one that was faster by far by a larger one. */
const LOOK_MS = 60
/** Of SCANS: how many rows a first look goes through. Nobody knows before whether they are in memory. */
const FIRST = 2

export async function readRunPage(db: Queryable, { limit, ...filter }: RunQuery): Promise<RunPage> {
  if (filter.states?.length === 0) return { items: [], before: null }
  const deadline = monotonicMs() + BUDGET_MS
  const zones = zonesOf(filter, nowMs())
  let size = isDeepFilter(filter) ? 0 : FIRST
  const ids: string[] = []
  let zone = nextZone(zones, filter.before ?? null)
  while (zone !== null) {
    const began = monotonicMs()
    const bounds = { before: zone.before ?? undefined, from: zone.from ?? undefined }
    const found = await findIds(db, { ...filter, ...bounds }, limit - ids.length, SCANS[size]!)
    const took = monotonicMs() - began
    ids.push(...found.ids)
    const end: string | null = found.before ?? zone.from
    zone = end === null ? null : nextZone(zones, end)
    if (ids.length >= limit) break
    const perRow = took / SCANS[size]!
    if (took > LOOK_MS) size = Math.max(0, size - 1)
    else if (took < LOOK_MS / 5) size = Math.min(SCANS.length - 1, size + 1)
    const left = deadline - monotonicMs()
    while (size > 0 && SCANS[size]! * perRow > left) size--
    if (SCANS[size]! * perRow > left) break
  }
  const documents = await readDocuments(db, ids)
  // A run may have moved on between the statements: one that no longer fits, or expired, is left out.
  const items = ids
    .map((id) => documents.get(id))
    .filter((run) => run !== undefined)
    .filter((run) => filter.states?.includes(run.state) ?? true)
  return { items, before: zone?.before ?? null }
}

/** Up to `limit` ids, and the id to go on below when there may be more. */
async function findIds(
  db: Queryable,
  filter: RunFilter,
  limit: number,
  scan: number,
): Promise<{ ids: string[]; before: string | null }> {
  const found = await findRuns(db, filter, limit + 1, scan)
  const full = new Set(found.filter(({ rank }) => rank > limit).map(({ place }) => place))
  const floor = (await readScanEnds(db, filter, full, scan)).sort().at(-1) ?? null
  const sure = found.map(({ id }) => id).filter((id) => floor === null || id >= floor)
  const ids = sure.slice(0, limit)
  return { ids, before: sure.length > limit ? ids.at(-1)! : floor }
}
