/**
 * Tables of an example, made by plain DDL that may run at every start and in several processes at once: an
 * advisory lock lets one through at a time, since two `create schema if not exists` at the same moment can
 * still collide.
 */
import type { Sql } from 'postgres'

/** `ddl` must not mind what is there already. */
export async function makeTables(sql: Sql, ddl: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('rowbeat examples'))`
    await tx.unsafe(`create schema if not exists examples;\n${ddl}`)
  })
}
