/**
 * What a webhook is sent: CloudEvents 1.0 in structured mode, one JSON document. `data` is the run as REST tells it; a
 * result is written once, so every try of a delivery, and every delivery again, says the same under the same id.
 *
 * The size is capped: an event that would be larger leaves out input and result, the two that have no bounds of their own,
 * and says so. Who is told of a run may then read it. What is not there any more is told by what the event itself knows.
 */
import type { RunDocument } from '../results/run.ts'

export const EVENTS = ['run.succeeded', 'run.failed', 'run.revoked'] as const
export type EventName = (typeof EVENTS)[number]
/** Made by hand, to see whether a webhook works. */
export const TEST_EVENT = 'webhook.test'

const TYPE_PREFIX = 'dev.rowbeat.'
const BYTES_MAX = 262_144

/** The input of a run of `rowbeat.webhook`, as rowbeat.tell_webhooks_v1 writes it. */
export interface EventInput {
  webhook: string
  event: string
  type: EventName | typeof TEST_EVENT
  /** RFC 3339. */
  at: string
  /** Of the run that ended; none in a test. */
  run?: string
  task?: string
  queue?: string
  state?: string
  reason?: string | null
  /** That it was made by the end of a run. */
  proof: string
}

export interface CloudEvent {
  specversion: '1.0'
  id: string
  source: string
  type: string
  subject?: string
  time: string
  datacontenttype: 'application/json'
  /** `true` where input and result were left out for their size: an extension attribute. */
  truncated?: boolean
  data: unknown
}

/** `run` is null when it was forgotten or its time was over before the event went out. */
export function composeEvent(input: EventInput, source: string, run: RunDocument | null): string {
  const text = JSON.stringify(describe(input, source, run))
  if (run === null || Buffer.byteLength(text) <= BYTES_MAX) return text
  const { error, progress } = run
  const least = { ...run, input: null, result: null }
  const shorter = JSON.stringify({ ...describe(input, source, least), truncated: true })
  if (Buffer.byteLength(shorter) <= BYTES_MAX) return shorter
  const cut = error && { ...error, message: error.message.slice(0, 2000), stack: null, cause: null }
  const bare = { ...least, error: cut, headers: {}, progress: progress && { ...progress, meta: null } }
  return JSON.stringify({ ...describe(input, source, bare), truncated: true })
}

function describe(input: EventInput, source: string, run: RunDocument | null): CloudEvent {
  const { event, type, at, run: id, task, queue, state, reason } = input
  return {
    specversion: '1.0',
    id: event,
    source,
    type: `${TYPE_PREFIX}${type}`,
    ...(id === undefined ? {} : { subject: id }),
    time: at,
    datacontenttype: 'application/json',
    data: id === undefined ? { webhook: input.webhook } : (run ?? { id, task, queue, state, reason }),
  }
}
