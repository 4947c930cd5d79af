/**
 * The body parser of this API: JSON in UTF-8 and nothing else. `__proto__` stays the ordinary key it is in
 * JSON (we never merge what came in), and a number that JavaScript cannot hold exactly is refused rather than
 * silently changed.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { EnqueueError, RequestError } from '../errors.ts'

/** Lets only application/json in, for every route of this scope. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      // A body without a byte is none: many a client names its type all the same.
      done(null, body.length === 0 ? undefined : parseJson(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
}

export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new RequestError('RB_BODY_INVALID', 'The body is not UTF-8 text.')
  const text = body.toString()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RequestError('RB_BODY_INVALID', `The body is not JSON: ${(error as Error).message}.`)
  }
  const place = /\d{16}/.test(text) ? findUnsafeInteger(text) : null
  if (place === null) return value
  const detail = 'is an integer beyond 2^53, which a JSON number does not hold exactly; send it as text'
  throw new EnqueueError('RB_INPUT_INVALID', `${place} ${detail}`, [{ pointer: place, detail }])
}

/**
 * Sixteen digits in a row may be text, a fraction, or an integer beyond 2^53: only the last is refused. What
 * is nested too deep to be walked is refused for that, later.
 */
function findUnsafeInteger(text: string): string | null {
  const marks = new Set<unknown>()
  const mark = (_key: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value !== 'number' || Number.isSafeInteger(value) || !/^-?\d+$/.test(context?.source ?? ''))
      return value
    const place = Object.freeze({})
    marks.add(place)
    return place
  }
  try {
    const marked = JSON.parse(text, mark) as unknown
    return marks.size === 0 ? null : findMark(marked, marks, '')
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function findMark(value: unknown, marks: ReadonlySet<unknown>, path: string): string | null {
  if (marks.has(value)) return path
  if (typeof value !== 'object' || value === null) return null
  for (const [key, entry] of Object.entries(value)) {
    const found = findMark(entry, marks, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    if (found !== null) return found
  }
  return null
}
