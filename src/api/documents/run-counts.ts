/** Runs as numbers, as they are answered. */
import type { FailureDocument, FailuresDocument } from '../../control/failures.ts'
import type { RunCount, RunCounts } from '../../control/run-counts.ts'
import { RUN_STATES } from '../../results/run.ts'
import { COUNT, document, FLAG, ID, listOf, MAYBE_TEXT, MOMENT, NUMBER, TEXT, words } from './document.ts'

export const RUN_COUNTS = document<RunCounts>('RunCounts', {
  at: MOMENT,
  items: listOf(document<RunCount>('RunCount', { state: words(...RUN_STATES), count: COUNT, capped: FLAG })),
})

export const FAILURES = document<FailuresDocument>('Failures', {
  at: MOMENT,
  period: NUMBER,
  step: NUMBER,
  since: MOMENT,
  items: listOf(
    document<FailureDocument>('FailureGroup', {
      fingerprint: TEXT,
      task: TEXT,
      name: TEXT,
      code: MAYBE_TEXT,
      frame: TEXT,
      message: TEXT,
      run_id: ID,
      first_at: MOMENT,
      last_at: MOMENT,
      count: COUNT,
      slices: listOf(COUNT),
      q: TEXT,
    }),
  ),
  next: MAYBE_TEXT,
})
