/** Runs and operations as they are answered. */
import { orNull } from '../../check.ts'
import type { ErrorData } from '../../errors.ts'
import { OPERATION_KINDS, OPERATION_STATES, type OperationDocument } from '../../queue/operation.ts'
import { RUN_STATES, type Progress, type RunDocument } from '../../results/run.ts'
import {
  ANY,
  COUNT,
  document,
  ID,
  INTEGER,
  listOf,
  MAYBE_COUNT,
  MAYBE_ID,
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

const ERROR = document<ErrorData>('RunError', {
  name: TEXT,
  message: TEXT,
  code: MAYBE_TEXT,
  stack: MAYBE_TEXT,
  cause: { anyOf: [{ $ref: '#/components/schemas/RunError' }, { type: 'null' }] },
})

const PROGRESS = document<Progress>('Progress', {
  current: NUMBER,
  total: MAYBE_NUMBER,
  percent: MAYBE_NUMBER,
  meta: ANY,
  at: MOMENT,
})

export const RUN = document<RunDocument>('Run', {
  id: ID,
  task: TEXT,
  queue: TEXT,
  state: { title: 'RunState', ...words(...RUN_STATES) },
  reason: MAYBE_TEXT,
  priority: INTEGER,
  input: ANY,
  result: ANY,
  error: orNull(ERROR),
  progress: orNull(PROGRESS),
  attempt: COUNT,
  attempts_max: COUNT,
  redeliveries: COUNT,
  worker: MAYBE_TEXT,
  created_at: MOMENT,
  run_at: MOMENT,
  started_at: MAYBE_MOMENT,
  finished_at: MAYBE_MOMENT,
  expires_at: MAYBE_MOMENT,
  time_limit: MAYBE_NUMBER,
  soft_time_limit: MAYBE_NUMBER,
  unique_key: MAYBE_TEXT,
  tags: listOf(TEXT),
  headers: OBJECT,
  parent: MAYBE_ID,
  retry_of: MAYBE_ID,
  schedule: MAYBE_TEXT,
  due_at: MAYBE_MOMENT,
})
export const RUN_PAGE = pageOf(RUN)

export const OPERATION = document<OperationDocument>('Operation', {
  id: ID,
  kind: words(...OPERATION_KINDS),
  filter: OBJECT,
  options: OBJECT,
  state: words(...OPERATION_STATES),
  total: MAYBE_COUNT,
  done: COUNT,
  skipped: COUNT,
  failed: COUNT,
  percent: MAYBE_NUMBER,
  error: MAYBE_TEXT,
  created_by: TEXT,
  created_at: MOMENT,
  started_at: MAYBE_MOMENT,
  finished_at: MAYBE_MOMENT,
})
export const OPERATION_PAGE = pageOf(OPERATION)
