/**
 * How many runs there are in each state, as far as a bounded look tells: each place is asked as the list asks it (list-runs.ts), but
 * counted, over at most `scan` rows. Ten million results are not counted for a number on a button: where a look ended before
 * the rows did, there are at least so many.
 */
import type { Queryable } from '../handle.ts'
import { choosePlaces, joinsOf, PARKED_REASONS, sourceOf, whereClause, type RunFilter } from './list-runs.ts'
import { createBinder, type Binder, type RunCondition } from './run-conditions.ts'

/** A state's share of one look; of one that saw as many rows as it might, there may be more. */
export interface StateCount {
  state: string
  n: number
  isCapped: boolean
}

/** States that are told apart by one look at one place. */
const LOOKS: readonly (readonly string[])[] = [
  ['PENDING'],
  ['SCHEDULED'],
  ['RETRY'],
  ['STARTED'],
  ['PROGRESS'],
  ['FAILURE'],
  ['SUCCESS', 'REVOKED'],
]

export async function countRuns(db: Queryable, filter: RunFilter, scan: number): Promise<StateCount[]> {
  const bind = createBinder()
  const branches = LOOKS.map((states) => states.filter((state) => filter.states?.includes(state) ?? true))
    .filter((states) => states.length > 0)
    .flatMap((states, look) => branchesOf({ ...filter, states }, look, scan, bind))
  if (branches.length === 0) return []
  // As many shapes as people think of searches; and the values decide on the index.
  const rows = await db.query<{ look: number; state: string; n: number; seen: number }>(
    `/* count_runs */ ${branches.join('\nunion all\n')}`,
    bind.parameters,
    { isRare: true },
  )
  const full = new Set(rows.filter(({ seen }) => seen >= scan).map(({ look }) => look))
  return rows
    .filter(({ state }) => filter.states?.includes(state) ?? true)
    .map(({ look, state, n }) => ({ state, n, isCapped: full.has(look) }))
}

function branchesOf(filter: RunFilter, look: number, scan: number, bind: Binder): string[] {
  const [state] = filter.states!
  return choosePlaces(filter).map((place) => {
    const source =
      place.name === 'parked' ? parkedSource(filter, scan, bind) : sourceOf(place, filter, scan, bind)
    const wanted = place.rest(filter, bind).join(' and ') || 'true'
    // Failures alone need not be read: their index has what is counted.
    const isMixed = place.name === 'results' && filter.states!.length > 1
    const told = isMixed ? 'x.state' : `'${state}'`
    const group = isMixed ? ' group by x.state' : ''
    return `select ${look} as look, ${told} as state, count(*) filter (where ${wanted})::integer as n, (sum(count(*)) over ())::integer as seen
from (${source}) x${joinsOf(place, filter)}${group}`
  })
}

/** By why they are parked, for which there is an index: the newest million of a backlog must not hide what is due tomorrow. */
function parkedSource(filter: RunFilter, scan: number, bind: Binder): string {
  const reasons = filter.states!.flatMap((state) => PARKED_REASONS[state]!.map((reason) => `'${reason}'`))
  const where = whereClause([
    `x.reason in (${reasons.join(', ')})`,
    ...(['task', 'queue'] as const).flatMap((field) => {
      const value = onlyOf(filter, field)
      return value === undefined ? [] : [`x.${field} = ${bind(String(value))}::text`]
    }),
  ])
  return `select x.id, x.task, x.queue, x.reason, x.priority, x.payload, x.created_at, x.release_at from rowbeat.parked x${where} limit ${scan}`
}

/** The one value that a field may have, where the filter says so. */
function onlyOf({ where = [], ...filter }: RunFilter, field: 'task' | 'queue'): unknown {
  const one = where.find((condition) => condition.field === field && isOne(condition))
  return filter[field] ?? one?.values[0]
}

const isOne = ({ compare, values, isNot }: RunCondition): boolean =>
  compare === 'is' && values.length === 1 && !isNot
