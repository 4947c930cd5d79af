/**
 * Where a run can be, what belongs to it, and `runs`, the view over all places: query that one. The tables
 * under it are for those who know why; of the queue itself (graphile-worker's tables) there is nothing here.
 */
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  doublePrecision,
  integer,
  json,
  jsonb,
  primaryKey,
  smallint,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import type { ErrorData } from '../../errors.ts'
import { bytea, instant, rowbeatSchema } from './rowbeat.ts'

type FinishedState = 'SUCCESS' | 'FAILURE' | 'REVOKED'
type LiveState = 'PENDING' | 'SCHEDULED' | 'STARTED' | 'PROGRESS' | 'RETRY'

interface Progress {
  current: number
  total: number | null
  percent: number | null
  meta: unknown
  at: string
}

/** Every run, wherever it is: `rowbeat.runs`. Documented and stable; read it, never write it. */
export const runs = rowbeatSchema
  .view('runs', {
    id: uuid('id').notNull(),
    task: text('task').notNull(),
    queue: text('queue').notNull(),
    state: text('state').$type<LiveState | FinishedState>().notNull(),
    reason: text('reason'),
    priority: integer('priority').notNull(),
    input: jsonb('input'),
    result: jsonb('result'),
    error: jsonb('error').$type<ErrorData>(),
    progress: jsonb('progress').$type<Progress>(),
    attempt: integer('attempt').notNull(),
    attemptsMax: integer('attempts_max').notNull(),
    redeliveries: integer('redeliveries').notNull(),
    worker: text('worker'),
    createdAt: instant('created_at').notNull(),
    runAt: instant('run_at').notNull(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    expiresAt: instant('expires_at'),
    timeLimit: doublePrecision('time_limit'),
    softTimeLimit: doublePrecision('soft_time_limit'),
    uniqueKey: text('unique_key'),
    tags: text('tags').array().notNull(),
    headers: jsonb('headers').$type<Record<string, unknown>>().notNull(),
    parent: uuid('parent'),
    retryOf: uuid('retry_of'),
    schedule: text('schedule'),
    dueAt: instant('due_at'),
  })
  .existing()

/** Runs that may not run yet, and why. */
export const parked = rowbeatSchema.table('parked', {
  id: uuid('id').primaryKey(),
  reason: text('reason').notNull(),
  releaseAt: instant('release_at'),
  task: text('task').notNull(),
  queue: text('queue').notNull(),
  priority: smallint('priority').notNull(),
  payload: json('payload').notNull(),
  createdAt: instant('created_at').notNull(),
  parkedAt: instant('parked_at')
    .notNull()
    .default(sql`statement_timestamp()`),
  gate: text('gate'),
})

/** Finished runs, written once. */
export const results = rowbeatSchema.table('results', {
  id: uuid('id').primaryKey(),
  task: text('task').notNull(),
  queue: text('queue').notNull(),
  state: text('state').$type<FinishedState>().notNull(),
  reason: text('reason'),
  priority: smallint('priority').notNull(),
  input: jsonb('input'),
  result: jsonb('result'),
  error: jsonb('error').$type<ErrorData>(),
  progress: jsonb('progress').$type<Progress>(),
  attempt: integer('attempt').notNull(),
  attemptsMax: integer('attempts_max').notNull(),
  redeliveries: integer('redeliveries').notNull(),
  worker: text('worker'),
  createdAt: instant('created_at').notNull(),
  runAt: instant('run_at').notNull(),
  startedAt: instant('started_at'),
  finishedAt: instant('finished_at').notNull(),
  expiresAt: instant('expires_at'),
  timeLimit: doublePrecision('time_limit'),
  softTimeLimit: doublePrecision('soft_time_limit'),
  uniqueKey: text('unique_key'),
  tags: text('tags').array(),
  headers: jsonb('headers').$type<Record<string, unknown>>(),
  parent: uuid('parent'),
  retryOf: uuid('retry_of'),
  schedule: text('schedule'),
  dueAt: instant('due_at'),
  keepUntil: instant('keep_until').notNull(),
  options: jsonb('options').$type<Record<string, unknown>>(),
})

/** Tries of a run that did not end it in success. */
export const attempts = rowbeatSchema.table(
  'attempts',
  {
    runId: uuid('run_id').notNull(),
    id: bigint('id', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    attempt: integer('attempt').notNull(),
    outcome: text('outcome').$type<'retry' | 'failed' | 'snooze' | 'lost' | 'handed_back'>().notNull(),
    worker: text('worker'),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at').notNull(),
    error: jsonb('error').$type<ErrorData>(),
    retryAt: instant('retry_at'),
  },
  (table) => [primaryKey({ columns: [table.runId, table.id] })],
)

/** What handlers said through `context.log`. */
export const logs = rowbeatSchema.table(
  'logs',
  {
    runId: uuid('run_id').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    at: instant('at').notNull(),
    attempt: integer('attempt').notNull(),
    level: text('level').$type<'debug' | 'info' | 'warn' | 'error'>().notNull(),
    message: text('message').notNull(),
    data: jsonb('data'),
  },
  (table) => [primaryKey({ columns: [table.runId, table.seq] })],
)

/** The latest progress of runs that have not finished. */
export const progress = rowbeatSchema.table('progress', {
  runId: uuid('run_id').primaryKey(),
  current: doublePrecision('current').notNull(),
  total: doublePrecision('total'),
  meta: jsonb('meta'),
  at: instant('at').notNull(),
})

/** Runs that were with a worker when they were revoked, and have not ended yet. */
export const revocations = rowbeatSchema.table('revocations', {
  runId: uuid('run_id').primaryKey(),
  terminate: boolean('terminate').notNull().default(false),
  reason: text('reason'),
  at: instant('at')
    .notNull()
    .default(sql`clock_timestamp()`),
})

/** Which run holds a unique key. */
export const uniqueKeys = rowbeatSchema.table('unique_keys', {
  hash: bytea('hash').primaryKey(),
  runId: uuid('run_id').notNull(),
  untilAt: instant('until_at'),
  whileQueued: boolean('while_queued').notNull().default(false),
  sinceAt: instant('since_at'),
})
