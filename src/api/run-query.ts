/**
 * The query of GET /v1/runs: a filter for each thing that is asked for often, and `q` for all others (results/search). The
 * cursor is the id to go on below, packed so that nobody is tempted to make one.
 */
import { isUuid, type Schema } from '../check.ts'
import { nowMs } from '../clock.ts'
import type { RunQuery } from '../control/run-page.ts'
import type { RunCondition, RunField } from '../db/statements/run-conditions.ts'
import { parseInstant } from '../instant.ts'
import { RUN_STATES, type RunState } from '../results/run.ts'
import { REASONS } from '../results/search/fields.ts'
import { describeFault, parseSearch } from '../results/search/search.ts'
import {
  isText,
  LIMIT,
  parameter,
  readBefore,
  readLimit,
  readQuery,
  readQueue,
  readTag,
  readTask,
  readWords,
  type Parameters,
  type ReadParameter,
} from './query.ts'

/** A query while it is read: what `q` says of states is put together with `state` at the end. */
export interface RunQueryDraft extends Omit<RunQuery, 'where'> {
  where: RunCondition[]
  searched: readonly RunState[] | null
}

const one = (
  schema: Schema,
  field: RunField,
  isRight: (text: string) => boolean,
  words: string,
): ReadParameter<RunQueryDraft> =>
  parameter(schema, (text, query) => {
    query.where.push({ field, compare: 'is', values: [text] })
    return isRight(text) ? null : words
  })

const named = (field: RunField, most: number, description: string): ReadParameter<RunQueryDraft> =>
  one(
    { type: 'string', minLength: 1, maxLength: most, description },
    field,
    (text) => isText(text, most),
    `must be text of 1 to ${most} characters`,
  )

const run = (field: RunField, description: string): ReadParameter<RunQueryDraft> =>
  one({ type: 'string', format: 'uuid', description }, field, isUuid, 'must be a UUID')

const moment = (field: RunField, compare: '>' | '<', description: string): ReadParameter<RunQueryDraft> =>
  parameter({ type: 'string', format: 'date-time', description }, (text, query) => {
    query.where.push({ field, compare, values: [text] })
    return parseInstant(text) === null ? 'must be an instant such as 2026-01-31T12:00:00Z' : null
  })

const ids = parameter<RunQueryDraft>(
  {
    type: 'array',
    minItems: 1,
    maxItems: 500,
    items: { type: 'string', format: 'uuid' },
    description: 'Only these, divided by commas',
  },
  (text, query) => {
    const given = text.split(',')
    query.where.push({ field: 'id', compare: 'is', values: given })
    return given.length <= 500 && given.every(isUuid) ? null : 'must be 1 to 500 UUIDs, divided by commas'
  },
)

const reasons = parameter<RunQueryDraft>(
  {
    type: 'array',
    minItems: 1,
    items: { type: 'string', enum: REASONS },
    description: 'Only in their state for one of these reasons, divided by commas',
  },
  (text, query) => {
    const given = text.split(',')
    query.where.push({ field: 'reason', compare: 'is', values: given })
    return given.every((word) => REASONS.includes(word as never))
      ? null
      : `must be one or more of ${REASONS.join(', ')}, divided by commas`
  },
)

const search = parameter<RunQueryDraft>(
  {
    type: 'string',
    maxLength: 1000,
    description: 'A search such as `state:failed task:send* input.user.id:42 created:>-1h`',
    example: 'state:failed created:>-1h',
  },
  (text, query) => {
    const read = parseSearch(text, nowMs())
    if (!('search' in read)) return read.faults.map(describeFault).join('; ')
    query.where.push(...read.search.where)
    query.searched = read.search.states
    return null
  },
)

/** Which runs: for a list, and for an export. */
export const RUN_FILTERS: Parameters<RunQueryDraft> = {
  q: search,
  state: readWords('states', RUN_STATES),
  reason: reasons,
  task: readTask,
  queue: readQueue,
  tag: readTag,
  worker: named('worker', 200, 'Only that this worker runs or ran'),
  schedule: named('schedule', 200, 'Only that this schedule fired'),
  unique_key: named('unique_key', 512, 'Only with this unique key'),
  parent: run('parent', 'Only that this run asked for'),
  retry_of: run('retry_of', 'Only that repeat this run'),
  id: ids,
  created_after: moment('created', '>', 'Only enqueued after this'),
  created_before: moment('created', '<', 'Only enqueued before this'),
  started_after: moment('started', '>', 'Only whose last try began after this'),
  started_before: moment('started', '<', 'Only whose last try began before this'),
  finished_after: moment('finished', '>', 'Only finished after this'),
  finished_before: moment('finished', '<', 'Only finished before this'),
}

export const RUN_PARAMETERS: Parameters<RunQueryDraft> = {
  limit: readLimit,
  cursor: readBefore,
  ...RUN_FILTERS,
}

/** Throws RB_QUERY_INVALID with a fault for each wrong parameter. */
export function readRunQuery(given: unknown): RunQuery {
  return finishDraft(readQuery(RUN_PARAMETERS, given, createDraft()))
}

export function createDraft(): RunQueryDraft {
  return { limit: LIMIT, where: [], searched: null }
}

export function finishDraft({ searched, ...query }: RunQueryDraft): RunQuery {
  const { states } = query
  return searched ? { ...query, states: searched.filter((state) => states?.includes(state) ?? true) } : query
}
