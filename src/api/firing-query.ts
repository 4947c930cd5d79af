/** The query of GET /v1/firings, and its cursor: the instant and the schedule of the last one of a page. */
import { isUuid } from '../check.ts'
import type { FiringFeedQuery } from '../control/firings.ts'
import type { FiringPlace } from '../db/statements/firing-feed.ts'
import { parseInstant } from '../instant.ts'
import {
  isText,
  LIMIT,
  parameter,
  readCursor,
  readLimit,
  readQuery,
  readTask,
  readTextCursor,
  readWords,
  writeTextCursor,
  type Parameters,
} from './query.ts'

const NAME_MAX = 200

export const FIRING_FEED_PARAMETERS: Parameters<FiringFeedQuery> = {
  limit: readLimit,
  cursor: readCursor((text, query) => {
    const [at = '', schedule = ''] = readTextCursor(text)?.split(' ') ?? []
    if (parseInstant(at) === null || !isUuid(schedule)) return false
    query.before = { at, schedule }
    return true
  }),
  state: readWords('states', ['fired', 'skipped', 'missed']),
  schedule: parameter(
    { type: 'string', minLength: 1, maxLength: NAME_MAX, description: 'Only of the schedule of this name' },
    (text, query) => {
      query.schedule = text
      return isText(text, NAME_MAX) ? null : `must be text of 1 to ${NAME_MAX} characters`
    },
  ),
  task: readTask,
}

export function readFiringFeedQuery(given: unknown): FiringFeedQuery {
  return readQuery<FiringFeedQuery>(FIRING_FEED_PARAMETERS, given, { limit: LIMIT })
}

export function writeFiringCursor({ at, schedule }: FiringPlace): string {
  return writeTextCursor(`${at} ${schedule}`)
}
