/**
 * The table of the widgets example, as a drizzle value and as DDL.
 */
import { bigint, pgSchema, text, timestamp } from 'drizzle-orm/pg-core'
import type { Sql } from 'postgres'
import { makeTables } from '../tables.ts'

export const widgets = pgSchema('examples').table('widgets', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  name: text('name').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})

export async function prepare(sql: Sql): Promise<void> {
  await makeTables(
    sql,
    `create table if not exists examples.widgets (
       id bigint generated always as identity primary key,
       name text not null,
       created_at timestamptz not null default now()
     );`,
  )
}
