/**
 * Which problems an address may answer. Most follow from what it is: whoever reads a body may refuse it as 400, 413, 415,
 * whoever asks the database may be 503. The rest it says itself. A test that meets another code at an address fails.
 */
import { InvariantError } from '../../errors.ts'
import { keysOf, listOf, TEXT } from '../documents/document.ts'
import type { Registered, Schema } from '../endpoint.ts'
import { PROBLEMS, type Problem } from '../problem.ts'

const { errors, ...always } = {
  type: { type: 'string', format: 'uri-reference', description: 'As in `/problems/RB_RUN_NOT_FOUND`' },
  title: TEXT,
  status: { type: 'integer', minimum: 400, maximum: 599 },
  detail: { ...TEXT, description: 'What is wrong, and how to mend it' },
  instance: TEXT,
  code: { ...TEXT, description: 'As in `RB_RUN_NOT_FOUND`' },
  request_id: { ...TEXT, description: 'The log has it too' },
  errors: {
    ...listOf(keysOf<{ pointer: string; detail: string }>({ pointer: TEXT, detail: TEXT })),
    description: 'Each place that is wrong, as a JSON pointer into the body, or as the name of a parameter',
  },
} satisfies Record<keyof Problem, Schema>

export const PROBLEM: Schema = {
  title: 'Problem',
  type: 'object',
  properties: { ...always, errors },
  required: Object.keys(always),
}

/** Of whatever is behind the guard, or asks the database. */
const STORE = ['RB_INTERNAL', 'RB_DB_UNREACHABLE', 'RB_DB_BUSY', 'RB_SCHEMA_BEHIND']
const BODY = ['RB_BODY_INVALID', 'RB_INPUT_INVALID', 'RB_INPUT_TOO_LARGE', 'RB_MEDIA_TYPE_UNKNOWN']
const CREDENTIAL = ['RB_KEY_MISSING', 'RB_KEY_INVALID', 'RB_TOKEN_INVALID']

/** Every code that it may answer, by status. */
export function problemsOf({ method, url, access, endpoint }: Registered): Map<number, string[]> {
  const codes = new Set([
    'RB_REQUEST_INVALID',
    ...(url.startsWith('/v1') ? [...STORE, 'RB_QUERY_INVALID'] : []),
    ...(method === 'GET' ? [] : BODY),
    ...(url.replaceAll('::', '').includes(':') ? ['RB_URL_TOO_LONG'] : []),
    ...(access.auth === 'public' ? [] : CREDENTIAL),
    ...(access.auth === 'public' && method === 'GET' ? [] : ['RB_RATE_LIMITED']),
    ...(access.auth === 'scope' ? ['RB_SCOPE_MISSING'] : []),
    ...(endpoint.problems ?? []),
  ])
  const byStatus = new Map<number, string[]>()
  for (const code of [...codes].toSorted()) {
    const { status } = kindOf(code)
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return byStatus
}

function kindOf(code: string): (typeof PROBLEMS)[string] {
  if (Object.hasOwn(PROBLEMS, code)) return PROBLEMS[code]!
  throw new InvariantError(`${code} is told of an address and not in the table of problems`)
}

/** An answer that is a problem with one of these codes. */
export function problemAnswer(codes: readonly string[]): Schema {
  const comesLater = codes.some((code) => kindOf(code).retryAfter || kindOf(code).status === 429)
  return {
    description: codes.map((code) => `\`${code}\`: ${kindOf(code).title}`).join('; '),
    headers: {
      'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
      ...(comesLater ? { 'Retry-After': { $ref: '#/components/headers/Retry-After' } } : {}),
    },
    content: {
      'application/problem+json': {
        schema: { allOf: [PROBLEM, { properties: { code: { enum: codes } } }] },
      },
    },
  }
}
