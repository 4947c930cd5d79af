/**
 * The query of GET /v1/runs. A parameter that is not known, or given twice, is refused. The cursor is the id
 * to go on below, packed so that nobody is tempted to make one.
 */
import type { RunQuery } from '../control/run-page.ts'
import { RequestError, type Fault } from '../errors.ts'
import { RUN_STATES, type RunState } from '../results/run.ts'
import { QUEUE_NAME, TASK_NAME } from '../tasks/task.ts'

const LIMIT = 50
const LIMIT_MAX = 500

type Read = (text: string, query: RunQuery) => string | null

const PARAMETERS: Readonly<Record<string, Read>> = {
  limit(text, query) {
    query.limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
    return query.limit >= 1 && query.limit <= LIMIT_MAX
      ? null
      : `must be a whole number from 1 to ${LIMIT_MAX}`
  },
  cursor(text, query) {
    const id = readCursor(text)
    if (id !== null) query.before = id
    return id === null ? 'must be the "next" of an earlier page' : null
  },
  state(text, query) {
    const states = [...new Set(text.split(','))]
    query.states = states as RunState[]
    return states.every((state) => RUN_STATES.includes(state as RunState))
      ? null
      : `must be one or more of ${RUN_STATES.join(', ')}, divided by commas`
  },
  task(text, query) {
    query.task = text
    return TASK_NAME.test(text) ? null : `must match ${TASK_NAME.source}`
  },
  queue(text, query) {
    query.queue = text
    return QUEUE_NAME.test(text) ? null : `must match ${QUEUE_NAME.source}`
  },
  tag(text, query) {
    query.tag = text
    return text !== '' && text.length <= 128 && !text.includes('\u0000') && text.isWellFormed()
      ? null
      : 'must be a tag of 1 to 64 characters'
  },
}

/** Throws RB_QUERY_INVALID with a fault for each wrong parameter. */
export function readRunQuery(given: unknown): RunQuery {
  const query: RunQuery = { limit: LIMIT }
  const faults: Fault[] = []
  for (const [name, value] of Object.entries(given as Record<string, unknown>)) {
    const read = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name]! : null
    const detail = !read
      ? `is not a parameter here; known are ${Object.keys(PARAMETERS).join(', ')}`
      : typeof value !== 'string'
        ? 'is given twice'
        : read(value, query)
    if (detail) faults.push({ pointer: `/${name}`, detail })
  }
  if (faults.length > 0) throw refuse(faults)
  return query
}

/** For addresses that take no query. */
export function refuseQuery(given: unknown): void {
  const faults = Object.keys(given as object).map((name) => ({
    pointer: `/${name}`,
    detail: 'is not a parameter here',
  }))
  if (faults.length > 0) throw refuse(faults)
}

function refuse(faults: Fault[]): RequestError {
  const [first] = faults
  return new RequestError(
    'RB_QUERY_INVALID',
    `The query is refused: ${first!.pointer.slice(1)} ${first!.detail}.`,
    faults,
  )
}

export function writeCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}

function readCursor(text: string): string | null {
  const hex = /^[A-Za-z0-9_-]{22}$/.test(text) ? Buffer.from(text, 'base64url').toString('hex') : ''
  return hex.length === 32 ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : null
}
