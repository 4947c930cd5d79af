/**
 * The query of GET /v1/runs. The cursor is the id to go on below, packed so that nobody is tempted to make one.
 */
import type { RunQuery } from '../control/run-page.ts'
import { RUN_STATES } from '../results/run.ts'
import {
  CURSOR_FAULT,
  LIMIT,
  readIdCursor,
  readLimit,
  readQuery,
  readQueue,
  readTag,
  readTask,
  readWords,
  type Parameters,
} from './query.ts'

const PARAMETERS: Parameters<RunQuery> = {
  limit: readLimit,
  cursor(text, query) {
    const id = readIdCursor(text)
    if (id !== null) query.before = id
    return id === null ? CURSOR_FAULT : null
  },
  state: readWords('states', RUN_STATES),
  task: readTask,
  queue: readQueue,
  tag: readTag,
}

/** Throws RB_QUERY_INVALID with a fault for each wrong parameter. */
export function readRunQuery(given: unknown): RunQuery {
  return readQuery<RunQuery>(PARAMETERS, given, { limit: LIMIT })
}
