/**
 * Statements that read many runs: a page of them, and the documents of given ids.
 *
 * A page asks each place (queue, parked, results) by itself, with its own order and limit, and merges the
 * ids; the view would compute the state of every waiting row to find fifty finished ones. The states asked
 * for choose the places. A filter that no index of a place serves (queue, tag, a rare state) is looked for in
 * the newest SCAN_MAX rows only, so a page costs milliseconds whatever the table holds; `readScanEnds` then
 * tells how far the look went, and the next page goes on from there.
 */
import type { Parameter, Queryable } from '../handle.ts'

export interface RunFilter {
  /** Only runs with a lower id. */
  before?: string
  states?: readonly string[]
  task?: string
  queue?: string
  tag?: string
}

/** Rows of one place that a page looks at before it gives up and says how far it came. */
export const SCAN_MAX = 20_000

/** graphile-worker's tables: the identifier in TASKS, `queue:task`, says what a row of JOBS is. */
const JOBS = 'rowbeat_queue._private_jobs'
const TASKS = 'rowbeat_queue._private_tasks'

/** What live workers say they run. */
const LISTED = `select (l->>'id')::uuid as id, w.pools
  from rowbeat.workers w cross join lateral jsonb_array_elements(w.running) l`

/** Sizes of pages that are asked for: each is a prepared statement, so there are few. */
const SIZES = [51, 101, 201, 501]

/** An id that a page found, the place that had it, and its number there, from 1. */
export interface FoundRun {
  id: string
  place: string
  rank: number
}

/**
 * The newest `limit` ids (or a few more) of each place that pass the filter, newest first over all places.
 */
export async function findRuns(db: Queryable, filter: RunFilter, limit: number): Promise<FoundRun[]> {
  const size = SIZES.find((candidate) => candidate >= limit) ?? limit
  const bind = createBinder()
  const branches = choosePlaces(filter).map((place) => {
    const source = place.source(filter, bind)
    const where = whereClause(place.rest(filter, bind))
    return `(select id, '${place.name}' as place from (${source}) x${where} order by id desc limit ${size})`
  })
  if (branches.length === 0) return []
  const rows = await db.query<{ id: string; place: string }>(
    `/* find_runs */
select id::text as id, place from (${branches.join('\nunion all\n')}) f order by f.id desc`,
    bind.parameters,
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
): Promise<string[]> {
  const bind = createBinder()
  const branches = choosePlaces(filter)
    .filter((place) => !except.has(place.name) && place.rest(filter, createBinder()).length > 0)
    .map(
      (place) =>
        `(select id from (${place.source(filter, bind)}) x order by id desc offset ${SCAN_MAX - 1} limit 1)`,
    )
  if (branches.length === 0) return []
  const rows = await db.query<{ id: string }>(
    `/* read_scan_ends */ select id::text as id from (${branches.join('\nunion all\n')}) f`,
    bind.parameters,
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

interface Binder {
  (value: Parameter): string
  readonly parameters: Parameter[]
}

function createBinder(): Binder {
  const parameters: Parameter[] = []
  return Object.assign((value: Parameter) => `$${parameters.push(value)}`, { parameters })
}

interface Place {
  name: string
  /** Rows by an index, newest first, at most SCAN_MAX. */
  source(filter: RunFilter, bind: Binder): string
  /** The conditions that are left, on `x`. */
  rest(filter: RunFilter, bind: Binder): string[]
}

function choosePlaces({ states }: RunFilter): Place[] {
  const has = (state: string): boolean => !states || states.includes(state)
  const places: Place[] = []
  if (has('PENDING') && has('STARTED') && has('PROGRESS')) places.push(queued)
  else {
    if (has('PENDING')) places.push(waiting)
    if (has('STARTED') || has('PROGRESS')) places.push(running)
  }
  if (has('PENDING') || has('SCHEDULED') || has('RETRY')) places.push(parked)
  if (has('SUCCESS') || has('FAILURE') || has('REVOKED')) places.push(results)
  return places
}

const queued: Place = {
  name: 'queued',
  source: (filter, bind) =>
    `select j.key::uuid as id, j.task_id, j.payload from ${JOBS} j${whereClause(
      beforeCondition(filter, 'j.key::uuid', bind),
    )} order by j.key::uuid desc limit ${SCAN_MAX}`,
  rest: (filter, bind) => [
    ...identifierCondition(filter, 'x.task_id', bind),
    ...(filter.tag === undefined ? [] : [payloadHasTag('x', bind(filter.tag))]),
  ],
}

/** Claimed and not yet started is PENDING too, so what waits is what no worker lists. */
const waiting: Place = {
  name: 'waiting',
  source: queued.source,
  rest: (filter, bind) => [
    `x.id <> all (array(select l.id from (${LISTED}) l))`,
    ...queued.rest(filter, bind),
  ],
}

/** Few rows: the workers' lists name them, and the index on the run id finds each. */
const running: Place = {
  name: 'running',
  source(filter, bind) {
    const reported = 'exists (select from rowbeat.progress g where g.run_id = r.id)'
    const both = filter.states!.includes('STARTED') && filter.states!.includes('PROGRESS')
    return `select r.id from (${LISTED}) r
      join ${JOBS} j on j.key::uuid = r.id and j.locked_by = any (r.pools)${whereClause([
        ...beforeCondition(filter, 'r.id', bind),
        ...(both ? [] : [filter.states!.includes('PROGRESS') ? reported : `not ${reported}`]),
        ...identifierCondition(filter, 'j.task_id', bind),
        ...(filter.tag === undefined ? [] : [payloadHasTag('j', bind(filter.tag))]),
      ])}`
  },
  rest: () => [],
}

const PARKED_REASONS: Record<string, readonly string[]> = {
  PENDING: ['overflow', 'paused', 'rate', 'concurrency', 'flow'],
  SCHEDULED: ['eta', 'snooze'],
  RETRY: ['retry'],
}

const parked: Place = {
  name: 'parked',
  source: (filter, bind) =>
    newest('rowbeat.parked', 'id, queue, reason, payload', [
      ...beforeCondition(filter, 'id', bind),
      ...taskCondition(filter, bind),
    ]),
  rest(filter, bind) {
    const kinds = Object.keys(PARKED_REASONS).filter((state) => filter.states?.includes(state) ?? true)
    const reasons = kinds.flatMap((state) => PARKED_REASONS[state]!.map((reason) => `'${reason}'`))
    return [
      ...(kinds.length === 3 ? [] : [`reason in (${reasons.join(', ')})`]),
      ...(filter.queue === undefined ? [] : [`queue = ${bind(filter.queue)}::text`]),
      ...(filter.tag === undefined ? [] : [payloadHasTag('x', bind(filter.tag))]),
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
  source: (filter, bind) =>
    newest('rowbeat.results', 'id, task, queue, state, tags', [
      ...beforeCondition(filter, 'id', bind),
      ...(onlyFailures(filter) ? [`state = 'FAILURE'`] : taskCondition(filter, bind)),
    ]),
  rest(filter, bind) {
    const states = finishedStates(filter)
    const served = states.length === FINISHED.length || onlyFailures(filter)
    return [
      ...(served ? [] : [`state in (${states.map((state) => `'${state}'`).join(', ')})`]),
      ...(onlyFailures(filter) ? taskCondition(filter, bind) : []),
      ...(filter.queue === undefined ? [] : [`queue = ${bind(filter.queue)}::text`]),
      ...(filter.tag === undefined ? [] : [`tags @> array[${bind(filter.tag)}::text]`]),
    ]
  },
}

function taskCondition({ task }: RunFilter, bind: Binder): string[] {
  return task === undefined ? [] : [`task = ${bind(task)}::text`]
}

/** A job's identifier is `queue:task`; neither has a colon. */
function identifierCondition({ task, queue }: RunFilter, column: string, bind: Binder): string[] {
  const conditions = [
    ...(queue === undefined ? [] : [`split_part(t.identifier, ':', 1) = ${bind(queue)}::text`]),
    ...(task === undefined ? [] : [`split_part(t.identifier, ':', 2) = ${bind(task)}::text`]),
  ]
  return conditions.length === 0
    ? []
    : [`${column} = any (array(select t.id from ${TASKS} t${whereClause(conditions)}))`]
}

function payloadHasTag(alias: string, parameter: string): string {
  return `${alias}.payload::jsonb->'tags' @> to_jsonb(${parameter}::text)`
}

function beforeCondition({ before }: RunFilter, column: string, bind: Binder): string[] {
  return before === undefined ? [] : [`${column} < ${bind(before)}::uuid`]
}

function newest(table: string, columns: string, conditions: string[]): string {
  return `select ${columns} from ${table}${whereClause(conditions)} order by id desc limit ${SCAN_MAX}`
}

function whereClause(conditions: readonly string[]): string {
  return conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''
}
