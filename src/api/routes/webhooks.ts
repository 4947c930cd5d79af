/**
 * /v1/webhooks: addresses that are told when runs end. A secret is answered when it is made, by POST and by `:rotate`, and
 * never again. PATCH and DELETE are made to a version, as they are of schedules.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isUuid } from '../../check.ts'
import {
  readRotation,
  readWebhookNothing,
  ROTATION_BODY,
  WEBHOOK_BODY,
  WEBHOOK_EDIT_BODY,
} from '../../control/webhook-draft.ts'
import { unknownWebhook, type WebhookControl } from '../../control/webhooks.ts'
import { RequestError } from '../../errors.ts'
import { RUN } from '../documents/run.ts'
import { DELIVERY_PAGE, WEBHOOK, WEBHOOK_PAGE, WEBHOOK_WITH_SECRET } from '../documents/webhook.ts'
import { endpoint, type Schema } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { requireMatch, tagged } from '../precondition.ts'
import {
  LIMIT,
  readBefore,
  readLimit,
  readQuery,
  readWord,
  refuseQuery,
  writeIdCursor,
  type Parameters,
} from '../query.ts'

const READ = { auth: 'scope', scope: 'webhooks:read' } as const
const WRITE = { auth: 'scope', scope: 'webhooks:write' } as const
const BODY = { bodyLimit: 65_536 }

const ONE = '/v1/webhooks/:id'
const verb = (name: string): string => `/v1/webhooks/:id(^[^:/]+)::${name}`

const tag = 'webhooks'
interface Page {
  limit: number
  before?: string
}
type DeliveryPage = Page & { outcome?: 'delivered' | 'retry' | 'failed' }
const PAGE: Parameters<Page> = { limit: readLimit, cursor: readBefore }
const DELIVERIES: Parameters<DeliveryPage> = {
  ...PAGE,
  outcome: readWord('outcome', 'delivered', 'retry', 'failed'),
}
const MATCH: Schema = { type: 'string', description: 'The ETag of the webhook as it was read, or *' }
const one = { description: 'The webhook', schema: WEBHOOK, headers: ['ETag'] as const }
const EXAMPLE = {
  name: 'billing',
  url: 'https://billing.example.com/hooks',
  events: ['run.failed'],
  tasks: ['orders.*'],
}
const CHANGE = ['RB_WEBHOOK_NOT_FOUND', 'RB_WEBHOOK_CHANGED', 'RB_WEBHOOK_INVALID', 'RB_PRECONDITION_MISSING']

const LIST = endpoint(READ, {
  id: 'listWebhooks',
  tag,
  summary: 'Webhooks',
  query: PAGE,
  answers: { 200: { description: 'A page of webhooks, newest first', schema: WEBHOOK_PAGE } },
})
const CREATE = endpoint(WRITE, {
  id: 'createWebhook',
  tag,
  summary: 'Makes a webhook',
  body: { schema: { title: 'WebhookDraft', ...WEBHOOK_BODY }, example: EXAMPLE },
  answers: {
    201: {
      description: 'It was made; its secret is shown this once',
      schema: WEBHOOK_WITH_SECRET,
      headers: ['Location', 'ETag'],
    },
  },
  problems: ['RB_WEBHOOK_INVALID', 'RB_WEBHOOK_DUPLICATE'],
})
const GET = endpoint(READ, {
  id: 'getWebhook',
  tag,
  summary: 'One webhook',
  answers: { 200: one },
  problems: ['RB_WEBHOOK_NOT_FOUND'],
})
const PATCH = endpoint(WRITE, {
  id: 'editWebhook',
  tag,
  summary: 'Changes some of it',
  description: 'With `"enabled": true` one that was disabled is tried again.',
  headers: { 'If-Match': MATCH },
  body: { schema: { title: 'WebhookEdit', ...WEBHOOK_EDIT_BODY }, example: { enabled: true } },
  answers: { 200: one },
  problems: [...CHANGE, 'RB_WEBHOOK_DUPLICATE'],
})
const REMOVE = endpoint(WRITE, {
  id: 'deleteWebhook',
  tag,
  summary: 'Deletes it with its deliveries',
  headers: { 'If-Match': MATCH },
  body: { schema: { type: 'object', properties: {}, additionalProperties: false }, isOptional: true },
  answers: { 204: { description: 'It is gone' } },
  problems: CHANGE,
})
const TEST = endpoint(WRITE, {
  id: 'testWebhook',
  tag,
  summary: 'Sends an event of the type dev.rowbeat.webhook.test, once',
  body: { schema: { type: 'object', properties: {}, additionalProperties: false }, isOptional: true },
  answers: { 202: { description: 'The run that sends it', schema: RUN, headers: ['Location'] } },
  problems: ['RB_WEBHOOK_NOT_FOUND', 'RB_WEBHOOK_INVALID'],
})
const ROTATE = endpoint(WRITE, {
  id: 'rotateWebhookSecret',
  tag,
  summary: 'Makes a new secret; the one until now counts a while longer',
  body: { schema: ROTATION_BODY, isOptional: true, example: { keep: '2 hours' } },
  answers: { 200: { ...one, description: 'The webhook, and its new secret', schema: WEBHOOK_WITH_SECRET } },
  problems: ['RB_WEBHOOK_NOT_FOUND', 'RB_WEBHOOK_INVALID'],
})
const DELIVERED = endpoint(READ, {
  id: 'listDeliveries',
  tag,
  summary: 'Tries to deliver events',
  description: 'To send an event again, retry the run that sent it: `POST /v1/runs/{sender}:retry`.',
  query: DELIVERIES,
  answers: { 200: { description: 'A page of tries, newest first', schema: DELIVERY_PAGE } },
  problems: ['RB_WEBHOOK_NOT_FOUND'],
})

export function webhookRoutes(app: FastifyInstance, control: WebhookControl): void {
  app.get('/v1/webhooks', LIST, async (request) => {
    const query = readQuery<Page>(PAGE, request.query, { limit: LIMIT })
    return pageOf(await control.list(callerOf(request), { ...query, before: query.before ?? null }))
  })
  app.post('/v1/webhooks', { ...CREATE, ...BODY }, async (request, reply) => {
    refuseQuery(request.query)
    const made = await control.create(callerOf(request), bodyOf(request))
    reply.code(201).header('location', `${app.prefix}/v1/webhooks/${made.id}`)
    return tagged(reply, made)
  })
  app.get(ONE, GET, async (request, reply) => {
    refuseQuery(request.query)
    return tagged(reply, await control.read(callerOf(request), idOf(request)))
  })
  app.patch(ONE, { ...PATCH, ...BODY }, async (request, reply) => {
    refuseQuery(request.query)
    const [caller, id] = [callerOf(request), idOf(request)]
    const match = await requireMatch(request, () => control.require(caller, id))
    return tagged(reply, await control.edit(caller, id, bodyOf(request), match))
  })
  app.delete(ONE, { ...REMOVE, ...BODY }, async (request, reply) => {
    refuseQuery(request.query)
    const [caller, id] = [callerOf(request), idOf(request)]
    const match = await requireMatch(request, () => control.require(caller, id))
    readWebhookNothing(request.body)
    await control.remove(caller, id, match)
    return reply.code(204).send()
  })
  app.post(verb('test'), { ...TEST, ...BODY }, async (request, reply) => {
    refuseQuery(request.query)
    readWebhookNothing(request.body)
    const run = await control.test(callerOf(request), idOf(request))
    return reply.code(202).header('location', `${app.prefix}/v1/runs/${run.id}`).send(run)
  })
  app.post(verb('rotate'), { ...ROTATE, ...BODY }, async (request, reply) => {
    refuseQuery(request.query)
    const keep = readRotation(request.body)
    return tagged(reply, await control.rotate(callerOf(request), idOf(request), keep))
  })
  app.get(`${ONE}/deliveries`, DELIVERED, async (request) => {
    const query = readQuery<DeliveryPage>(DELIVERIES, request.query, { limit: LIMIT })
    const { limit, before = null, outcome = null } = query
    return pageOf(await control.deliveries(callerOf(request), idOf(request), { limit, before, outcome }))
  })
}

function pageOf<Item>({ items, before }: { items: Item[]; before: string | null }): {
  items: Item[]
  next: string | null
} {
  return { items, next: before === null ? null : writeIdCursor(before) }
}

/** An id that is no UUID is the id of no webhook. */
function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string }
  if (isUuid(id)) return id.toLowerCase()
  throw unknownWebhook(JSON.stringify(id))
}

function bodyOf(request: FastifyRequest): unknown {
  if (request.body !== undefined) return request.body
  throw new RequestError('RB_BODY_INVALID', 'The body is missing: send an object as JSON.')
}
