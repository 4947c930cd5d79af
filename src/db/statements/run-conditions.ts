/**
 * What may be asked of a run, and how each place answers it. A condition names a field of the list below, never a column:
 * what a field is in a place (queue, parked, results) is written in one map for each, and every value is a bound
 * parameter. A field that a place does not have (the error of a waiting run) holds for no run there.
 */
import type { Parameter } from '../handle.ts'

/** Fields by what can be asked of them. */
export const TEXT_FIELDS = [
  'task',
  'queue',
  'tag',
  'worker',
  'schedule',
  'reason',
  'unique_key',
  'failure',
] as const
export const ID_FIELDS = ['id', 'parent', 'retry_of'] as const
export const NUMBER_FIELDS = ['priority', 'attempt', 'attempts_max', 'redeliveries'] as const
/** Seconds. */
export const SPAN_FIELDS = ['duration', 'wait'] as const
export const TIME_FIELDS = ['created', 'started', 'finished', 'run_at', 'expires', 'due'] as const
export const JSON_FIELDS = ['input', 'result', 'error', 'headers'] as const

export type RunField =
  | (typeof TEXT_FIELDS)[number]
  | (typeof ID_FIELDS)[number]
  | (typeof NUMBER_FIELDS)[number]
  | (typeof SPAN_FIELDS)[number]
  | (typeof TIME_FIELDS)[number]
  | (typeof JSON_FIELDS)[number]
  | 'text'

/** One thing that is asked of a run; of several values any may hold. */
export interface RunCondition {
  field: RunField
  /** Inside of JSON: the keys down to what is asked. */
  path?: readonly string[]
  /**
   * `is` one of the values; `like` one of these patterns of SQL's LIKE; `has` one of these patterns in it, upper or lower case;
   * `from` the first value up to but not with the second.
   */
  compare: 'is' | 'like' | 'has' | 'from' | '>' | '>=' | '<' | '<='
  /** Of times, instants in RFC 3339. */
  values: readonly (string | number | null)[]
  isNot?: boolean
}

export interface Binder {
  (value: Parameter): string
  readonly parameters: Parameter[]
}

export function createBinder(): Binder {
  const parameters: Parameter[] = []
  return Object.assign((value: Parameter) => `$${parameters.push(value)}`, { parameters })
}

/** graphile-worker's table of identifiers: `queue:task`. */
export const TASKS = 'rowbeat_queue._private_tasks'

/** What each field is in a place, as SQL on `x`, the row, `p`, its payload, and `r`, what a worker lists. */
type Columns = Readonly<Partial<Record<RunField, string>>>

const RESULTS: Columns = {
  id: 'x.id',
  task: 'x.task',
  queue: 'x.queue',
  tag: 'x.tags',
  worker: 'x.worker',
  schedule: 'x.schedule',
  reason: 'x.reason',
  unique_key: 'x.unique_key',
  parent: 'x.parent',
  retry_of: 'x.retry_of',
  priority: 'x.priority',
  attempt: 'x.attempt',
  attempts_max: 'x.attempts_max',
  redeliveries: 'x.redeliveries',
  duration: 'extract(epoch from x.finished_at - x.started_at)',
  wait: 'extract(epoch from x.started_at - x.run_at)',
  created: 'x.created_at',
  started: 'x.started_at',
  finished: 'x.finished_at',
  run_at: 'x.run_at',
  expires: 'x.expires_at',
  due: 'x.due_at',
  input: 'x.input',
  result: 'x.result',
  error: 'x.error',
  headers: 'x.headers',
  failure: `case when x.state = 'FAILURE' then rowbeat.fingerprint_v1(x.task, x.error) end`,
  text: 'x.task',
}

/** What every waiting run carries with it. */
const CARRIED: Columns = {
  id: 'x.id',
  tag: `case when jsonb_typeof(v.p->'tags') = 'array' then array(select jsonb_array_elements_text(v.p->'tags')) end`,
  schedule: `v.p->>'schedule'`,
  unique_key: `v.p->>'unique_key'`,
  parent: `(v.p->>'parent')::uuid`,
  retry_of: `(v.p->>'retry_of')::uuid`,
  attempt: `coalesce((v.p->>'attempt')::integer, 0)`,
  attempts_max: `coalesce((v.p->>'attempts_max')::integer, 1)`,
  redeliveries: `coalesce((v.p->>'redeliveries')::integer, 0)`,
  priority: 'x.priority',
  created: 'x.created_at',
  expires: `(v.p->>'expires_at')::timestamptz`,
  due: `(v.p->>'due_at')::timestamptz`,
  input: `(v.p->'input')`,
  headers: `(v.p->'headers')`,
}

const PARKED: Columns = {
  ...CARRIED,
  task: 'x.task',
  queue: 'x.queue',
  reason: 'x.reason',
  run_at: 'coalesce(x.release_at, x.created_at)',
  wait: 'extract(epoch from clock_timestamp() - coalesce(x.release_at, x.created_at))',
  text: 'x.task',
}

const JOBS: Columns = {
  ...CARRIED,
  task: `split_part(t.identifier, ':', 2)`,
  queue: `split_part(t.identifier, ':', 1)`,
  worker: 'r.worker',
  attempt: `coalesce(r.attempt, (v.p->>'attempt')::integer, 0)`,
  started: 'r.started_at',
  run_at: 'x.run_at',
  duration: 'extract(epoch from clock_timestamp() - r.started_at)',
  wait: 'extract(epoch from coalesce(r.started_at, clock_timestamp()) - x.run_at)',
  text: `split_part(t.identifier, ':', 2)`,
}

export type Family = 'results' | 'parked' | 'jobs'
const COLUMNS: Readonly<Record<Family, Columns>> = { results: RESULTS, parked: PARKED, jobs: JOBS }

/** False where no run of the place can be what is asked. */
export function mayHold(family: Family, { field, isNot }: RunCondition): boolean {
  return isNot === true || COLUMNS[family][field] !== undefined
}

/** What a condition needs beside the row: its payload as jsonb, what workers list. */
export function needs(family: Family, { field }: RunCondition): { payload: boolean; list: boolean } {
  const column = COLUMNS[family][field] ?? ''
  return { payload: column.includes('v.p'), list: column.includes('r.') }
}

/** True for what is read out of JSON, which may be large: so few rows are looked at before the time is. The fingerprint of a failure is. */
export function isDeep({ field }: RunCondition): boolean {
  return field === 'text' || field === 'failure' || JSON_FIELDS.includes(field as never)
}

/** The condition as SQL that is true or not, never null where it is turned round. */
export function conditionSql(family: Family, condition: RunCondition, bind: Binder): string {
  const column = COLUMNS[family][condition.field]
  const sql = column === undefined ? 'false' : positiveSql(family, column, condition, bind)
  return condition.isNot ? `(${sql}) is not true` : sql
}

function positiveSql(family: Family, column: string, condition: RunCondition, bind: Binder): string {
  const { field, compare, values } = condition
  if (field === 'text') return wordSql(family, column, values, bind)
  if (family === 'jobs' && (field === 'task' || field === 'queue'))
    return identifierSql(textSql(column, condition, bind))
  if (field === 'tag')
    return `exists (select from unnest(${column}) g where ${textSql('g', condition, bind)})`
  if (JSON_FIELDS.includes(field as never)) return jsonSql(column, condition, bind)
  if (ID_FIELDS.includes(field as never))
    return compare === 'is'
      ? `${column} = any (${list(values, bind)}::uuid[])`
      : textSql(`${column}::text`, condition, bind)
  const type = TIME_FIELDS.includes(field as never) ? 'timestamptz' : 'numeric'
  if (TEXT_FIELDS.includes(field as never)) return textSql(column, condition, bind)
  if (compare === 'is') return `${column} = any (${list(values, bind)}::${type}[])`
  const [first, second] = values.map((value) => () => `${bind(String(value))}::text::${type}`)
  if (compare === 'from') return `${column} >= ${first!()} and ${column} < ${second!()}`
  return `${column} ${compare} ${first!()}`
}

/** A job's identifier is `queue:task`; neither has a colon. */
function identifierSql(where: string): string {
  return `x.task_id = any (array(select t.id from ${TASKS} t where ${where}))`
}

function textSql(column: string, { compare, values }: RunCondition, bind: Binder): string {
  if (compare === 'is') return `${column} = any (${list(values, bind)})`
  if (compare === 'like') return `${column} like any (${list(values, bind)})`
  if (compare === 'has') return `${column} ilike any (${list(values, bind)})`
  return `${column} collate "C" ${compare} ${bind(String(values[0]))}::text`
}

const ERROR_WORDS = (error: string): string =>
  `concat_ws(' ', ${error}->>'name', ${error}->>'message', ${error}->>'code')`

/** A word by itself: in the task's name, at the beginning of the id, or in what the error says. */
function wordSql(family: Family, task: string, values: RunCondition['values'], bind: Binder): string {
  const [word] = values.map((value) => bind(String(value)))
  const has = (text: string): string => `${text} ilike '%' || ${word}::text || '%'`
  const name = family === 'jobs' ? identifierSql(has(task)) : has(task)
  const error = family === 'results' ? ` or x.error is not null and ${has(ERROR_WORDS('x.error'))}` : ''
  return `(${name} or x.id::text like lower(${word}::text) || '%'${error})`
}

function jsonSql(column: string, condition: RunCondition, bind: Binder): string {
  const { field, path = [], compare, values } = condition
  if (path.length === 0) {
    const words = field === 'error' ? ERROR_WORDS(column) : `${column}::text`
    return `(${column} is not null and ${textSql(words, condition, bind)})`
  }
  const [value] = values
  const at = (sql: string): string =>
    `exists (select from (select ${column} #> ${list(path, bind)} as j offset 0) y where ${sql})`
  const text = `y.j #>> '{}'`
  if (typeof value === 'number' && /[<>]/.test(compare))
    return at(
      `case when jsonb_typeof(y.j) = 'number' then (${text})::numeric ${compare} ${bind(String(value))}::text::numeric end`,
    )
  if (/[<>]/.test(compare))
    return at(`jsonb_typeof(y.j) = 'string' and ${textSql(`(${text})`, condition, bind)}`)
  const items = `select e from jsonb_array_elements_text(case when jsonb_typeof(y.j) = 'array' then y.j else '[]' end) e`
  const either = `${textSql(`(${text})`, condition, bind)} or exists (${items} where ${textSql('e', condition, bind)})`
  return at(values.includes(null) ? `${either} or y.j = 'null'` : either)
}

/** Values as one parameter: an array of texts. */
function list(values: readonly (string | number | null)[], bind: Binder): string {
  return `array(select jsonb_array_elements_text(${bind(JSON.stringify(values))}::text::jsonb))`
}
