/**
 * Says who sends a bearer token: an API key, or the access token of a person who signed in. Whatever is wrong with it, the answer is
 * AccessError and says no more than that; and when the database is away nobody can be known, which is an error of the store, never
 * "wrong key". A key is found by the sha-256 of it, so how long that takes tells nothing of any key.
 */
import type { Queryable } from '../db/handle.ts'
import { findKeys, markKeysUsed, type KeyRow } from '../db/statements/keys.ts'
import { AccessError } from '../errors.ts'
import { hashKey, looksLikeKey } from './key.ts'
import { createRecall } from './recall.ts'
import type { Caller } from './scopes.ts'
import type { AccessTokens } from './tokens.ts'

export interface Keyring {
  /** Who this is. Throws AccessError RB_KEY_INVALID or RB_TOKEN_INVALID, or StoreError when the database cannot be asked. */
  identify(bearer: string): Promise<Caller>
}

type Verdict = { caller: Caller } | { refusal: string }

/** Without `tokens`, keys only. */
export function createKeyring(db: Queryable, tokens: AccessTokens | null = null): Keyring {
  const recall = createRecall<Verdict>(async (hashes) => {
    const rows = await findKeys(db, hashes)
    const used = rows.filter((row) => row.unmarked && !row.expired && !row.revoked).map((row) => row.id)
    // A server that cannot be written to must not keep a reader out.
    if (used.length > 0) markKeysUsed(db, used).catch(() => {})
    return new Map(rows.map((row) => [row.hash, judge(row)]))
  })
  return Object.freeze({
    async identify(bearer: string) {
      if (looksLikeKey(bearer)) {
        const hash = hashKey(bearer)
        const verdict = (await recall(hash)) ?? { refusal: 'is unknown' }
        if ('refusal' in verdict) throw refuse(verdict.refusal)
        return verdict.caller
      }
      if (tokens?.looksLikeOne(bearer)) return await tokens.identify(bearer)
      throw refuse('is not an API key, which begins with rb_, nor an access token')
    },
  })
}

function judge(row: KeyRow): Verdict {
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
