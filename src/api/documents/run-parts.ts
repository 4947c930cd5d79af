/** What belongs to a run, and what became of a batch, as they are answered. */
import type { BatchedRun } from '../../control/run-batch.ts'
import { LOG_LEVELS, type AttemptDocument, type LogDocument } from '../../control/run-parts.ts'
import {
  ANY,
  COUNT,
  document,
  FLAG,
  ID,
  keysOf,
  listOf,
  MAYBE_MOMENT,
  MAYBE_TEXT,
  MOMENT,
  pageOf,
  TEXT,
  words,
} from './document.ts'

export const LOG_PAGE = pageOf(
  document<LogDocument>('LogLine', {
    seq: COUNT,
    at: MOMENT,
    attempt: COUNT,
    level: words(...LOG_LEVELS),
    message: TEXT,
    data: ANY,
  }),
)

export const ATTEMPTS = pageOf(
  document<AttemptDocument>('Attempt', {
    attempt: COUNT,
    outcome: words('retry', 'failed', 'snooze', 'lost', 'handed_back'),
    worker: MAYBE_TEXT,
    started_at: MAYBE_MOMENT,
    finished_at: MOMENT,
    error: ANY,
    retry_at: MAYBE_MOMENT,
  }),
)

export const BATCHED = keysOf<{ items: unknown }>({
  items: listOf(document<BatchedRun>('BatchedRun', { id: ID, created: FLAG, task: TEXT })),
})
