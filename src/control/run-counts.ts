/**
 * How many runs there are in each state, for the numbers beside a list: exact while they are small, at least so many beyond. Pages
 * that are open all ask the same every few seconds, and share a reading (memo.ts).
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { nowMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { countRuns } from '../db/statements/count-runs.ts'
import { isDeepFilter, type RunFilter } from '../db/statements/list-runs.ts'
import { RUN_STATES, type RunState } from '../results/run.ts'
import { createMemo } from './memo.ts'

export interface RunCount {
  state: RunState
  count: number
  /** There are at least so many. */
  capped: boolean
}

export interface RunCounts {
  at: string
  items: RunCount[]
}

export interface RunCountControl {
  /** Of the states that are asked for, in their order. */
  count(caller: Caller, filter: RunFilter): Promise<RunCounts>
}

/** Rows that a look goes through: fewer where they lie apart, as those of one task do, and where inputs and errors are read, which may be large. */
const SCAN = 10_000
const APART_SCAN = 2500
const DEEP_SCAN = 500

export function createRunCountControl(db: Queryable): RunCountControl {
  const memo = createMemo<RunCounts>()

  const read = async (filter: RunFilter): Promise<RunCounts> => {
    const found = await countRuns(db, filter, scanOf(filter))
    const items = RUN_STATES.filter((state) => filter.states?.includes(state) ?? true).map((state) => {
      const own = found.filter((one) => one.state === state)
      const capped = found.some(
        (one) => one.isCapped && (one.state === state || (isEnded(state) && isEnded(one.state))),
      )
      return { state, count: own.reduce((sum, { n }) => sum + n, 0), capped }
    })
    return { at: new Date(nowMs()).toISOString(), items }
  }
  return Object.freeze({
    async count(caller: Caller, filter: RunFilter) {
      requireScope(caller, 'runs:read')
      return await memo(JSON.stringify(filter), () => read(filter)).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    },
  })
}

function scanOf(filter: RunFilter): number {
  if (isDeepFilter(filter)) return DEEP_SCAN
  const { task, queue, tag, where = [] } = filter
  return (task ?? queue ?? tag ?? where[0]) ? APART_SCAN : SCAN
}

/** Counted in one look: of one that saw none of them there may be more too. */
const isEnded = (state: string): boolean => state === 'SUCCESS' || state === 'REVOKED'
