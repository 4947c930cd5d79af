/** Tasks, statistics and problems as they are answered. */
import { orNull } from '../../check.ts'
import { PROBLEM_CODES, type TroubleDocument } from '../../control/problems.ts'
import {
  STATS_KEYS,
  type Ended,
  type Spans,
  type StatsDocument,
  type StatsGroup,
} from '../../control/stats.ts'
import type { TaskDocument, TaskStats } from '../../control/task-reading.ts'
import {
  ANY,
  COUNT,
  document,
  FLAG,
  ID,
  keysOf,
  listOf,
  MAYBE_COUNT,
  MAYBE_INTEGER,
  MAYBE_MOMENT,
  MAYBE_NUMBER,
  MAYBE_TEXT,
  MOMENT,
  NUMBER,
  pageOf,
  TEXT,
  words,
} from './document.ts'

const TASK_KEYS = {
  name: TEXT,
  queue: MAYBE_TEXT,
  priority: MAYBE_INTEGER,
  attempts_max: MAYBE_INTEGER,
  retry: ANY,
  time_limit: MAYBE_NUMBER,
  soft_time_limit: MAYBE_NUMBER,
  retention: MAYBE_NUMBER,
  ignore_result: FLAG,
  concurrency: MAYBE_INTEGER,
  concurrency_strategy: TEXT,
  rate: MAYBE_TEXT,
  rate_burst: MAYBE_INTEGER,
  input_schema: ANY,
  seen_at: MOMENT,
  workers: listOf(TEXT),
  schedules: listOf(
    keysOf<TaskDocument['schedules'][number]>({
      id: ID,
      name: TEXT,
      enabled: FLAG,
      next_run_at: MAYBE_MOMENT,
    }),
  ),
}
const MEASURED = keysOf<TaskStats['duration']>({ mean: MAYBE_NUMBER, p50: MAYBE_NUMBER, p95: MAYBE_NUMBER })

export const TASK_PAGE = pageOf(document<TaskDocument>('Task', TASK_KEYS))
export const TASK_WITH_STATS = document<TaskDocument & { stats: TaskStats }>('TaskWithStats', {
  ...TASK_KEYS,
  stats: document<TaskStats>('TaskStats', {
    period: NUMBER,
    finished: COUNT,
    succeeded: COUNT,
    failed: COUNT,
    revoked: COUNT,
    duration: MEASURED,
    wait: MEASURED,
    capped: FLAG,
    failure_rate: MAYBE_NUMBER,
  }),
})

const ENDED = { succeeded: COUNT, failed: COUNT, revoked: COUNT }
const SPANS = document<Spans>('Spans', { mean: NUMBER, p50: NUMBER, p95: NUMBER, p99: NUMBER })

export const STATS = document<StatsDocument>('Stats', {
  at: MOMENT,
  counted_until: MOMENT,
  period: NUMBER,
  step: NUMBER,
  by: words(...STATS_KEYS),
  now: keysOf<StatsDocument['now']>({
    PENDING: COUNT,
    SCHEDULED: COUNT,
    RETRY: COUNT,
    RUNNING: COUNT,
    capped: FLAG,
  }),
  finished: keysOf<Ended>(ENDED),
  slices: listOf(keysOf<StatsDocument['slices'][number]>({ at: MOMENT, ...ENDED })),
  groups: listOf(
    document<StatsGroup>('StatsGroup', {
      name: TEXT,
      ...ENDED,
      duration: orNull(SPANS),
      wait: orNull(SPANS),
      failure_rate: MAYBE_NUMBER,
    }),
  ),
  queues: listOf(
    keysOf<StatsDocument['queues'][number]>({
      name: TEXT,
      depth: COUNT,
      running: COUNT,
      oldest_age: MAYBE_NUMBER,
      state: TEXT,
    }),
  ),
})

export const TROUBLE_PAGE = pageOf(
  document<TroubleDocument>('Trouble', {
    code: words(...PROBLEM_CODES),
    level: words('error', 'warning'),
    subject: MAYBE_TEXT,
    detail: TEXT,
    mend: TEXT,
    runs: MAYBE_COUNT,
    links: listOf(TEXT),
  }),
)
