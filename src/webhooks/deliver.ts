/**
 * `rowbeat.webhook`, the task that every worker brings along: sends one event to one webhook. A delivery is a run like any
 * other, so it is durable, retried, seen in the panel, revoked and repeated (`retry` of it sends the event again, under the
 * same id) by what there is for runs.
 *
 * An event is delivered when the webhook answered 2xx. Otherwise it is tried again for about a day, ever more seldom; an
 * answer with Retry-After is taken at its word. 410 disables the webhook; so does failing for days without a success
 * between. Delivery is at least once: an answer may be lost after the receiver has acted, who tells by webhook-id.
 *
 * What is signed is true: an event that somebody enqueued, and not the end of a run, has no proof in it and is not sent.
 */
import { isUuid } from '../check.ts'
import { monotonicMs, nowMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { readRun } from '../db/statements/runs.ts'
import { noteDelivery, readDeliveryTarget, type DeliveryTarget } from '../db/statements/webhooks.ts'
import { OutboundError } from '../errors.ts'
import { excerptOf, retryAfterMs, wordsOf } from '../outbound/answer.ts'
import { callUrl, type Answer, type Resolve } from '../outbound/call.ts'
import type { Policy } from '../outbound/policy.ts'
import { parseRun } from '../results/run.ts'
import type { Context } from '../tasks/context.ts'
import { Discard, Retry } from '../tasks/signals.ts'
import { task, type Task } from '../tasks/task.ts'
import { composeEvent, TEST_EVENT, type EventInput } from './event.ts'
import { sign } from './signature.ts'

export const WEBHOOK_TASK = 'rowbeat.webhook'

const TIMEOUT_MS = 15_000
const ANSWER_BYTES = 4096
/** Of one webhook at once, over all workers: one that is slow does not take every slot of a queue. */
const AT_ONCE = 4
/** 10 s, 20 s, 40 s, … 3 h, 3 h: the last of so many tries is about a day after the first. */
const TRIES = 18
const FIRST_MS = 10_000
const LONGEST_MS = 3 * 3_600_000
/** Seconds of failing after which a webhook is disabled: longer than the tries of one event, so that one bad event is not enough. */
const PATIENCE = 3 * 86_400

export interface DeliveryOptions {
  db: () => Queryable
  policy: Policy
  resolve?: Resolve
}

export interface Delivered {
  status: number
  duration_ms: number
}

export function createWebhookTask(options: DeliveryOptions): Task<EventInput, Delivered> {
  return task(
    WEBHOOK_TASK,
    {
      attemptsMax: TRIES,
      retention: '7 days',
      concurrency: { limit: AT_ONCE, key: (input: EventInput) => String(input.webhook) },
    },
    (input: EventInput, context) => deliver(options, input, context),
  )
}

async function deliver(
  { db, policy, resolve }: DeliveryOptions,
  input: EventInput,
  { run: sender, signal, log }: Context,
): Promise<Delivered> {
  if (!isUuid(input?.webhook)) throw new Discard('This is no event.')
  const target = await readDeliveryTarget(db(), input.webhook, JSON.stringify(input))
  if (!target) throw new Discard('The webhook was removed before this event was delivered.')
  if (!target.isGenuine) throw new Discard('This event was not made by the end of a run: it is not signed.')
  if (!target.enabled && input.type !== TEST_EVENT) throw new Discard('The webhook is disabled.')
  const call = await requestOf(db(), input, target)
  const from = monotonicMs()
  const outcome = await callUrl({ ...call, signal }, policy, resolve).catch((error: unknown) => {
    if (error instanceof OutboundError) return error
    throw error
  })
  const durationMs = Math.round(10 * (monotonicMs() - from)) / 10
  const error = judge(outcome)
  const isGone = 'status' in outcome && outcome.status === 410
  const isLast = isGone || input.type === TEST_EVENT || sender.attempt >= sender.attemptsMax
  const disabled = await noteDelivery(db(), {
    webhook: input.webhook,
    event: input.event,
    type: input.type,
    run: input.run ?? null,
    sender: sender.id,
    attempt: sender.attempt,
    outcome: error === null ? 'delivered' : isLast ? 'failed' : 'retry',
    status: 'status' in outcome ? outcome.status : null,
    durationMs,
    error: error?.message ?? null,
    response: 'status' in outcome ? excerptOf(outcome.body) : null,
    isGone,
    patience: PATIENCE,
  })
  if (disabled !== null) log.warn(`The webhook is disabled: ${disabled}.`, { webhook: input.webhook })
  if (error === null) return { status: (outcome as Answer).status, duration_ms: durationMs }
  if (isGone) throw new Discard('It answered 410, gone: the webhook is disabled.', { cause: error })
  if (input.type === TEST_EVENT) throw new Discard(error.message, { cause: error })
  if (isLast) throw error
  const askedMs = 'status' in outcome ? (retryAfterMs(outcome) ?? 0) : 0
  const waitMs = Math.max(askedMs, backoffMs(sender.attempt, Math.random()))
  throw new Retry({ in: waitMs / 1000, message: error.message, cause: error })
}

async function requestOf(db: Queryable, input: EventInput, target: DeliveryTarget) {
  const told = input.run === undefined ? null : await readRun(db, input.run)
  const body = composeEvent(input, `urn:rowbeat:${target.database}`, told === null ? null : parseRun(told))
  const at = Math.floor(nowMs() / 1000)
  return {
    url: target.url,
    method: 'POST',
    headers: {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      ...sign({ id: input.event, at, body }, target.secrets),
    },
    body,
    timeoutMs: TIMEOUT_MS,
    bytesMax: ANSWER_BYTES,
  }
}

function judge(outcome: Answer | OutboundError): OutboundError | null {
  if (outcome instanceof OutboundError) return outcome
  if (outcome.status >= 200 && outcome.status < 300) return null
  return new OutboundError('RB_OUTBOUND_STATUS', `It answered ${wordsOf(outcome)}.`)
}

/** A quarter more or less, so that a receiver that comes back is not met by all at once. */
export function backoffMs(attempt: number, random: number): number {
  const plain = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 30))
  return Math.round(plain * (0.75 + random / 2))
}
