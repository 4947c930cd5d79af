/** /v1/audit: what was changed, and by whom. */
import type { FastifyInstance } from 'fastify'
import type { AuditControl, AuditQuery } from '../../control/audit.ts'
import { AUDIT_PAGE } from '../documents/access.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import {
  isText,
  LIMIT,
  parameter,
  readBefore,
  readLimit,
  readMoment,
  readQuery,
  readWord,
  writeIdCursor,
  type Parameters,
  type ReadParameter,
} from '../query.ts'

const TEXT_MAX = 320
const readExact = <Key extends 'actor' | 'action' | 'targetKind' | 'target' | 'requestId'>(
  key: Key,
  description: string,
): ReadParameter<AuditQuery> =>
  parameter({ type: 'string', minLength: 1, maxLength: TEXT_MAX, description }, (text, query) => {
    query[key] = text
    return isText(text, TEXT_MAX) ? null : `must be text of 1 to ${TEXT_MAX} characters`
  })

export const AUDIT_PARAMETERS: Parameters<AuditQuery> = {
  limit: readLimit,
  cursor: readBefore,
  actor: readExact('actor', 'Only by whom this is the name or e-mail address'),
  via: readWord('via', 'rest', 'cli', 'panel', 'sql'),
  action: readExact('action', 'Only this, as in schedule.pause'),
  target_kind: readExact('targetKind', 'Only of this noun, as in schedule'),
  target: readExact('target', 'Only of this id or name'),
  request_id: readExact('requestId', 'Only of this request'),
  from: readMoment('fromMs'),
  until: readMoment('untilMs'),
}

const LIST = endpoint(
  { auth: 'scope', scope: 'audit:read' },
  {
    id: 'listAudit',
    tag: 'audit',
    summary: 'What was changed, latest first',
    query: AUDIT_PARAMETERS,
    answers: { 200: { description: 'A page of the log', schema: AUDIT_PAGE } },
  },
)

export function auditRoutes(app: FastifyInstance, control: AuditControl): void {
  app.get('/v1/audit', LIST, async (request) => {
    const query = readQuery(AUDIT_PARAMETERS, request.query, { limit: LIMIT })
    const { items, before } = await control.list(callerOf(request), query)
    return { items, next: before === null ? null : writeIdCursor(before) }
  })
}
