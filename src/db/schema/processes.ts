/**
 * Live processes, and the two tables by which they keep the store itself in order.
 */
import { sql } from 'drizzle-orm'
import { bigint, boolean, doublePrecision, integer, jsonb, text } from 'drizzle-orm/pg-core'
import { instant, rowbeatSchema } from './rowbeat.ts'

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
})

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
