/**
 * ETag and If-Match (RFC 9110): a change is made to the version that its author saw, or not at all. The ETag is the version
 * in quotes. It changes with edits, not with firings, so it is no validator for caches, and If-None-Match is not answered.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Match } from '../control/schedules.ts'
import { RequestError } from '../errors.ts'

/**
 * A change that may lose somebody's edit must say which version it was made to. Without the header `look` is asked first,
 * because what is not there is 404 before anything else. Throws RB_PRECONDITION_MISSING.
 */
export async function requireMatch(request: FastifyRequest, look: () => Promise<void>): Promise<Match> {
  const match = readMatch(request)
  if (match !== null) return match
  await look()
  throw new RequestError(
    'RB_PRECONDITION_MISSING',
    'The header If-Match is missing: send the ETag of what you read, or * to change whatever is there.',
  )
}

/** For verbs that lose nothing: without the header, any version will do. */
export function mayMatch(request: FastifyRequest): Match {
  return readMatch(request) ?? 'any'
}

/** One tag of a list, and the comma behind it; lists may have empty places. */
const TAG = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|$)/y

/** The comparison is strong: a weak tag matches nothing. Nor does one that is no version. */
function readMatch(request: FastifyRequest): Match | null {
  const header = request.headers['if-match']
  if (header === undefined) return null
  const text = String(header)
  if (text.trim() === '*') return 'any'
  const versions: number[] = []
  const tag = new RegExp(TAG)
  for (let seen = 0; tag.lastIndex < text.length; seen++) {
    const found = tag.exec(text)
    if (!found || seen > 100) throw malformed()
    const [, weak, value] = found
    if (value !== undefined && !weak && /^[1-9]\d{0,8}$/.test(value)) versions.push(Number(value))
  }
  if (!text.includes('"')) throw malformed()
  return versions
}

function malformed(): RequestError {
  return new RequestError(
    'RB_REQUEST_INVALID',
    'If-Match is not understood: send an ETag as it was answered, with its quotes, as in "3", or *.',
  )
}

/** Says the version of what is answered. */
export function tagged<Document extends { version: number }>(
  reply: FastifyReply,
  document: Document,
): Document {
  reply.header('etag', `"${document.version}"`)
  return document
}
