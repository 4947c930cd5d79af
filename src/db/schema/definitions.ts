/**
 * What is declared rather than run: tasks as the code brings them, queues as they are set.
 */
import { boolean, doublePrecision, integer, jsonb, smallint, text } from 'drizzle-orm/pg-core'
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
})
