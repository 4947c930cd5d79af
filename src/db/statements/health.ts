/**
 * What a process asks to say whether it is ready: may this server be written to, and which migrations has it
 * seen.
 */
import type { Queryable } from '../handle.ts'

/** True when the server is a standby in recovery, or this session's transactions are read-only. */
export async function isReadOnly(db: Queryable): Promise<boolean> {
  const [row] = await db.query<{ locked: boolean }>(
    `/* is_read_only */
select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as locked`,
  )
  return row!.locked
}

/** The input's JSON Schema (as text) of a task that some process registered; null schema when it has none. */
export async function readTaskSchema(db: Queryable, name: string): Promise<{ schema: string | null } | null> {
  const [row] = await db.query<{ schema: string | null }>(
    `/* read_task_schema */ select input_schema::text as schema from rowbeat.tasks where name = $1::text`,
    [name],
  )
  return row ?? null
}
