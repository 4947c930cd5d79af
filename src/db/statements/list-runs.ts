/**
 * Statements that read many runs: a page of them, and the documents of given ids.
 *
 * A page asks each place (queue, parked, results) by itself, with its own order and limit, and merges the
 * ids; the view would compute the state of every waiting row to find fifty finished ones. The states asked
 * for choose the places. A filter that no index of a place serves (queue, tag, a rare state) is looked for in
 * the newest `scan` rows only, so a page costs milliseconds whatever the table holds; `readScanEnds` then
 * tells how far the look went, and the next page goes on from there.
 */
import type { Queryable } from '../handle.ts'
import {
  conditionSql,
  createBinder,
  isDeep,
  mayHold,
  needs,
  type Binder,
  type Family,
  type RunCondition,
} from './run-conditions.ts'

export interface RunFilter {
  /** Only runs with a lower id. */
  before?: string
  /** Only runs with this id or a higher one. */
  from?: string
  states?: readonly string[]
  task?: string
  queue?: string
  tag?: string
  /** What else must hold, all of it. */
  where?: readonly RunCondition[]
}

/** Rows of one place that a look goes through before it gives up and says how far it came. */
export const SCAN_MAX = 20_000
/** Sizes of looks: each is a prepared statement, so there are few. */
export const SCANS = [125, 500, 2000, 8000, SCAN_MAX] as const

/** graphile-worker's tables: the identifier in TASKS, `queue:task`, says what a row of JOBS is. */
const JOBS = 'rowbeat_queue._private_jobs'

/** What live workers say they run. */
const LISTED = `select (l->>'id')::uuid as id, w.pools, w.name as worker, (l->>'started_at')::timestamptz as started_at, (l->>'attempt')::integer as attempt
  from rowbeat.workers w cross join lateral jsonb_array_elements(w.running) l`

/** Sizes of pages that are asked for. */
const SIZES = [51, 101, 201, 501]

/** An id that a page found, the place that had it, and its number there, from 1. */
export interface FoundRun {
  id: string
  place: string
  rank: number
}

/** True when the filter reads what may be large, so that a look should begin with few rows. */
export function isDeepFilter({ where = [] }: RunFilter): boolean {
  return where.some(isDeep)
}

/**
 * The newest `limit` ids (or a few more) of each place that pass the filter, newest first over all places.
 */
export async function findRuns(
  db: Queryable,
  filter: RunFilter,
  limit: number,
  scan: number = SCAN_MAX,
): Promise<FoundRun[]> {
  const size = SIZES.find((candidate) => candidate >= limit) ?? limit
  const bind = createBinder()
  const branches = choosePlaces(filter).map((place) => {
    const source = sourceOf(place, filter, scan, bind)
    const where = whereClause(place.rest(filter, bind))
    return `(select x.id, '${place.name}' as place from (${source}) x${joinsOf(place, filter)}${where} order by x.id desc limit ${size})`
  })
  if (branches.length === 0) return []
  const rows = await db.query<{ id: string; place: string }>(
    `/* find_runs */
select id::text as id, place from (${branches.join('\nunion all\n')}) f order by f.id desc`,
    bind.parameters,
    { isRare: isRare(filter) },
  )
  const ranks = new Map<string, number>()
  return rows.map(({ id, place }) => {
    const rank = (ranks.get(place) ?? 0) + 1
    ranks.set(place, rank)
    return { id, place, rank }
  })
}

/**
 * For each place but these that gave up looking: the id at which it did. None when all were looked through to
 * the end.
 */
export async function readScanEnds(
  db: Queryable,
  filter: RunFilter,
  except: ReadonlySet<string>,
  scan: number = SCAN_MAX,
): Promise<string[]> {
  const bind = createBinder()
  const branches = choosePlaces(filter)
    .filter((place) => !except.has(place.name) && place.rest(filter, createBinder()).length > 0)
    .map(
      (place) =>
        `(select x.id from (${sourceOf(place, filter, scan, bind)}) x order by x.id desc offset ${scan - 1} limit 1)`,
    )
  if (branches.length === 0) return []
  const rows = await db.query<{ id: string }>(
    `/* read_scan_ends */ select id::text as id from (${branches.join('\nunion all\n')}) f`,
    bind.parameters,
    { isRare: isRare(filter) },
  )
  return rows.map((row) => row.id)
}

/** Documents of runs, in no order; unknown ids are left out. The primary key of each place finds them. */
export async function readRuns(
  db: Queryable,
  ids: readonly string[],
): Promise<{ id: string; run: string }[]> {
  return await db.query<{ id: string; run: string }>(
    `/* read_runs */
select r.id::text as id, row_to_json(r)::text as run
from rowbeat.runs r where r.id = any ($1::uuid[])`,
    [`{${ids.join(',')}}`],
  )
}

/** Ids of the runs that live workers list as running. */
export async function readRunningIds(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `/* read_running_ids */ select l.id::text as id from (${LISTED}) l`,
  )
  return rows.map((row) => row.id)
}

/** There are as many shapes of a search as people think of: none is worth being kept prepared. */
export function isRare({ where = [] }: RunFilter): boolean {
  return where.length > 0
}

export interface Place {
  name: string
  family: Family
  /** Rows by an index, newest first, without their number's limit. */
  source(filter: RunFilter, bind: Binder): string
  /** The conditions that are left, on `x`. */
  rest(filter: RunFilter, bind: Binder): string[]
}

/** At most `scan` rows, newest first. */
export function sourceOf(place: Place, filter: RunFilter, scan: number, bind: Binder): string {
  return `${place.source(filter, bind)} order by 1 desc limit ${scan}`
}

export function choosePlaces(filter: RunFilter): Place[] {
  const { states, where = [] } = filter
  const has = (state: string): boolean => !states || states.includes(state)
  const places: Place[] = []
  if (has('PENDING') && has('STARTED') && has('PROGRESS')) places.push(queued)
  else {
    if (has('PENDING')) places.push(waiting)
    if (has('STARTED') || has('PROGRESS')) places.push(running)
  }
  if (has('PENDING') || has('SCHEDULED') || has('RETRY')) places.push(parked)
  if (has('SUCCESS') || has('FAILURE') || has('REVOKED')) places.push(results)
  return places.filter(({ family }) => where.every((condition) => mayHold(family, condition)))
}

/** What conditions need beside the row: `v.p`, its payload, and `r`, what workers list of it. */
export function joinsOf(place: Place, filter: RunFilter): string {
  const { family, name } = place
  const needed = conditionsOf(filter).map((condition) => needs(family, condition))
  const payload = needed.some((need) => need.payload)
    ? ' cross join lateral (select x.payload::jsonb as p offset 0) v'
    : ''
  if (!needed.some((need) => need.list)) return payload
  return name === 'running'
    ? `${payload} cross join lateral (select x.worker, x.started_at, x.attempt) r`
    : `${payload} left join (${LISTED}) r on r.id = x.id and x.locked_by = any (r.pools)`
}

/** All that is asked beside states and place in time, the short forms too. */
function conditionsOf({ task, queue, tag, where = [] }: RunFilter): RunCondition[] {
  const is = (field: 'task' | 'queue' | 'tag', value: string | undefined): RunCondition[] =>
    value === undefined ? [] : [{ field, compare: 'is', values: [value] }]
  return [...is('task', task), ...is('queue', queue), ...is('tag', tag), ...where]
}

/** The one task whose runs an index lists. */
function taskOf(filter: RunFilter): RunCondition | undefined {
  return conditionsOf(filter).find(
    ({ field, compare, values, isNot }) =>
      field === 'task' && compare === 'is' && values.length === 1 && !isNot,
  )
}

function restOf(family: Family, filter: RunFilter, bind: Binder, served?: RunCondition): string[] {
  const same = (condition: RunCondition): boolean =>
    served !== undefined && JSON.stringify(condition) === JSON.stringify(served)
  const asked = conditionsOf(filter)
    .filter((condition) => !same(condition))
    .map((condition) => conditionSql(family, condition, bind))
  const relative = family === 'results' ? undefined : relativeOf(filter)
  // A payload without the id need not be parsed.
  return relative
    ? [`strpos(x.payload::text, ${bind(String(relative.values[0]))}::text) > 0`, ...asked]
    : asked
}

const queued: Place = {
  name: 'queued',
  family: 'jobs',
  source: (filter, bind) =>
    `select j.key::uuid as id, j.task_id, j.payload, j.priority, j.created_at, j.run_at, j.locked_by from ${JOBS} j${whereClause(
      rangeConditions(filter, 'j.key::uuid', bind),
    )}`,
  rest: (filter, bind) => restOf('jobs', filter, bind),
}

/** Claimed and not yet started is PENDING too, so what waits is what no worker lists. */
const waiting: Place = {
  name: 'waiting',
  family: 'jobs',
  source: queued.source,
  rest: (filter, bind) => [`x.id not in (select l.id from (${LISTED}) l)`, ...queued.rest(filter, bind)],
}

/** Few rows: the workers' lists name them, and the index on the run id finds each. */
const running: Place = {
  name: 'running',
  family: 'jobs',
  source(filter, bind) {
    const reported = 'exists (select from rowbeat.progress g where g.run_id = r.id)'
    const both = filter.states!.includes('STARTED') && filter.states!.includes('PROGRESS')
    return `select r.id, j.task_id, j.payload, j.priority, j.created_at, j.run_at, r.worker, r.started_at, r.attempt from (${LISTED}) r
      join ${JOBS} j on j.key::uuid = r.id and j.locked_by = any (r.pools)${whereClause([
        ...rangeConditions(filter, 'r.id', bind),
        ...(both ? [] : [filter.states!.includes('PROGRESS') ? reported : `not ${reported}`]),
      ])}`
  },
  rest: (filter, bind) => restOf('jobs', filter, bind),
}

export const PARKED_REASONS: Record<string, readonly string[]> = {
  PENDING: ['overflow', 'paused', 'rate', 'concurrency', 'flow'],
  SCHEDULED: ['eta', 'snooze'],
  RETRY: ['retry'],
}

const parked: Place = {
  name: 'parked',
  family: 'parked',
  source: (filter, bind) =>
    `select x.id, x.task, x.queue, x.reason, x.priority, x.payload, x.created_at, x.release_at from rowbeat.parked x${whereClause(
      [...rangeConditions(filter, 'x.id', bind), ...indexedTask('parked', filter, bind)],
    )}`,
  rest(filter, bind) {
    const kinds = Object.keys(PARKED_REASONS).filter((state) => filter.states?.includes(state) ?? true)
    const reasons = kinds.flatMap((state) => PARKED_REASONS[state]!.map((reason) => `'${reason}'`))
    return [
      ...(kinds.length === 3 ? [] : [`x.reason in (${reasons.join(', ')})`]),
      ...restOf('parked', filter, bind, taskOf(filter)),
    ]
  },
}

const FINISHED = ['SUCCESS', 'FAILURE', 'REVOKED']
const finishedStates = ({ states }: RunFilter): string[] =>
  FINISHED.filter((state) => states?.includes(state) ?? true)

/**
 * The newest failures have an index of their own, which serves better than that of the task: they are few.
 */
const onlyFailures = (filter: RunFilter): boolean => finishedStates(filter).join() === 'FAILURE'

const results: Place = {
  name: 'results',
  family: 'results',
  source: (filter, bind) =>
    `select x.* from rowbeat.results x${whereClause([
      ...rangeConditions(filter, 'x.id', bind),
      ...(relativeOf(filter) ? indexedRelative(filter, bind) : []),
      ...(onlyFailures(filter) ? [`x.state = 'FAILURE'`] : indexedTask('results', filter, bind)),
    ])}`,
  rest(filter, bind) {
    const states = finishedStates(filter)
    const served = states.length === FINISHED.length || onlyFailures(filter)
    return [
      ...(served ? [] : [`x.state in (${states.map((state) => `'${state}'`).join(', ')})`]),
      ...restOf('results', filter, bind, onlyFailures(filter) ? undefined : taskOf(filter)),
    ]
  },
}

/** The one run that it comes from: few come from the same, and an index lists them. */
function relativeOf({ where = [] }: RunFilter): RunCondition | undefined {
  return where.find(
    ({ field, compare, values: [id, ...more], isNot }) =>
      (field === 'parent' || field === 'retry_of') &&
      compare === 'is' &&
      typeof id === 'string' &&
      more.length === 0 &&
      !isNot,
  )
}

/** Beside the condition itself, which is asked once more. */
function indexedRelative(filter: RunFilter, bind: Binder): string[] {
  const { field, values } = relativeOf(filter)!
  return [`x.${field} = ${bind(String(values[0]))}::uuid`]
}

/** By equality with one value, so that the index is in order of the id. */
function indexedTask(family: Family, filter: RunFilter, bind: Binder): string[] {
  const task = taskOf(filter)
  return task === undefined || family === 'jobs' ? [] : [`x.task = ${bind(String(task.values[0]))}::text`]
}

function rangeConditions({ before, from }: RunFilter, column: string, bind: Binder): string[] {
  return [
    ...(before === undefined ? [] : [`${column} < ${bind(before)}::uuid`]),
    ...(from === undefined ? [] : [`${column} >= ${bind(from)}::uuid`]),
  ]
}

export function whereClause(conditions: readonly string[]): string {
  return conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''
}
