/**
 * The pool that graphile-worker is given: a plain object that stands between it and node-postgres and answers some of
 * its questions itself. This is what makes the worker both fast and safe (each line was measured, see
 * docs/decisions/0002):
 *
 * - `complete_job*` is answered at once. graphile's completion deletes without asking who owns the job; ours is the
 *   only one that deletes, and a slot is free the moment the handler returned.
 * - `get_job*` waits until the lane has room and is resized to it, so that runs are claimed when they can be run.
 * - `clear_stale_locks` (give away what was locked four hours ago) is not sent: a run may take longer than that.
 * - a client that timed out or lost its connection is destroyed, never reused; LISTEN gets a stub, for one connection
 *   a process listens for all lanes.
 *
 * The names and texts relied upon are those of graphile-worker 0.18.0, held by test/worker/facade.test.ts; a claim of
 * another shape is refused at the first query.
 */
import type pg from 'pg'
import { createClaim, send, type Answer, type ClaimHooks, type Query } from './claim.ts'

/** A node-postgres Pool as graphile-worker uses one: `connect`, in its promise and its callback form. */
export function createFacade(pool: pg.Pool, hooks: ClaimHooks): pg.Pool {
  const claim = createClaim(pool, hooks)
  const query = async (request: Query | string, values?: unknown[]): Promise<Answer> => {
    const { name = '', text } = typeof request === 'string' ? { text: request } : request
    if (name.startsWith('complete_job') || /^\s*delete from .*_private_jobs/.test(text)) return { rows: [] }
    if (name.startsWith('clear_stale_locks') || /interval '4 hours'/.test(text)) return { rows: [] }
    if (/^with j(_raw)? as \(\s*select jobs\.job_queue_id/.test(text)) return await claim(request as Query)
    if (name.startsWith('return_job') || /attempts = GREATEST\(0, attempts - 1\)/.test(text))
      return await giveBack(request as Query)
    return await send(pool, typeof request === 'string' ? { text, values } : request)
  }
  /** What went back by another way may be claimed again by now, and run. */
  const giveBack = async (request: Query): Promise<Answer> => {
    const [pools, ids] = request.values as [string, string[]]
    const left = hooks.returned(ids)
    return left.length === 0 ? { rows: [] } : await send(pool, { ...request, values: [pools, left] })
  }
  const client = {
    query,
    release: () => {},
    on: () => client,
    once: () => client,
    removeListener: () => client,
  }
  const facade = {
    options: pool.options,
    on: () => facade,
    removeListener: () => facade,
    listeners: () => [],
    query,
    connect(callback?: (error: null, client: unknown, release: () => void) => void) {
      if (!callback) return Promise.resolve(client)
      callback(null, { ...client, query: async () => ({ rows: [] }) }, () => {})
    },
  }
  return facade as unknown as pg.Pool
}
