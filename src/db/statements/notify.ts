/**
 * LISTEN and NOTIFY. Channels are ours and fixed: rowbeat_queue (payload: a queue with new work), rowbeat_parked (a run
 * was parked that is due soon), rowbeat_runs (payload: ids of changed runs, or `*`), rowbeat_live (a worker wrote anew what it runs), rowbeat_control (payload: a run that was
 * revoked while a worker had it).
 */
import type { Queryable } from '../handle.ts'

export async function notify(db: Queryable, channel: string, payload: string): Promise<void> {
  await db.query(`/* notify */ select pg_notify($1::text, $2::text)`, [channel, payload])
}

export async function listenTo(db: Queryable, channels: readonly string[]): Promise<void> {
  for (const channel of channels) await db.query(`listen ${channel}`)
}
