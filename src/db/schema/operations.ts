/**
 * Operations: what is done to all runs that match a filter, and how far it is.
 */
import { sql } from 'drizzle-orm'
import { bigint, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core'
import { instant, rowbeatSchema } from './rowbeat.ts'

export const operations = rowbeatSchema.table('operations', {
  id: uuid('id')
    .primaryKey()
    .default(sql`rowbeat.uuid7()`),
  kind: text('kind').$type<'revoke' | 'retry' | 'reschedule' | 'delete' | 'purge' | 'move'>().notNull(),
  filter: jsonb('filter').$type<Record<string, unknown>>().notNull(),
  options: jsonb('options').$type<Record<string, unknown>>().notNull().default({}),
  state: text('state').$type<'running' | 'done' | 'stopped' | 'failed'>().notNull().default('running'),
  total: bigint('total', { mode: 'number' }),
  done: bigint('done', { mode: 'number' }).notNull().default(0),
  skipped: bigint('skipped', { mode: 'number' }).notNull().default(0),
  failed: bigint('failed', { mode: 'number' }).notNull().default(0),
  lastId: uuid('last_id'),
  batch: integer('batch').notNull().default(500),
  nextAt: instant('next_at')
    .notNull()
    .default(sql`clock_timestamp()`),
  error: text('error'),
  createdBy: text('created_by'),
  createdAt: instant('created_at')
    .notNull()
    .default(sql`clock_timestamp()`),
  startedAt: instant('started_at'),
  finishedAt: instant('finished_at'),
})
