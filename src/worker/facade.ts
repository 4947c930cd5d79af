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
import pg from 'pg'
import { StoreError } from '../errors.ts'
import { isConnectionLoss } from '../db/handle.ts'
import type { ClaimedJob } from './job.ts'

export interface ClaimHooks {
  /** Resolves with how many runs to claim, once there is room; 0 claims nothing. */
  room(): Promise<number>
  claimed(jobs: readonly ClaimedJob[]): void
  /** A claim whose answer did not come: rows may be locked by us that we never received. */
  claimFailed(error: unknown): void
  /** graphile hands these job ids back unstarted. */
  returned(ids: readonly string[]): void
}

interface Query {
  name?: string
  text: string
  values?: unknown[]
  types?: pg.CustomTypesConfig
}

/** Timestamps stay text: parsing the five of each claimed row was a tenth of a worker's time, and hardly one is looked at. */
const TIMESTAMPTZ = 1184
const CLAIM_TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === TIMESTAMPTZ ? (text: string) => text : pg.types.getTypeParser(oid, format as 'text'),
}

/** A node-postgres Pool as graphile-worker uses one: `connect`, in its promise and its callback form. */
export function createFacade(pool: pg.Pool, hooks: ClaimHooks): pg.Pool {
  const query = async (request: Query | string, values?: unknown[]): Promise<{ rows: unknown[] }> => {
    const { name = '', text } = typeof request === 'string' ? { text: request } : request
    if (name.startsWith('complete_job') || /^\s*delete from .*_private_jobs/.test(text)) return { rows: [] }
    if (name.startsWith('clear_stale_locks') || /interval '4 hours'/.test(text)) return { rows: [] }
    if (/^with j(_raw)? as \(\s*select jobs\.job_queue_id/.test(text))
      return await claim(pool, request as Query, hooks)
    if (name.startsWith('return_job') || /attempts = GREATEST\(0, attempts - 1\)/.test(text))
      hooks.returned((request as Query).values![1] as string[])
    return await send(pool, typeof request === 'string' ? { text, values } : request)
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

/** What a claim answers: half the columns of `*`, for half the parsing; graphile itself looks at no others. */
const RETURNING =
  'returning jobs.id, jobs.job_queue_id, jobs.task_id, jobs.payload, jobs.priority, jobs.attempts, jobs.key, jobs.created_at'

async function claim(pool: pg.Pool, request: Query, hooks: ClaimHooks): Promise<{ rows: unknown[] }> {
  if (!request.text.includes('limit 1\n')) {
    throw new StoreError(
      'RB_QUEUE_UNKNOWN_VERSION',
      'graphile-worker asks for jobs in a way this release was not tested with: install exactly graphile-worker 0.18.0.',
    )
  }
  const size = await hooks.room()
  if (size <= 0) return { rows: [] }
  try {
    const answer = await send(pool, {
      ...request,
      name: request.name && `rowbeat_claim_${size}`,
      text: request.text.replace('limit 1\n', `limit ${size}\n`).replace(/returning \*\s*$/, RETURNING),
      types: CLAIM_TYPES,
    })
    hooks.claimed(answer.rows as ClaimedJob[])
    return answer
  } catch (error) {
    hooks.claimFailed(error)
    throw error
  }
}

/** node-postgres puts a client back as idle after a query timeout, where every next user waits again: destroy it instead. */
async function send(pool: pg.Pool, request: Query): Promise<{ rows: unknown[] }> {
  const client = await pool.connect()
  let lost: Error | boolean = false
  const onError = (error: Error): void => {
    lost = error
  }
  client.on('error', onError)
  try {
    return await client.query(request)
  } catch (error) {
    if (isConnectionLoss(error)) lost = error as Error
    throw error
  } finally {
    client.off('error', onError)
    client.release(lost)
  }
}
