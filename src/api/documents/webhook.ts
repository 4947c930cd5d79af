/** Webhooks and their deliveries as they are answered. */
import type { DeliveryDocument, WebhookDocument, WebhookWithSecret } from '../../control/webhooks.ts'
import { EVENTS } from '../../webhooks/event.ts'
import { orNull } from '../../check.ts'
import {
  COUNT,
  document,
  FLAG,
  ID,
  listOf,
  MAYBE_COUNT,
  MAYBE_ID,
  MAYBE_MOMENT,
  MAYBE_NUMBER,
  MAYBE_TEXT,
  MOMENT,
  pageOf,
  TEXT,
  words,
} from './document.ts'

const MAYBE_TEXTS = orNull(listOf(TEXT))

const KEYS = {
  id: ID,
  name: TEXT,
  url: TEXT,
  description: MAYBE_TEXT,
  events: listOf(words(...EVENTS)),
  tasks: MAYBE_TEXTS,
  queues: MAYBE_TEXTS,
  tags: MAYBE_TEXTS,
  enabled: FLAG,
  disabled_reason: MAYBE_TEXT,
  failing_since: MAYBE_MOMENT,
  secrets: COUNT,
  version: COUNT,
  created_at: MOMENT,
  updated_at: MOMENT,
}
export const WEBHOOK = document<WebhookDocument>('Webhook', KEYS)
export const WEBHOOK_PAGE = pageOf(WEBHOOK)
export const WEBHOOK_WITH_SECRET = document<WebhookWithSecret>('WebhookWithSecret', { ...KEYS, secret: TEXT })

export const DELIVERY = document<DeliveryDocument>('Delivery', {
  id: ID,
  webhook_id: ID,
  event_id: ID,
  type: TEXT,
  run_id: MAYBE_ID,
  sender: MAYBE_ID,
  attempt: COUNT,
  outcome: words('delivered', 'retry', 'failed'),
  status: MAYBE_COUNT,
  duration_ms: MAYBE_NUMBER,
  error: MAYBE_TEXT,
  response: MAYBE_TEXT,
  at: MOMENT,
})
export const DELIVERY_PAGE = pageOf(DELIVERY)
