/**
 * The table of the orders example, as a drizzle value and as DDL that may run at every start.
 */
import { bigint, pgSchema, text, timestamp } from 'drizzle-orm/pg-core'
import type { Sql } from 'postgres'

export const orders = pgSchema('examples').table('orders', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  email: text('email').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  confirmedAt: timestamp('confirmed_at', { withTimezone: true }),
})

export async function prepare(sql: Sql): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('rowbeat examples'))`
    await tx.unsafe(`
      create schema if not exists examples;
      create table if not exists examples.orders (
        id bigint generated always as identity primary key,
        email text not null,
        created_at timestamptz not null default now(),
        confirmed_at timestamptz
      );
    `)
  })
}
