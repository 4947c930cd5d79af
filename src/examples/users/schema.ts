/**
 * The users of the examples: they get a mail when they are made, and sign in to the to-do list.
 */
import { bigint, boolean, pgSchema, text, timestamp } from 'drizzle-orm/pg-core'
import type { Sql } from 'postgres'
import { makeTables } from '../tables.ts'

export const users = pgSchema('examples').table('users', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  username: text('username').notNull().unique('users_username'),
  email: text('email').notNull(),
  /** What scrypt made of it; null: this user cannot sign in. */
  password: text('password'),
  isActive: boolean('is_active').notNull().default(true),
  joinedAt: timestamp('joined_at', { withTimezone: true }).notNull().defaultNow(),
  welcomedAt: timestamp('welcomed_at', { withTimezone: true }),
})

export async function prepare(sql: Sql): Promise<void> {
  await makeTables(
    sql,
    `create table if not exists examples.users (
       id bigint generated always as identity primary key,
       username text not null constraint users_username unique,
       email text not null,
       password text,
       is_active boolean not null default true,
       joined_at timestamptz not null default now(),
       welcomed_at timestamptz
     );`,
  )
}
