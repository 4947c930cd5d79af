/**
 * What is declared rather than run: tasks as the code brings them, queues as they are set, and where the limits of both stand.
 */
import { sql } from 'drizzle-orm'
import {
  boolean,
  doublePrecision,
  integer,
  jsonb,
  primaryKey,
  smallint,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import { instant, rowbeatSchema } from './rowbeat.ts'

export const tasks = rowbeatSchema.table('tasks', {
  name: text('name').primaryKey(),
  queue: text('queue'),
  priority: smallint('priority'),
  attemptsMax: integer('attempts_max'),
  retry: jsonb('retry'),
  timeLimit: doublePrecision('time_limit'),
  softTimeLimit: doublePrecision('soft_time_limit'),
  retention: doublePrecision('retention'),
  ignoreResult: boolean('ignore_result').notNull().default(false),
  inputSchema: jsonb('input_schema'),
  seenAt: instant('seen_at').notNull().defaultNow(),
  concurrency: integer('concurrency'),
  concurrencyStrategy: text('concurrency_strategy')
    .$type<'wait' | 'skip' | 'cancel_oldest'>()
    .notNull()
    .default('wait'),
  rate: text('rate'),
  rateBurst: integer('rate_burst'),
  code: jsonb('code').notNull().default({}),
})

export const queues = rowbeatSchema.table('queues', {
  name: text('name').primaryKey(),
  concurrency: integer('concurrency'),
  rate: text('rate'),
  pausedAt: instant('paused_at'),
  pauseReason: text('pause_reason'),
  resumeAt: instant('resume_at'),
  hotLimit: integer('hot_limit').notNull().default(5000),
  overflow: smallint('overflow'),
  hotUntil: instant('hot_until'),
  rateBurst: integer('rate_burst'),
  drainingAt: instant('draining_at'),
})

/** Buckets of the rates. */
export const gates = rowbeatSchema.table('gates', {
  key: text('key').primaryKey(),
  tokens: doublePrecision('tokens').notNull().default(1),
  owed: doublePrecision('owed').notNull().default(0),
  filledAt: instant('filled_at')
    .notNull()
    .default(sql`clock_timestamp()`),
  readyAt: instant('ready_at'),
})

/** Who has passed a limit of concurrency and has not ended. */
export const permits = rowbeatSchema.table(
  'permits',
  {
    runId: uuid('run_id').notNull(),
    gate: text('gate').notNull(),
    at: instant('at')
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [primaryKey({ columns: [table.runId, table.gate] })],
)

/** Limits that a dispatcher should look at. */
export const knocks = rowbeatSchema.table('knocks', { gate: text('gate').notNull() })
