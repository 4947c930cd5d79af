/**
 * Live processes, what they were told and answered, and the two tables by which they keep the store itself in order.
 */
import { sql } from 'drizzle-orm'
import { bigint, boolean, doublePrecision, integer, jsonb, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant, rowbeatSchema } from './rowbeat.ts'

/** An instant that the database writes when a row is made. */
const stamped = (name: string) =>
  instant(name)
    .notNull()
    .default(sql`clock_timestamp()`)

export const workers = rowbeatSchema.table('workers', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  kind: text('kind').$type<'worker' | 'beat' | 'api'>().notNull(),
  hostname: text('hostname').notNull(),
  pid: integer('pid').notNull(),
  pools: text('pools')
    .array()
    .notNull()
    .default(sql`'{}'`),
  queues: jsonb('queues').$type<Record<string, number>>().notNull().default({}),
  tasks: text('tasks')
    .array()
    .notNull()
    .default(sql`'{}'`),
  version: text('version').notNull(),
  running: jsonb('running')
    .$type<{ id: string; started_at: string; attempt: number }[]>()
    .notNull()
    .default([]),
  rssBytes: bigint('rss_bytes', { mode: 'number' }),
  loopLagMs: doublePrecision('loop_lag_ms'),
  clockSkewMs: doublePrecision('clock_skew_ms'),
  startedAt: instant('started_at').notNull().defaultNow(),
  seenAt: instant('seen_at').notNull().defaultNow(),
  stopping: boolean('stopping').notNull().default(false),
  autoscale: jsonb('autoscale').$type<Record<string, { max: number; min: number }>>().notNull().default({}),
  quiet: boolean('quiet').notNull().default(false),
  processed: jsonb('processed').$type<Record<string, number>>().notNull().default({}),
  limits: jsonb('limits').$type<Record<string, number>>().notNull().default({}),
  listening: boolean('listening'),
})

/** What holds for the workers of a name, or for all (`*`). */
export const workerSettings = rowbeatSchema.table('worker_settings', {
  worker: text('worker').primaryKey(),
  queues: jsonb('queues')
    .$type<Record<string, { serve?: boolean; concurrency?: number }>>()
    .notNull()
    .default({}),
  concurrency: integer('concurrency'),
  autoscale: jsonb('autoscale').$type<{ max: number; min: number } | false>(),
  quiet: boolean('quiet'),
  updatedAt: stamped('updated_at'),
})

/** What stands in for a task's values in the code. */
export const taskSettings = rowbeatSchema.table('task_settings', {
  task: text('task').primaryKey(),
  rate: text('rate'),
  rateBurst: integer('rate_burst'),
  timeLimit: doublePrecision('time_limit'),
  softTimeLimit: doublePrecision('soft_time_limit'),
  updatedAt: stamped('updated_at'),
})

/** What workers were told in the last hour. */
export const commands = rowbeatSchema.table('commands', {
  id: uuid('id')
    .primaryKey()
    .default(sql`rowbeat.uuid7()`),
  command: text('command').notNull(),
  args: jsonb('args').notNull(),
  workers: text('workers').array(),
  createdAt: stamped('created_at'),
  expiresAt: instant('expires_at').notNull(),
})

/** What live workers answered. */
export const replies = rowbeatSchema.table(
  'replies',
  {
    commandId: uuid('command_id').notNull(),
    worker: text('worker').notNull(),
    ok: boolean('ok').notNull(),
    reply: jsonb('reply').notNull(),
    at: stamped('at'),
  },
  (table) => [primaryKey({ columns: [table.commandId, table.worker] })],
)

/** When the upkeep of the store was last taken on: one row. */
export const upkeep = rowbeatSchema.table('upkeep', {
  one: boolean('one').primaryKey().default(true),
  takenAt: instant('taken_at')
    .notNull()
    .default(sql`'-infinity'`),
})

/** Migrations that have run. */
export const migrations = rowbeatSchema.table('migrations', {
  name: text('name').primaryKey(),
  appliedAt: instant('applied_at').notNull().defaultNow(),
})
