/**
 * Revoking a run: what waits ends at once, what a worker has is told, what has finished stays as it is. The statement runs
 * in the handle's own transaction, and takes effect with its commit.
 */
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { revokeRun } from '../db/statements/revocations.ts'
import { ResultError } from '../errors.ts'
import { storable } from '../json.ts'
import type { RunState } from './run.ts'

export interface RevokeOptions {
  /** Do not wait for its handler: it ends as REVOKED with reason `terminated` now, whatever the handler does. Default false. */
  terminate?: boolean
  /** Why, in your words: the message of the stored error. At most 2,000 characters are kept. */
  reason?: string
}

const REASON_MAX = 2000
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The state after. Throws ResultError RB_RUN_NOT_FOUND for an unknown id. */
export async function revoke(
  db: Queryable,
  id: string,
  { terminate = false, reason }: RevokeOptions = {},
): Promise<RunState> {
  const words = reason === undefined ? null : storable(String(reason), REASON_MAX)
  const state = UUID.test(id)
    ? await revokeRun(db, id, terminate, words).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    : null
  if (state !== null) return state as RunState
  throw new ResultError(
    'RB_RUN_NOT_FOUND',
    `run ${id} is unknown: it was never enqueued, was rolled back, or its result expired.`,
  )
}
