/** drizzle values of the rollups (drizzle/0014): what finished, counted once and kept. Read them, never write them. */
import { sql } from 'drizzle-orm'
import { bigint, boolean, integer, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant, rowbeatSchema } from './rowbeat.ts'

/** What finished in each minute, half hour and day, by queue, by task and by worker. */
export const rollups = rowbeatSchema.table(
  'rollups',
  {
    step: integer('step').notNull(),
    by: text('by').$type<'queue' | 'task' | 'worker'>().notNull(),
    at: instant('at').notNull(),
    name: text('name').notNull(),
    succeeded: bigint('succeeded', { mode: 'number' }).notNull(),
    failed: bigint('failed', { mode: 'number' }).notNull(),
    revoked: bigint('revoked', { mode: 'number' }).notNull(),
    took: bigint('took', { mode: 'number' }).array().notNull(),
    waited: bigint('waited', { mode: 'number' }).array().notNull(),
  },
  (table) => [primaryKey({ columns: [table.step, table.by, table.at, table.name] })],
)

/** Up to when results are counted: one row. */
export const rolled = rowbeatSchema.table('rolled', {
  one: boolean('one').primaryKey().default(true),
  doneAt: instant('done_at')
    .notNull()
    .default(sql`'-infinity'`),
  halfAt: instant('half_at')
    .notNull()
    .default(sql`'-infinity'`),
  dayAt: instant('day_at')
    .notNull()
    .default(sql`'-infinity'`),
})
