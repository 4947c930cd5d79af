/**
 * Failures by what they have in common, added up by upkeep: groups, and how many of each failed in ten minutes.
 */
import { boolean, integer, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { sql } from 'drizzle-orm'
import { instant, rowbeatSchema } from './rowbeat.ts'

export const failureGroups = rowbeatSchema.table('failure_groups', {
  fingerprint: text('fingerprint').primaryKey(),
  task: text('task').notNull(),
  name: text('name').notNull(),
  code: text('code'),
  frame: text('frame').notNull(),
  message: text('message').notNull(),
  runId: uuid('run_id').notNull(),
  firstAt: instant('first_at').notNull(),
  lastAt: instant('last_at').notNull(),
})

export const failureCounts = rowbeatSchema.table(
  'failure_counts',
  {
    at: instant('at').notNull(),
    fingerprint: text('fingerprint').notNull(),
    n: integer('n').notNull(),
  },
  (table) => [primaryKey({ columns: [table.at, table.fingerprint] })],
)

export const failuresSeen = rowbeatSchema.table('failures_seen', {
  runId: uuid('run_id').primaryKey(),
  at: instant('at').notNull(),
})

export const failuresRead = rowbeatSchema.table('failures_read', {
  one: boolean('one').primaryKey().default(true),
  untilAt: instant('until_at').notNull(),
  lookedAt: instant('looked_at')
    .notNull()
    .default(sql`'-infinity'`),
})
