/**
 * Failures by what they have in common, for REST, panel and command line alike. Upkeep adds them up (drizzle/0015), so a look at
 * a week costs what a few thousand rows cost, however many runs failed; what failed in the last seconds may not be counted yet,
 * and `at` says so. The runs of a group are found by the search that goes with it.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { nowMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import {
  listFailures,
  readFailuresUntil,
  type CountedGroup,
  type FailureGroup,
} from '../db/statements/failures.ts'
import { createMemo } from './memo.ts'

export interface FailureQuery {
  /** Seconds. */
  period: number
  task?: string
  limit: number
}

export interface FailureDocument extends FailureGroup {
  /** How many failed in the period. */
  count: number
  /** How many in each slice, oldest first. */
  slices: number[]
  /** The search that finds its runs. */
  q: string
}

export interface FailuresDocument {
  /** What failed until then has been counted. */
  at: string
  period: number
  /** Seconds of a slice, and when the first one begins. */
  step: number
  since: string
  /** The largest first. */
  items: FailureDocument[]
  next: null
}

export interface FailureControl {
  list(caller: Caller, query: FailureQuery): Promise<FailuresDocument>
}

/** Counts are kept by ten minutes. */
const STEPS = [10, 20, 30, 60, 120, 180, 360, 480].map((minutes) => minutes * 60)
const SLICES = 24

export function createFailureControl(db: Queryable): FailureControl {
  const memo = createMemo<FailuresDocument>()

  const read = async ({ period, task, limit }: FailureQuery): Promise<FailuresDocument> => {
    const end = nowMs() / 1000
    const step = STEPS.find((seconds) => seconds * SLICES >= period) ?? STEPS.at(-1)!
    const [since, last] = [end - period, end].map((at) => Math.floor(at / step) * step) as [number, number]
    const [at, groups] = await Promise.all([
      readFailuresUntil(db),
      listFailures(db, { since, step }, { task, limit }),
    ]).catch((error: unknown) => {
      throw explainDatabaseError(error)
    })
    const length = (last - since) / step + 1
    const items = groups.map((group) => describe(group, length))
    return { at, period, step, since: new Date(since * 1000).toISOString(), items, next: null }
  }
  return Object.freeze({
    async list(caller: Caller, query: FailureQuery) {
      requireScope(caller, 'runs:read')
      return await memo(`${query.period} ${query.limit} ${query.task ?? ''}`, () => read(query))
    },
  })
}

function describe({ slices, ...group }: CountedGroup, length: number): FailureDocument {
  return {
    ...group,
    slices: Array.from({ length }, (_, slice) => slices[slice] ?? 0),
    q: `state:failed task:${group.task} failure:${group.fingerprint}`,
  }
}
