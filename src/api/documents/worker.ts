/** Queues, workers and what they answer, as REST tells them. */
import { orNull } from '../../check.ts'
import { PLACES, type QueueDocument } from '../../db/statements/queue-figures.ts'
import type { CommandRecord, Inspected, Reply, WorkerDocument } from '../../db/statements/control.ts'
import {
  ANY,
  COUNT,
  document,
  FLAG,
  ID,
  INTEGER,
  keysOf,
  listOf,
  mapOf,
  MAYBE_COUNT,
  MAYBE_MOMENT,
  MAYBE_NUMBER,
  MAYBE_TEXT,
  MOMENT,
  NUMBER,
  OBJECT,
  pageOf,
  TEXT,
  words,
} from './document.ts'

export const QUEUE = document<QueueDocument>('Queue', {
  name: TEXT,
  concurrency: MAYBE_COUNT,
  rate: MAYBE_TEXT,
  rate_burst: MAYBE_COUNT,
  hot_limit: COUNT,
  state: words('open', 'paused', 'draining'),
  paused_at: MAYBE_MOMENT,
  pause_reason: MAYBE_TEXT,
  resume_at: MAYBE_MOMENT,
  draining_at: MAYBE_MOMENT,
  waiting: {
    type: 'object',
    properties: Object.fromEntries(PLACES.map((place) => [place, COUNT])),
    required: PLACES,
  },
  capped: FLAG,
  running: COUNT,
  oldest_age: MAYBE_NUMBER,
  workers: listOf(keysOf<QueueDocument['workers'][number]>({ name: TEXT, slots: COUNT })),
  slots: COUNT,
})
export const QUEUE_PAGE = pageOf(QUEUE)

export const WORKER = document<WorkerDocument>('Worker', {
  id: TEXT,
  name: TEXT,
  kind: TEXT,
  hostname: TEXT,
  pid: INTEGER,
  queues: mapOf(COUNT),
  autoscale: mapOf(keysOf<{ max: number; min: number }>({ max: COUNT, min: COUNT })),
  tasks: listOf(TEXT),
  version: TEXT,
  running: listOf(keysOf<WorkerDocument['running'][number]>({ id: ID, started_at: MOMENT, attempt: COUNT })),
  processed: mapOf(NUMBER),
  limits: mapOf(ANY),
  rss_bytes: MAYBE_NUMBER,
  loop_lag_ms: MAYBE_NUMBER,
  clock_skew_ms: MAYBE_NUMBER,
  started_at: MOMENT,
  seen_at: MOMENT,
  stopping: FLAG,
  quiet: FLAG,
  listening: orNull(FLAG),
})
export const WORKER_PAGE = pageOf(WORKER)

export const INSPECTION = keysOf<{ items: unknown }>({
  items: listOf(document<Inspected>('Inspected', { worker: MAYBE_TEXT, reply: ANY })),
})

export const COMMAND = document<CommandRecord>('Command', {
  id: ID,
  command: TEXT,
  args: OBJECT,
  workers: { type: ['array', 'null'], items: TEXT },
  created_at: MOMENT,
  expires_at: MOMENT,
  replies: listOf(keysOf<Reply>({ worker: TEXT, ok: FLAG, reply: ANY, at: MOMENT })),
  awaited: listOf(TEXT),
})
