/**
 * The queries of /v1/schedules. A cursor is the last one of the page before (an id, a name, an instant), packed so that
 * nobody is tempted to make one.
 */
import type { ImportMode } from '../control/schedule-exchange.ts'
import type { Question } from '../control/schedules.ts'
import type { FiringQuery, ScheduleFilter, SchedulePlace } from '../db/statements/schedules.ts'
import { isInstant } from '../instant.ts'
import {
  CURSOR_FAULT,
  isText,
  LIMIT,
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

const FILTERS: Parameters<ScheduleFilter> = {
  name(text, query) {
    query.name = text
    return isText(text, 400) ? null : 'must be a name of 1 to 200 characters'
  },
  task: readTask,
  queue: readQueue,
  kind: readWord('kind', ...KINDS),
  origin: readWord('origin', 'user', 'code'),
  tag: readTag,
  enabled: readFlag('enabled'),
  error: readFlag('error'),
}

interface ListQuery extends ScheduleFilter, SchedulePlace {}

const LIST: Parameters<ListQuery & { cursor?: string }> = {
  limit: readLimit,
  cursor(text, query) {
    query.cursor = text
    return readIdCursor(text) === null && readTextCursor(text) === null ? CURSOR_FAULT : null
  },
  order: readWord('order', 'newest', 'name'),
  ...FILTERS,
}

export function readListQuery(given: unknown): { filter: ScheduleFilter; place: SchedulePlace } {
  const query = readQuery<ListQuery & { cursor?: string }>(LIST, given, { limit: LIMIT, order: 'newest' })
  const { limit, order, cursor, ...filter } = query
  if (cursor === undefined) return { filter, place: { limit, order } }
  const after = order === 'name' ? readTextCursor(cursor) : readIdCursor(cursor)
  // A cursor of the other order: told as any that is none.
  if (after === null) readQuery({ cursor: () => CURSOR_FAULT }, { cursor }, {})
  return { filter, place: { limit, order, after: after ?? undefined } }
}

export function writeListCursor({ order }: SchedulePlace, last: { id: string; name: string }): string {
  return order === 'name' ? writeTextCursor(last.name) : writeIdCursor(last.id)
}

export function readFilterQuery(given: unknown): ScheduleFilter {
  return readQuery<ScheduleFilter>(FILTERS, given, {})
}

const FIRINGS: Parameters<FiringQuery> = {
  limit: readLimit,
  cursor(text, query) {
    const before = readTextCursor(text)
    if (before === null || !isInstant(before)) return CURSOR_FAULT
    query.before = before
    return null
  },
  state: readWords('states', ['fired', 'skipped', 'missed']),
}

export function readFiringQuery(given: unknown): FiringQuery {
  return readQuery<FiringQuery>(FIRINGS, given, { limit: LIMIT })
}

/** Instants of one preview. */
export const PREVIEW_MAX = 100
export const PREVIEW = 10

const QUESTION: Parameters<Question> = {
  after: readMoment('afterMs'),
  count(text, query) {
    query.count = /^\d{1,3}$/.test(text) ? Number(text) : 0
    return query.count >= 1 && query.count <= PREVIEW_MAX
      ? null
      : `must be a whole number from 1 to ${PREVIEW_MAX}`
  },
}

export function readPreviewQuery(given: unknown): Question {
  return readQuery<Question>(QUESTION, given, { count: PREVIEW })
}

export function readImportQuery(given: unknown): ImportMode {
  const query = readQuery<{ mode?: 'skip' | 'replace' }>(
    { mode: readWord('mode', 'skip', 'replace') },
    given,
    {},
  )
  return query.mode ?? 'refuse'
}
