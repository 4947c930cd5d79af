/**
 * What the drizzle values of our tables are made of. These files describe drizzle/*.sql and never make it:
 * the migrations are plain SQL, and a test compares both with the catalogue. Nothing that Rowbeat itself runs
 * imports them, because drizzle-orm weighs 298 MB of memory at import and is the user's to bring.
 */
import { customType, pgSchema, timestamp } from 'drizzle-orm/pg-core'

/** The schema that all our tables are in. */
export const rowbeatSchema = pgSchema('rowbeat')

/** `timestamptz`, as a Date. */
export const instant = (name: string) => timestamp(name, { withTimezone: true })

export const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })
