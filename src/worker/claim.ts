/**
 * Claims: where graphile-worker asks for a job, ours asks for as many as the lane has room for. graphile asks again
 * only when every claimed run has been taken by a slot, so with very fast tasks the slots would stand idle for each
 * round trip. There the next claim is made ahead, while the last one is being worked through: it holds what the slots
 * get through in some 10 ms, and what is not asked for within half a second goes back.
 */
import pg from 'pg'
import { isConnectionLoss } from '../db/handle.ts'
import { CLAIM_RUNS } from '../db/statements/claim.ts'
import { StoreError } from '../errors.ts'
import type { ClaimedJob } from './job.ts'

export interface ClaimHooks {
  /** Resolves with how many runs to claim, once there is room; 0 claims nothing. */
  room(): Promise<number>
  /** How many to claim ahead, without waiting; 0 where runs are too slow for that to be fair. */
  ahead(): number
  claimed(jobs: readonly ClaimedJob[]): void
  /** A claim whose answer did not come: rows may be locked by us that we never received. */
  claimFailed(error: unknown): void
  /** These runs were claimed ahead and nobody asked: hand them back. */
  unwanted(jobs: readonly ClaimedJob[]): void
  /** graphile hands these job ids back unstarted: answers those of them that are still to be. */
  returned(ids: readonly string[]): readonly string[]
}

export interface Query {
  name?: string
  text: string
  values?: unknown[]
  types?: pg.CustomTypesConfig
}

export interface Answer {
  rows: unknown[]
}

/** Claimed ahead and not asked for in so long: back they go. */
const HOLD_MS = 500

/** Timestamps stay text: parsing the five of each claimed row was a tenth of a worker's time, and hardly one is looked at. */
const TIMESTAMPTZ = 1184
const CLAIM_TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === TIMESTAMPTZ ? (text: string) => text : pg.types.getTypeParser(oid, format as 'text'),
}

/** Makes the function that answers graphile's `get_job`. */
export function createClaim(pool: pg.Pool, hooks: ClaimHooks): (request: Query) => Promise<Answer> {
  let next: { answer: Promise<Answer>; timer: NodeJS.Timeout } | null = null

  const fetch = async (request: Query, size: number): Promise<Answer> => {
    try {
      const answer = await send(pool, resize(request, size))
      hooks.claimed(answer.rows as ClaimedJob[])
      return answer
    } catch (error) {
      hooks.claimFailed(error)
      throw error
    }
  }
  const fetchAhead = (request: Query): void => {
    const size = hooks.ahead()
    if (size === 0) return
    const answer = fetch(request, size)
    const drop = (): void => {
      next = null
      answer.then(
        ({ rows }) => hooks.unwanted(rows as ClaimedJob[]),
        () => {},
      )
    }
    answer.catch(() => {}) // told by claimFailed; whoever takes the answer sees it too
    next = { answer, timer: setTimeout(drop, HOLD_MS) }
  }
  return async (request) => {
    let answer: Answer
    if (next) {
      clearTimeout(next.timer)
      const { answer: ahead } = next
      next = null
      answer = await ahead
    } else {
      const size = await hooks.room()
      if (size <= 0) return { rows: [] }
      answer = await fetch(request, size)
    }
    if (answer.rows.length > 0 && !next) fetchAhead(request)
    return answer
  }
}

/** The same question in our words: decisions/0005. */
function resize({ name, text, values }: Query, size: number): Query {
  if (!text.includes('limit 1\n') || values?.length !== 2) {
    throw new StoreError(
      'RB_QUEUE_UNKNOWN_VERSION',
      'graphile-worker asks for jobs in a way this release was not tested with: install exactly graphile-worker 0.18.0.',
    )
  }
  return { name: name && 'claim_runs', text: CLAIM_RUNS, values: [...values, size], types: CLAIM_TYPES }
}

/** node-postgres puts a client back as idle after a query timeout, where every next user waits again: destroy it instead. */
export async function send(pool: pg.Pool, request: Query): Promise<Answer> {
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
