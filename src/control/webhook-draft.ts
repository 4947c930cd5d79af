/**
 * What may be said of a webhook, read strictly: every wrong place is told at once, and a field that is not known is refused.
 * One reading for REST, panel and command line.
 */
import {
  check,
  duration,
  flag,
  isObject,
  objectSchema,
  pattern,
  pointerStep,
  text,
  type Check,
  type Schema,
} from '../check.ts'
import { parseDuration } from '../duration.ts'
import type { WebhookFields } from '../db/statements/webhooks.ts'
import { OutboundError, WebhookError, type Fault } from '../errors.ts'
import { findUnstorable } from '../json.ts'
import type { Policy } from '../outbound/policy.ts'
import { readTarget } from '../outbound/target.ts'
import { QUEUE_NAME } from '../tasks/options.ts'
import { EVENTS } from '../webhooks/event.ts'

const LISTED_MAX = 100

const listOf = (item: Check, words: string, schema: Schema = item.schema): Check =>
  check({ type: 'array', minItems: 1, maxItems: LISTED_MAX, items: schema }, (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= LISTED_MAX &&
    value.every((one) => item(one) === null)
      ? null
      : `must be a list of ${words}, at least one and at most ${LISTED_MAX}`,
  )

const event = check({ type: 'string', enum: EVENTS }, (value) =>
  EVENTS.includes(value as never) ? null : `must be one of ${EVENTS.join(', ')}`,
)
const glob = pattern(/^[A-Za-z0-9_.*?-]{1,100}$/)

const FIELDS: Readonly<Record<keyof WebhookFields, Check>> = {
  name: text(200),
  url: text(2000),
  description: text(2000),
  events: listOf(event, `events, which are ${EVENTS.join(', ')}`),
  tasks: listOf(glob, 'names of tasks, in which * stands for any text'),
  queues: listOf(pattern(QUEUE_NAME), 'names of queues'),
  tags: listOf(text(64), 'tags of 1 to 64 characters'),
  enabled: flag,
}
const NEEDED = ['name', 'url'] as const
/** What null takes away; of the others, null says nothing. */
const REMOVABLE = ['description', 'tasks', 'queues', 'tags']

/** Schemas of the bodies, for the description of the API. */
export const WEBHOOK_BODY = objectSchema(FIELDS, NEEDED)
export const WEBHOOK_EDIT_BODY = objectSchema(FIELDS)

/** How long the secret until now goes on to count. */
const KEEP = { keep: duration }
export const ROTATION_BODY = objectSchema(KEEP)
export const KEEP_DEFAULT = '24 hours'
const KEEP_MAX_MS = 30 * 86_400_000

/** Seconds. Throws RB_WEBHOOK_INVALID. */
export function readRotation(body: unknown): number {
  const { keep = KEEP_DEFAULT } = readFields(body ?? {}, KEEP)
  const ms = parseDuration(keep)!
  if (ms <= KEEP_MAX_MS) return ms / 1000
  throw refuseWebhook([{ pointer: '/keep', detail: 'must be at most 30 days' }])
}

/** What any verb takes when nothing is said: no body, or null, is {}. */
export function readWebhookNothing(body: unknown): void {
  readFields(body ?? {}, {})
}

/** Throws RB_WEBHOOK_INVALID. */
export function readWebhookDraft(body: unknown, policy: Policy): WebhookFields {
  const given = readWebhook(body, policy, NEEDED)
  const {
    description = null,
    events = EVENTS,
    tasks = null,
    queues = null,
    tags = null,
    enabled = true,
  } = given
  return { name: given.name!, url: given.url!, description, events, tasks, queues, tags, enabled }
}

/** Only what is given. Throws RB_WEBHOOK_INVALID. */
export function readWebhookEdit(body: unknown, policy: Policy): Partial<WebhookFields> {
  return readWebhook(body, policy)
}

export function refuseWebhook(faults: readonly Fault[]): WebhookError {
  const [first] = faults as [Fault]
  return new WebhookError(
    'RB_WEBHOOK_INVALID',
    `The webhook is refused: ${`${first.pointer} ${first.detail}`.trim()}.`,
    faults,
  )
}

/** What is said of these fields; null says nothing. */
function readFields(
  body: unknown,
  fields: Readonly<Record<string, Check>>,
  needed: readonly string[] = [],
): Record<string, unknown> {
  const known = Object.keys(fields).join(', ') || 'none'
  if (!isObject(body))
    throw refuseWebhook([{ pointer: '', detail: `must be an object; its fields are ${known}` }])
  const faults: Fault[] = []
  for (const [name, value] of Object.entries(body)) {
    const judge = Object.hasOwn(fields, name) ? fields[name]! : null
    const pointer = pointerStep(name)
    const unstorable = judge ? findUnstorable(value, pointer) : null
    const detail = !judge ? `is not a field here; known are ${known}` : value === null ? null : judge(value)
    if (unstorable) faults.push(unstorable)
    else if (detail) faults.push({ pointer, detail })
  }
  for (const name of needed)
    if ((body[name] ?? null) === null) faults.push({ pointer: `/${name}`, detail: 'is missing' })
  if (faults.length > 0) throw refuseWebhook(faults)
  const said = Object.entries(body).filter(([name, value]) => value !== null || REMOVABLE.includes(name))
  return Object.fromEntries(said)
}

function readWebhook(body: unknown, policy: Policy, needed: readonly string[] = []): Partial<WebhookFields> {
  const given = readFields(body, FIELDS, needed) as Partial<WebhookFields>
  const detail = given.url === undefined ? null : explainUrl(given.url, policy)
  if (detail) throw refuseWebhook([{ pointer: '/url', detail }])
  return given
}

/** As far as its text tells; what it resolves to is judged at each call. */
function explainUrl(url: string, policy: Policy): string | null {
  try {
    readTarget(url, policy)
    return null
  } catch (error) {
    if (error instanceof OutboundError) return error.message.replace(/^The address |\.$/g, '')
    throw error
  }
}
