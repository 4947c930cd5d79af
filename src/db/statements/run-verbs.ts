/**
 * What is done to one run from outside, beside revoking it (revocations.ts), and the end of runs whose time is over while
 * they wait. The functions are drizzle/0006's; each is one statement in the handle's own transaction.
 */
import type { Queryable } from '../handle.ts'

/**
 * The id of the run that repeats a finished one; of a parked run, which is released now, its own; null when the id is
 * unknown. `input` is JSON text, null for the same again. Fails with 55000 while it is queued or running, 23505 when its
 * unique key is held.
 */
export async function retryRun(db: Queryable, id: string, input: string | null): Promise<string | null> {
  const [row] = await db.query<{ id: string | null }>(
    `/* retry_run */ select rowbeat.retry_v1($1::uuid, $2::text::jsonb)::text as id`,
    [id, input],
  )
  return row!.id
}

/** When a run is to run: an instant, or seconds from now by the database's clock. */
export type When = { eta: string } | { delay: number }

/** Its state after, null when the id is unknown. Fails with 55000 when a worker has it or it has finished. */
export async function rescheduleRun(db: Queryable, id: string, when: When): Promise<string | null> {
  const [row] = await db.query<{ state: string | null }>(
    `/* reschedule_run */ select rowbeat.reschedule_v1($1::uuid, coalesce($2::text::timestamptz, clock_timestamp() + $3::float8 * interval '1 second')) as state`,
    [id, 'eta' in when ? when.eta : null, 'delay' in when ? when.delay : null],
  )
  return row!.state
}

/** Ends up to `limit` runs that expired while they were parked; answers how many. The index on their expiry serves it. */
export async function expireParked(db: Queryable, limit: number): Promise<number> {
  const [row] = await db.query<{ n: number }>(
    `/* expire_parked */ select rowbeat.expire_parked_v1($1::integer) as n`,
    [limit],
  )
  return row!.n
}
