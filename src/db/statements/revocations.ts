/**
 * Revocations: asked for by anybody, read by workers (worker/revocations.ts). The table is as small as the number of runs
 * that were with a worker when they were revoked and have not ended yet: empty nearly always.
 */
import type { Queryable } from '../handle.ts'

/** Revokes a run in the handle's transaction; its state after, null when the id is unknown. */
export async function revokeRun(
  db: Queryable,
  id: string,
  terminate: boolean,
  reason: string | null,
): Promise<string | null> {
  const [row] = await db.query<{ state: string | null }>(
    `/* revoke_run */ select rowbeat.revoke_v1($1::uuid, $2::boolean, $3::text) as state`,
    [id, terminate, reason],
  )
  return row!.state
}

export interface Revocation {
  run: string
  terminate: boolean
  /** In the words of who revoked it. */
  reason: string | null
  /** Of runs that were made by then, in epoch milliseconds. */
  atMs: number
}

export async function readRevocations(db: Queryable): Promise<Revocation[]> {
  const rows = await db.query<{
    run: string
    terminate: boolean
    reason: string | null
    at: number | string
  }>(
    `/* read_revocations */ select run_id::text as run, terminate, reason, extract(epoch from at)::float8 * 1000 as at from rowbeat.revocations`,
  )
  return rows.map(({ run, terminate, reason, at }) => ({ run, terminate, reason, atMs: Number(at) }))
}

/** Ends revoked runs that are with no worker any more, and forgets those that have ended. */
export async function settleRevocations(db: Queryable): Promise<void> {
  await db.query(`/* settle_revocations */ select rowbeat.settle_revocations_v1()`)
}
