/**
 * Checks bearer keys. Looking one up costs a round trip, so an answer is kept for less than a second, good or
 * bad (a revoke counts within a second everywhere), and keys that come at the same moment are looked up in
 * one statement. When the database is away nobody can be known, and that is an error of the store, never
 * "wrong key".
 */
import { timingSafeEqual } from 'node:crypto'
import { monotonicMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { findKeys, markKeysUsed, type KeyRow } from '../db/statements/keys.ts'
import { AccessError } from '../errors.ts'
import { hashKey, looksLikeKey } from './key.ts'
import type { Caller } from './scopes.ts'

export interface Keyring {
  /** Who this key is. Throws AccessError RB_KEY_INVALID, or StoreError when the database cannot be asked. */
  identify(key: string): Promise<Caller>
}

const KEPT_MS = 800
const KEPT_MAX = 10_000

type Verdict = { caller: Caller } | { refusal: string }

interface Waiting {
  promise: Promise<Verdict>
  resolve(verdict: Verdict): void
  reject(error: unknown): void
}

export function createKeyring(db: Queryable): Keyring {
  const kept = new Map<string, { verdict: Verdict; until: number }>()
  let asked = new Map<string, Waiting>()

  const lookUp = async (): Promise<void> => {
    const batch = asked
    asked = new Map()
    // The age of an answer counts from before the question, so that it is never older than it seems.
    const until = monotonicMs() + KEPT_MS
    try {
      const rows = new Map((await findKeys(db, [...batch.keys()])).map((row) => [row.hash, row]))
      for (const [hash, waiting] of batch) {
        const verdict = judge(hash, rows.get(hash))
        if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value!)
        kept.set(hash, { verdict, until })
        waiting.resolve(verdict)
      }
      const used = [...rows.values()].filter((row) => row.unmarked && !row.expired && !row.revoked)
      // A server that cannot be written to must not keep a reader out.
      if (used.length > 0)
        markKeysUsed(
          db,
          used.map((row) => row.id),
        ).catch(() => {})
    } catch (error) {
      for (const waiting of batch.values()) waiting.reject(explainDatabaseError(error))
    }
  }

  const ask = (hash: string): Promise<Verdict> => {
    const known = kept.get(hash)
    if (known && known.until > monotonicMs()) return Promise.resolve(known.verdict)
    kept.delete(hash)
    const standing = asked.get(hash)
    if (standing) return standing.promise
    if (asked.size === 0) setImmediate(() => void lookUp())
    const waiting = Promise.withResolvers<Verdict>()
    asked.set(hash, waiting)
    return waiting.promise
  }

  return Object.freeze({
    async identify(key: string) {
      if (!looksLikeKey(key)) throw refuse('is not an API key, which begins with rb_')
      const verdict = await ask(hashKey(key))
      if ('refusal' in verdict) throw refuse(verdict.refusal)
      return verdict.caller
    },
  })
}

function judge(hash: string, row: KeyRow | undefined): Verdict {
  if (!row || !timingSafeEqual(Buffer.from(row.hash, 'hex'), Buffer.from(hash, 'hex')))
    return { refusal: 'is unknown' }
  if (row.revoked) return { refusal: 'was revoked' }
  if (row.expired) return { refusal: 'has expired' }
  return { caller: Object.freeze({ kind: 'key', id: row.id, name: row.name, scopes: row.scopes }) }
}

function refuse(why: string): AccessError {
  return new AccessError(
    'RB_KEY_INVALID',
    `The key in the Authorization header ${why}: send one that is live.`,
  )
}
