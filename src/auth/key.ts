/**
 * An API key: `rb_` and 256 random bits. It is shown once; the store has its sha-256 (no salt and no slow
 * hash are needed against guessing 256 bits) and a prefix, by which people tell their keys apart.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Queryable } from '../db/handle.ts'
import { revokeKeyRow, saveKey } from '../db/statements/keys.ts'
import { ConfigError } from '../errors.ts'
import { isScope, SCOPES } from './scopes.ts'

const KEY = /^rb_[A-Za-z0-9_-]{43}$/

/** Characters of a key that are stored and shown. */
const PREFIX_LENGTH = 9

export function makeKey(): string {
  return `rb_${randomBytes(32).toString('base64url')}`
}

export function looksLikeKey(text: string): boolean {
  return KEY.test(text)
}

/** Hex of the sha-256, which is all the store knows of a key. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

export interface KeyOptions {
  name: string
  scopes: readonly string[]
  /** RFC 3339 instant after which the key is refused; default never. */
  expiresAt?: string | null
  /** A key that exists already (from credentials.json); default a new one. */
  key?: string
  /** Who makes it; default the database user. */
  createdBy?: string
}

/** Stores a key and answers it: the only time its text is at hand, unless the caller brought it. */
export async function issueKey(
  db: Queryable,
  options: KeyOptions,
): Promise<{ id: string; key: string; prefix: string }> {
  const { name, scopes, expiresAt = null, key = makeKey(), createdBy = null } = options
  if (!looksLikeKey(key))
    throw new ConfigError('the API key must be "rb_" and 43 characters of base64url: let Rowbeat make one.')
  const unknown = scopes.find((scope) => !isScope(scope))
  if (unknown !== undefined || scopes.length === 0) {
    throw new ConfigError(
      `API key "${name}": "${unknown ?? ''}" is no scope; give some of *, ${SCOPES.join(', ')}.`,
    )
  }
  const prefix = key.slice(0, PREFIX_LENGTH)
  return {
    id: await saveKey(db, { name, prefix, hash: hashKey(key), scopes, expiresAt, createdBy }),
    key,
    prefix,
  }
}

/** Refuses the key everywhere within a second; false when it is unknown or revoked already. */
export async function revokeKey(db: Queryable, id: string): Promise<boolean> {
  return await revokeKeyRow(db, id)
}
