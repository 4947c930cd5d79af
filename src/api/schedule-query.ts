/**
 * The queries of /v1/schedules. A cursor is the last one of the page before (an id, a name, an instant), packed so that
 * nobody is tempted to make one.
 */
import { isUuid } from '../check.ts'
import type { ImportMode } from '../control/schedule-exchange.ts'
import type { Window } from '../control/schedule-timeline.ts'
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
  type ReadParameter,
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
  search: parameter(
    {
      type: 'string',
      minLength: 1,
      maxLength: 200,
      description: "Part of a name or of a task's, in any case",
    },
    (text, query) => {
      query.search = text
      return isText(text, 200) ? null : 'must be a text of 1 to 200 characters'
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

/** A whole number from 1 to `most`, below 1,000. */
function readWhole<Key extends string>(
  key: Key,
  most: number,
  without: number,
): ReadParameter<{ [K in Key]: number }> {
  return parameter({ type: 'integer', minimum: 1, maximum: most, default: without }, (text, query) => {
    query[key] = (/^\d{1,3}$/.test(text) ? Number(text) : 0) as { [K in Key]: number }[Key]
    return query[key] >= 1 && query[key] <= most ? null : `must be a whole number from 1 to ${most}`
  })
}

/** Instants of one preview. */
export const PREVIEW_MAX = 100
export const PREVIEW = 10

export const PREVIEW_PARAMETERS: Parameters<Question> = {
  after: readMoment('afterMs'),
  count: readWhole('count', PREVIEW_MAX, PREVIEW),
}

export function readPreviewQuery(given: unknown): Question {
  return readQuery<Question>(PREVIEW_PARAMETERS, given, { count: PREVIEW })
}

interface VersionQuery {
  below: number | null
  limit: number
}

export const VERSION_PARAMETERS: Parameters<VersionQuery> = {
  limit: readLimit,
  cursor: readCursor((text, query) => {
    const below = readTextCursor(text) ?? ''
    query.below = /^[1-9]\d{0,8}$/.test(below) ? Number(below) : null
    return query.below !== null
  }),
}

export function readVersionQuery(given: unknown): VersionQuery {
  return readQuery<VersionQuery>(VERSION_PARAMETERS, given, { limit: LIMIT, below: null })
}

const HOURS_MAX = 168

export const TIMELINE_PARAMETERS: Parameters<Window> = {
  from: readMoment('fromMs'),
  hours: readWhole('hours', HOURS_MAX, 24),
}

export function readTimelineQuery(given: unknown): Window {
  return readQuery<Window>(TIMELINE_PARAMETERS, given, { hours: 24 })
}

interface RecentQuery {
  ids: readonly string[]
  count: number
}
const IDS_MAX = 100
const RECENT_MAX = 60
const RECENT = 20

export const RECENT_PARAMETERS: Parameters<RecentQuery> = {
  ids: parameter(
    {
      type: 'array',
      minItems: 1,
      maxItems: IDS_MAX,
      items: { type: 'string', format: 'uuid' },
      description: 'Schedules, divided by commas',
    },
    (text, query) => {
      query.ids = [...new Set(text.toLowerCase().split(','))]
      const isGood = query.ids.length <= IDS_MAX && query.ids.every((id) => isUuid(id))
      return isGood ? null : `must be 1 to ${IDS_MAX} ids of schedules, divided by commas`
    },
  ),
  count: readWhole('count', RECENT_MAX, RECENT),
}

export function readRecentQuery(given: unknown): RecentQuery {
  return readQuery<RecentQuery>(RECENT_PARAMETERS, given, { ids: [], count: RECENT })
}

export const IMPORT_PARAMETERS: Parameters<{ mode?: 'skip' | 'replace' }> = {
  mode: readWord('mode', 'skip', 'replace'),
}

export function readImportQuery(given: unknown): ImportMode {
  return readQuery<{ mode?: 'skip' | 'replace' }>(IMPORT_PARAMETERS, given, {}).mode ?? 'refuse'
}
