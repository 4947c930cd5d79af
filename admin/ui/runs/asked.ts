/**
 * Which runs the list is asked for: the search and the states in its address. What the live stream tells is held against the same
 * here, as far as it can be without asking: a field that the stream does not tell leaves it open.
 */
import type { RunCondition } from '../../../src/db/statements/run-conditions.ts'
import type { RunState } from '../../../src/results/run.ts'
import { parseSearch, describeFault, type Search } from '../../../src/results/search/search.ts'

/** A run in short, as the live stream tells it. */
export interface ShortRun {
  id: string
  task: string
  queue: string
  state: RunState
  [key: string]: unknown
}

export interface Asked {
  q: string
  states: readonly string[]
}

/** What is sent for it. */
export function queryOf({ q, states }: Asked): Record<string, string> {
  return { ...(q ? { q } : {}), ...(states.length > 0 ? { state: states.join(',') } : {}) }
}

/** The filter of an operation over all of them. */
export function filterOf({ q, states }: Asked): Record<string, unknown> {
  if (!q && states.length === 0) return { all: true }
  return { ...(q ? { q } : {}), ...(states.length > 0 ? { state: states } : {}) }
}

/** What is wrong with a search, in words, or null. */
export function faultOf(q: string): string | null {
  const { faults } = parseSearch(q, Date.now())
  return faults.length > 0 ? faults.map(describeFault).join('; ') : null
}

/** Whether a run that is told is asked for; null when that cannot be known here. */
export function isAsked(run: ShortRun, { q, states }: Asked): boolean | null {
  if (states.length > 0 && !states.includes(run.state)) return false
  if (!q) return true
  const read = parseSearch(q, Date.now())
  if (!('search' in read)) return null
  const { search }: { search: Search } = read
  if (search.states && !search.states.includes(run.state)) return false
  const answers = search.where.map((condition) => holds(run, condition))
  return answers.includes(false) ? false : answers.includes(null) ? null : true
}

const TOLD = ['id', 'task', 'queue', 'schedule']

function holds(run: ShortRun, { field, compare, values, isNot }: RunCondition): boolean | null {
  // It was enqueued a moment ago.
  if (field === 'created' && (compare === '>' || compare === '>=')) return isNot !== true
  if (!TOLD.includes(field) || compare !== 'is') return null
  return values.includes((run[field] as string | null) ?? null) !== (isNot === true)
}
