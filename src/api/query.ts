/**
 * Queries of addresses. A parameter that is not known, or given twice, is refused: a misspelt filter that is silently
 * ignored answers everything.
 */
import { oneOf, type Schema } from '../check.ts'
import { RequestError, type Fault } from '../errors.ts'
import { parseInstant } from '../instant.ts'
import { QUEUE_NAME, TASK_NAME } from '../tasks/task.ts'

/** Takes one parameter into `query`; what is wrong with it, or null. */
export interface ReadParameter<Query> {
  (text: string, query: Query): string | null
  /** Of the value: an array where several are given by comma, or, with `isRepeated`, one after another. */
  readonly schema: Schema
  readonly isRepeated: boolean
}
export type Parameters<Query> = Readonly<Record<string, ReadParameter<Query>>>

export function parameter<Query>(
  schema: Schema,
  read: (text: string, query: Query) => string | null,
  { isRepeated = false } = {},
): ReadParameter<Query> {
  const own = (text: string, query: Query): string | null => read(text, query)
  return Object.freeze(Object.assign(own, { schema, isRepeated }))
}

export const LIMIT = 50
const LIMIT_MAX = 500

/** `query` with what was given. Throws RB_QUERY_INVALID with a fault for each wrong parameter. */
export function readQuery<Query>(parameters: Parameters<Query>, given: unknown, query: Query): Query {
  const faults: Fault[] = []
  for (const [name, value] of Object.entries(given as Record<string, unknown>)) {
    const read = Object.hasOwn(parameters, name) ? parameters[name]! : null
    const detail = !read
      ? `is not a parameter here; known are ${Object.keys(parameters).join(', ')}`
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

/** Parameters that several lists have. */
export const readLimit: ReadParameter<{ limit: number }> = parameter(
  {
    type: 'integer',
    minimum: 1,
    maximum: LIMIT_MAX,
    default: LIMIT,
    description: 'At most so many on one page',
  },
  (text, query) => {
    query.limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
    return query.limit >= 1 && query.limit <= LIMIT_MAX
      ? null
      : `must be a whole number from 1 to ${LIMIT_MAX}`
  },
)
export const readTask: ReadParameter<{ task?: string }> = parameter(
  { type: 'string', pattern: TASK_NAME.source, description: 'Only of this task' },
  (text, query) => {
    query.task = text
    return TASK_NAME.test(text) ? null : `must match ${TASK_NAME.source}`
  },
)
export const readQueue: ReadParameter<{ queue?: string }> = parameter(
  { type: 'string', pattern: QUEUE_NAME.source, description: 'Only of this queue' },
  (text, query) => {
    query.queue = text
    return QUEUE_NAME.test(text) ? null : `must match ${QUEUE_NAME.source}`
  },
)
export const readTag: ReadParameter<{ tag?: string }> = parameter(
  { type: 'string', minLength: 1, maxLength: 128, description: 'Only with this tag' },
  (text, query) => {
    query.tag = text
    return isText(text, 128) ? null : 'must be a tag of 1 to 64 characters'
  },
)

/** A parameter that is one of these words. */
export const readWord = <Key extends string, Word extends string>(
  key: Key,
  ...words: readonly Word[]
): ReadParameter<{ [K in Key]?: Word }> =>
  parameter({ type: 'string', enum: words }, (text, query) => {
    query[key] = text as Word
    return oneOf(...words)(text)
  })

export const readFlag = <Key extends string>(key: Key): ReadParameter<{ [K in Key]?: boolean }> =>
  parameter({ type: 'boolean' }, (text, query) => {
    query[key] = text === 'true'
    return oneOf('true', 'false')(text)
  })

/** Several words by comma. */
export const readWords = <Key extends string, Word extends string>(
  key: Key,
  words: readonly Word[],
): ReadParameter<{ [K in Key]?: readonly Word[] }> =>
  parameter(
    {
      type: 'array',
      minItems: 1,
      items: { type: 'string', enum: words },
      description: 'One or more, divided by commas',
    },
    (text, query) => {
      const given = [...new Set(text.split(','))]
      query[key] = given as Word[]
      return given.every((word) => words.includes(word as Word))
        ? null
        : `must be one or more of ${words.join(', ')}, divided by commas`
    },
  )

/** Milliseconds since 1970. */
export const readMoment = <Key extends string>(key: Key): ReadParameter<{ [K in Key]?: number }> =>
  parameter({ type: 'string', format: 'date-time' }, (text, query) => {
    const ms = parseInstant(text)
    if (ms !== null) query[key] = ms
    return ms === null ? 'must be an instant such as 2026-01-31T12:00:00Z' : null
  })

/** The `next` of an earlier page; `read` takes it, and says whether it could. */
export const readCursor = <Query>(read: (cursor: string, query: Query) => boolean): ReadParameter<Query> =>
  parameter(
    { type: 'string', pattern: '^[A-Za-z0-9_-]+$', description: 'The `next` of an earlier page' },
    (text, query) => (read(text, query) ? null : CURSOR_FAULT),
  )

/** Of lists in order of ids, newest first. */
export const readBefore = readCursor((cursor, query: { before?: string }) => {
  const id = readIdCursor(cursor)
  if (id !== null) query.before = id
  return id !== null
})

export function isText(text: string, most: number): boolean {
  return text !== '' && text.length <= most && !text.includes('\u0000') && text.isWellFormed()
}

const CURSOR_FAULT = 'must be the "next" of an earlier page'

export function writeIdCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}

/** The id, or null. */
export function readIdCursor(text: string): string | null {
  const hex = /^[A-Za-z0-9_-]{22}$/.test(text) ? Buffer.from(text, 'base64url').toString('hex') : ''
  return hex.length === 32 ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : null
}

export function writeTextCursor(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** The text, or null. */
export function readTextCursor(cursor: string): string | null {
  const text = /^[A-Za-z0-9_-]+$/.test(cursor) ? Buffer.from(cursor, 'base64url').toString() : ''
  return isText(text, 1000) && writeTextCursor(text) === cursor ? text : null
}
