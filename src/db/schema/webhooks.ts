/**
 * Webhooks: who is told when runs end, what events are signed with, and every try to deliver one.
 */
import { sql } from 'drizzle-orm'
import { boolean, doublePrecision, integer, text, uuid } from 'drizzle-orm/pg-core'
import { instant, rowbeatSchema } from './rowbeat.ts'

const id = () =>
  uuid('id')
    .primaryKey()
    .default(sql`rowbeat.uuid7()`)
const now = sql`clock_timestamp()`

export const webhooks = rowbeatSchema.table('webhooks', {
  id: id(),
  name: text('name').notNull().unique(),
  url: text('url').notNull(),
  description: text('description'),
  events: text('events')
    .array()
    .notNull()
    .default(sql`'{run.succeeded,run.failed,run.revoked}'`),
  tasks: text('tasks').array(),
  queues: text('queues').array(),
  tags: text('tags').array(),
  taskPatterns: text('task_patterns')
    .array()
    .generatedAlwaysAs(sql`rowbeat.like_patterns_v1(tasks)`),
  enabled: boolean('enabled').notNull().default(true),
  disabledReason: text('disabled_reason'),
  failingSince: instant('failing_since'),
  token: uuid('token').notNull().defaultRandom(),
  version: integer('version').notNull().default(1),
  createdAt: instant('created_at').notNull().default(now),
  updatedAt: instant('updated_at').notNull().default(now),
})

export const webhookSecrets = rowbeatSchema.table('webhook_secrets', {
  id: id(),
  webhookId: uuid('webhook_id').notNull(),
  secret: text('secret').notNull(),
  untilAt: instant('until_at'),
})

export const deliveries = rowbeatSchema.table('deliveries', {
  id: id(),
  webhookId: uuid('webhook_id').notNull(),
  eventId: uuid('event_id').notNull(),
  type: text('type').notNull(),
  runId: uuid('run_id'),
  sender: uuid('sender'),
  attempt: integer('attempt').notNull(),
  outcome: text('outcome').$type<'delivered' | 'retry' | 'failed'>().notNull(),
  status: integer('status'),
  durationMs: doublePrecision('duration_ms'),
  error: text('error'),
  response: text('response'),
  at: instant('at').notNull().default(now),
})
