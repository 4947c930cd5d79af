/**
 * The queries of /v1/schedules. A cursor is the last one of the page before (an id, a name, an instant), packed so that
 * nobody is tempted to make one.
 */
import type { ImportMode } from '../control/schedule-exchange.ts'
import type { Question } from '../control/schedules.ts'
import type { FiringQuery, ScheduleFilter, SchedulePlace } from '../db/statements/schedules.ts'
import { isInstant } from '../instant.ts'
import {
  isText,
  LIMIT,
  parameter,
  readCursor,
  readFlag,
  readIdCursor,
  readLimit,
  readMoment,
  readQuery,
  readQueue,
  readTag,
  readTask,
  readTextCursor,
  readWord,
  readWords,
  writeIdCursor,
  writeTextCursor,
  type Parameters,
} from './query.ts'

const KINDS = ['crontab', 'interval', 'solar', 'clocked'] as const

export const FILTER_PARAMETERS: Parameters<ScheduleFilter> = {
  name: parameter(
    { type: 'string', minLength: 1, maxLength: 400, description: 'Only the one of this name' },
    (text, query) => {
      query.name = text
      return isText(text, 400) ? null : 'must be a name of 1 to 200 characters'
    },
  ),
  task: readTask,
  queue: readQueue,
  kind: readWord('kind', ...KINDS),
  origin: readWord('origin', 'user', 'code'),
  tag: readTag,
  enabled: readFlag('enabled'),
  error: readFlag('error'),
}

interface ListQuery extends ScheduleFilter, SchedulePlace {}

export const LIST_PARAMETERS: Parameters<ListQuery & { cursor?: string }> = {
  limit: readLimit,
  cursor: readCursor((text, query) => {
    query.cursor = text
    return readIdCursor(text) !== null || readTextCursor(text) !== null
  }),
  order: readWord('order', 'newest', 'name'),
  ...FILTER_PARAMETERS,
}

export function readListQuery(given: unknown): { filter: ScheduleFilter; place: SchedulePlace } {
  const query = readQuery<ListQuery & { cursor?: string }>(LIST_PARAMETERS, given, {
    limit: LIMIT,
    order: 'newest',
  })
  const { limit, order, cursor, ...filter } = query
  if (cursor === undefined) return { filter, place: { limit, order } }
  const after = order === 'name' ? readTextCursor(cursor) : readIdCursor(cursor)
  // A cursor of the other order: told as any that is none.
  if (after === null) readQuery({ cursor: readCursor(() => false) }, { cursor }, {})
  return { filter, place: { limit, order, after: after ?? undefined } }
}

export function writeListCursor({ order }: SchedulePlace, last: { id: string; name: string }): string {
  return order === 'name' ? writeTextCursor(last.name) : writeIdCursor(last.id)
}

export function readFilterQuery(given: unknown): ScheduleFilter {
  return readQuery<ScheduleFilter>(FILTER_PARAMETERS, given, {})
}

export const FIRING_PARAMETERS: Parameters<FiringQuery> = {
  limit: readLimit,
  cursor: readCursor((text, query) => {
    const before = readTextCursor(text)
    if (before === null || !isInstant(before)) return false
    query.before = before
    return true
  }),
  state: readWords('states', ['fired', 'skipped', 'missed']),
}

export function readFiringQuery(given: unknown): FiringQuery {
  return readQuery<FiringQuery>(FIRING_PARAMETERS, given, { limit: LIMIT })
}

/** Instants of one preview. */
export const PREVIEW_MAX = 100
export const PREVIEW = 10

export const PREVIEW_PARAMETERS: Parameters<Question> = {
  after: readMoment('afterMs'),
  count: parameter({ type: 'integer', minimum: 1, maximum: PREVIEW_MAX, default: PREVIEW }, (text, query) => {
    query.count = /^\d{1,3}$/.test(text) ? Number(text) : 0
    return query.count >= 1 && query.count <= PREVIEW_MAX
      ? null
      : `must be a whole number from 1 to ${PREVIEW_MAX}`
  }),
}

export function readPreviewQuery(given: unknown): Question {
  return readQuery<Question>(PREVIEW_PARAMETERS, given, { count: PREVIEW })
}

export const IMPORT_PARAMETERS: Parameters<{ mode?: 'skip' | 'replace' }> = {
  mode: readWord('mode', 'skip', 'replace'),
}

export function readImportQuery(given: unknown): ImportMode {
  return readQuery<{ mode?: 'skip' | 'replace' }>(IMPORT_PARAMETERS, given, {}).mode ?? 'refuse'
}
