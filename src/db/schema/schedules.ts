/**
 * When tasks run by themselves, and what became of each due instant. `schedules` may be written like any table of yours:
 * its triggers check what is written, and every beat sees it at once.
 */
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  integer,
  interval,
  jsonb,
  primaryKey,
  smallint,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import type { CatchUp, Overlap, ScheduleDefinition } from '../../schedules/definition.ts'
import type { ScheduleSpec } from '../../schedules/spec.ts'
import { instant, rowbeatSchema } from './rowbeat.ts'

type Kind = 'crontab' | 'interval' | 'solar' | 'clocked'

/** Left out, the trigger fills it in: a UUIDv7, and `start_at` or now. */
const byTrigger = () => sql`null`

export const schedules = rowbeatSchema.table('schedules', {
  id: uuid('id').primaryKey().$defaultFn(byTrigger),
  name: text('name').notNull().unique(),
  task: text('task').notNull(),
  input: jsonb('input').notNull().default({}),
  schedule: jsonb('schedule').$type<ScheduleSpec>().notNull(),
  kind: text('kind')
    .$type<Kind>()
    .generatedAlwaysAs(sql`schedule->>'kind'`),
  enabled: boolean('enabled').notNull().default(true),
  queue: text('queue'),
  priority: smallint('priority'),
  tags: text('tags')
    .array()
    .notNull()
    .default(sql`'{}'`),
  headers: jsonb('headers').$type<Record<string, unknown>>().notNull().default({}),
  expires: interval('expires'),
  oneOff: boolean('one_off').notNull().default(false),
  startAt: instant('start_at'),
  endAt: instant('end_at'),
  jitter: interval('jitter'),
  overlap: text('overlap').$type<Overlap>().notNull().default('allow'),
  catchUp: text('catch_up').$type<CatchUp>().notNull().default('last'),
  catchUpWindow: interval('catch_up_window'),
  firingsMax: integer('firings_max'),
  pauseReason: text('pause_reason'),
  resumeAt: instant('resume_at'),
  failuresMax: integer('failures_max'),
  failures: integer('failures').notNull().default(0),
  origin: text('origin').$type<'user' | 'code'>().notNull().default('user'),
  editedAt: instant('edited_at'),
  version: integer('version').notNull().default(1),
  anchorAt: instant('anchor_at').notNull().$defaultFn(byTrigger),
  nextRunAt: instant('next_run_at'),
  lastRunAt: instant('last_run_at'),
  firingsTotal: bigint('firings_total', { mode: 'number' }).notNull().default(0),
  error: text('error'),
  description: text('description').notNull().default(''),
  createdAt: instant('created_at')
    .notNull()
    .default(sql`clock_timestamp()`),
  updatedAt: instant('updated_at')
    .notNull()
    .default(sql`clock_timestamp()`),
  sinceAt: instant('since_at')
    .notNull()
    .default(sql`clock_timestamp()`),
  bufferedAt: instant('buffered_at'),
  declared: jsonb('declared').$type<ScheduleDefinition>(),
  declaredAt: instant('declared_at'),
})

export const firings = rowbeatSchema.table(
  'firings',
  {
    scheduleId: uuid('schedule_id').notNull(),
    dueAt: instant('due_at').notNull(),
    state: text('state').$type<'fired' | 'skipped' | 'missed'>().notNull(),
    reason: text('reason').$type<'manual' | 'backfill' | 'buffered' | 'overlap' | 'catch_up' | 'window'>(),
    runId: uuid('run_id'),
    firedAt: instant('fired_at'),
    lateness: interval('lateness').generatedAlwaysAs(sql`fired_at - due_at`),
    version: integer('version').notNull(),
    count: integer('count').default(1),
    untilAt: instant('until_at'),
  },
  (table) => [primaryKey({ columns: [table.scheduleId, table.dueAt] })],
)
