/**
 * The tables of the to-do example: tasks, what was logged about them, and the requests that were counted.
 * `task_log` refers to no task: it tells of those that are gone, too.
 */
import { bigint, boolean, pgSchema, text, timestamp } from 'drizzle-orm/pg-core'
import type { Sql } from 'postgres'
import { makeTables } from '../tables.ts'
import { users } from '../users/schema.ts'

const examples = pgSchema('examples')

export const tasks = examples.table('tasks', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  title: text('title').notNull(),
  description: text('description').notNull().default(''),
  completed: boolean('completed').notNull().default(false),
  ownerId: bigint('owner_id', { mode: 'number' })
    .notNull()
    .references(() => users.id),
  createdAt: timestamp('created_at', { withTimezone: true, precision: 3 }).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', { withTimezone: true, precision: 3 }).notNull().defaultNow(),
})

export const taskLog = examples.table('task_log', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  taskId: bigint('task_id', { mode: 'number' }).notNull(),
  event: text('event', { enum: ['created', 'updated', 'deleted'] }).notNull(),
  message: text('message').notNull(),
  at: timestamp('at', { withTimezone: true, precision: 3 }).notNull().defaultNow(),
})

/** The tables of users are there already. */
export async function prepare(sql: Sql): Promise<void> {
  await makeTables(
    sql,
    `create table if not exists examples.tasks (
       id bigint generated always as identity primary key,
       title text not null,
       description text not null default '',
       completed boolean not null default false,
       owner_id bigint not null references examples.users on delete cascade,
       created_at timestamptz(3) not null default now(),
       updated_at timestamptz(3) not null default now()
     );
     create index if not exists tasks_owner_id on examples.tasks (owner_id);
     create table if not exists examples.task_log (
       id bigint generated always as identity primary key,
       task_id bigint not null,
       event text not null check (event in ('created', 'updated', 'deleted')),
       message text not null,
       at timestamptz(3) not null default now()
     );
     create unique index if not exists task_log_created on examples.task_log (task_id) where event = 'created';
     create table if not exists examples.throttles (
       scope text not null,
       ident text not null,
       hits timestamptz[] not null,
       admitted boolean not null default true,
       primary key (scope, ident)
     );
     create table if not exists examples.secrets (
       name text primary key,
       secret bytea not null
     );`,
  )
}
