/**
 * What may be done with webhooks, for REST, panel and command line alike: each verb checks the caller's scope, then acts.
 *
 * A secret leaves this process twice in its life at most: when it is made with its webhook, and when it is made by `rotate`.
 * Whoever lost it rotates. As with schedules, a change is made to a version, and who comes second is told.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable, type Queryable } from '../db/handle.ts'
import {
  deleteWebhook,
  findWebhookId,
  insertWebhook,
  listDeliveries,
  listWebhooks,
  readWebhook,
  rotateSecret,
  testWebhook,
  updateWebhook,
  type DeliveryQuery,
} from '../db/statements/webhooks.ts'
import { WebhookError } from '../errors.ts'
import { readPolicy, type OutboundOptions } from '../outbound/policy.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import type { RunDocument } from '../results/run.ts'
import { makeSecret } from '../webhooks/signature.ts'
import { acting } from './acting.ts'
import { explained } from './explained.ts'
import type { Match } from './schedules.ts'
import { readWebhookDraft, readWebhookEdit } from './webhook-draft.ts'

/** As REST tells it. */
export interface WebhookDocument {
  id: string
  name: string
  url: string
  description: string | null
  events: string[]
  tasks: string[] | null
  queues: string[] | null
  tags: string[] | null
  enabled: boolean
  disabled_reason: string | null
  failing_since: string | null
  /** How many it signs with: two while one is being replaced. */
  secrets: number
  version: number
  created_at: string
  updated_at: string
}
export type WebhookWithSecret = WebhookDocument & { secret: string }

export interface DeliveryDocument {
  id: string
  webhook_id: string
  event_id: string
  type: string
  /** The run that the event is of. */
  run_id: string | null
  /** The run that sent it. */
  sender: string | null
  attempt: number
  outcome: 'delivered' | 'retry' | 'failed'
  status: number | null
  duration_ms: number | null
  error: string | null
  response: string | null
  at: string
}

/** Each verb throws AccessError; those with an id RB_WEBHOOK_NOT_FOUND; those with a match RB_WEBHOOK_CHANGED. */
export interface WebhookControl {
  /** Newest first, below the id `before`. */
  list(
    caller: Caller,
    query: { before: string | null; limit: number },
  ): Promise<{ items: WebhookDocument[]; before: string | null }>
  read(caller: Caller, id: string): Promise<WebhookDocument>
  /** Throws unless it is there, also for who may only write. */
  require(caller: Caller, id: string): Promise<void>
  /** The id of a name. */
  find(caller: Caller, name: string): Promise<string>
  /** The only time, beside `rotate`, that a secret is shown. Throws RB_WEBHOOK_INVALID, RB_WEBHOOK_DUPLICATE. */
  create(caller: Caller, body: unknown): Promise<WebhookWithSecret>
  /** Only what is given. Throws as `create`. */
  edit(caller: Caller, id: string, body: unknown, match: Match): Promise<WebhookDocument>
  remove(caller: Caller, id: string, match: Match): Promise<void>
  /** A new secret; the one until now counts so many seconds longer. */
  rotate(caller: Caller, id: string, keep: number): Promise<WebhookWithSecret>
  /** Sends an event of the type `webhook.test`, once. */
  test(caller: Caller, id: string): Promise<RunDocument>
  /** Tries to deliver, newest first. */
  deliveries(
    caller: Caller,
    id: string,
    query: DeliveryQuery,
  ): Promise<{ items: DeliveryDocument[]; before: string | null }>
}

const TRIES = 20

export interface WebhookControlOptions {
  /** What the addresses of webhooks are judged by, as a worker will. */
  outbound?: OutboundOptions
  /** Reads a run without asking who wants to know. */
  readRun(id: string): Promise<RunDocument>
}

export function createWebhookControl(
  rowbeat: Rowbeat,
  { outbound, readRun }: WebhookControlOptions,
): WebhookControl {
  const db = toQueryable(rowbeat.db)
  const policy = readPolicy(outbound)

  const require = async (from: Queryable, id: string, match: Match = 'any'): Promise<WebhookDocument> => {
    const text = await readWebhook(from, id)
    if (text === null) throw unknownWebhook(id)
    const webhook = JSON.parse(text) as WebhookDocument
    if (match === 'any' || match.includes(webhook.version)) return webhook
    throw changedWebhook(webhook)
  }
  /** Tries again what is asked of any version while others change the row. */
  const change = async (
    id: string,
    match: Match,
    act: (webhook: WebhookDocument) => Promise<boolean>,
  ): Promise<void> => {
    for (let tries = 1; ; tries++) {
      const webhook = await require(db, id, match)
      if (await act(webhook)) return
      if (tries === TRIES) throw changedWebhook(webhook)
    }
  }

  const verbs: WebhookControl = {
    async list(caller, { before, limit }) {
      requireScope(caller, 'webhooks:read')
      return pageOf<WebhookDocument>(await listWebhooks(db, before, limit + 1), limit)
    },
    async read(caller, id) {
      requireScope(caller, 'webhooks:read')
      return await require(db, id)
    },
    async require(caller, id) {
      requireScope(caller, 'webhooks:write')
      await require(db, id)
    },
    async find(caller, name) {
      requireScope(caller, 'webhooks:read')
      const id = await findWebhookId(db, name)
      if (id !== null) return id
      throw unknownWebhook(`named ${JSON.stringify(name)}`)
    },
    async create(caller, body) {
      requireScope(caller, 'webhooks:write')
      const fields = readWebhookDraft(body, policy)
      const secret = makeSecret()
      const made = await acting(rowbeat.db, caller, { action: 'webhook.create' }, async ({ db: inside }) =>
        require(inside, await insertWebhook(inside, fields, secret)),
      )
      return { ...made, secret }
    },
    async edit(caller, id, body, match) {
      requireScope(caller, 'webhooks:write')
      const fields = readWebhookEdit(body, policy)
      await change(id, match, ({ version }) =>
        acting(rowbeat.db, caller, { action: 'webhook.update' }, ({ db: inside }) =>
          updateWebhook(inside, id, version, fields),
        ),
      )
      return await require(db, id)
    },
    async remove(caller, id, match) {
      requireScope(caller, 'webhooks:write')
      await change(id, match, ({ version }) =>
        acting(rowbeat.db, caller, { action: 'webhook.delete' }, ({ db: inside }) =>
          deleteWebhook(inside, id, version),
        ),
      )
    },
    async rotate(caller, id, keep) {
      requireScope(caller, 'webhooks:write')
      const secret = makeSecret()
      const isThere = await acting(rowbeat.db, caller, { action: 'webhook.rotate' }, ({ db: inside }) =>
        rotateSecret(inside, id, secret, keep),
      )
      if (!isThere) throw unknownWebhook(id)
      return { ...(await require(db, id)), secret }
    },
    async test(caller, id) {
      requireScope(caller, 'webhooks:write')
      await require(db, id)
      return await readRun(await testWebhook(db, id))
    },
    async deliveries(caller, id, query) {
      requireScope(caller, 'webhooks:read')
      await require(db, id)
      const texts = await listDeliveries(db, id, { ...query, limit: query.limit + 1 })
      return pageOf<DeliveryDocument>(texts, query.limit)
    },
  }
  return explained(verbs, explainRefusal)
}

function pageOf<Item extends { id: string }>(
  texts: readonly string[],
  limit: number,
): { items: Item[]; before: string | null } {
  const items = texts.slice(0, limit).map((text) => JSON.parse(text) as Item)
  return { items, before: texts.length > limit ? items.at(-1)!.id : null }
}

export function unknownWebhook(which: string): WebhookError {
  return new WebhookError(
    'RB_WEBHOOK_NOT_FOUND',
    `There is no webhook ${which}: it was never made, or was removed.`,
  )
}

function changedWebhook({ name, version }: WebhookDocument): WebhookError {
  return new WebhookError(
    'RB_WEBHOOK_CHANGED',
    `Webhook ${JSON.stringify(name)} is at version ${version} now: read it again and make the change to that.`,
  )
}

function explainRefusal(error: unknown): unknown {
  if ((error as { code?: string }).code !== '23505') return explainDatabaseError(error)
  return new WebhookError(
    'RB_WEBHOOK_DUPLICATE',
    'A webhook of this name stands: give another name, or change that one.',
    [{ pointer: '/name', detail: 'is taken' }],
    { cause: error },
  )
}
