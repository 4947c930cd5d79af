/**
 * Statements of API keys. Only the sha-256 of a key is ever here, as hex in parameters and answers.
 */
import type { Queryable } from '../handle.ts'

export interface KeyRow {
  id: string
  name: string
  hash: string
  scopes: string[]
  expired: boolean
  revoked: boolean
  /** last_used_at is older than a minute. */
  unmarked: boolean
}

/** Keys with one of these hashes, by the unique index; the database's clock decides what has expired. */
export async function findKeys(db: Queryable, hashes: readonly string[]): Promise<KeyRow[]> {
  const rows = await db.query<Omit<KeyRow, 'scopes'> & { scopes: string }>(
    `/* find_keys */
select id::text as id, name, encode(hash, 'hex') as hash, to_json(scopes)::text as scopes,
  coalesce(expires_at <= now(), false) as expired, revoked_at is not null as revoked,
  coalesce(last_used_at < now() - interval '1 minute', true) as unmarked
from rowbeat.api_keys
where hash = any (array(select decode(h, 'hex') from jsonb_array_elements_text($1::text::jsonb) h))`,
    [JSON.stringify(hashes)],
  )
  return rows.map((row) => ({ ...row, scopes: JSON.parse(row.scopes) as string[] }))
}

/** Notes that keys are in use: at most one write a minute each, whatever number of processes sees them. */
export async function markKeysUsed(db: Queryable, ids: readonly string[]): Promise<void> {
  await db.query(
    `/* mark_keys_used */
update rowbeat.api_keys set last_used_at = now()
where id = any (array(select i::uuid from jsonb_array_elements_text($1::text::jsonb) i))
  and coalesce(last_used_at < now() - interval '1 minute', true)`,
    [JSON.stringify(ids)],
  )
}

export interface NewKey {
  name: string
  prefix: string
  hash: string
  scopes: readonly string[]
  /** RFC 3339, or null for a key that does not expire. */
  expiresAt: string | null
}

/** Stores a key; when its hash is there already, name and scopes are brought up to date. Returns its id. */
export async function saveKey(db: Queryable, key: NewKey): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `/* save_key */
insert into rowbeat.api_keys (name, prefix, hash, scopes, expires_at)
values ($1::text, $2::text, decode($3::text, 'hex'),
  array(select jsonb_array_elements_text($4::text::jsonb)), $5::timestamptz)
on conflict (hash) do update set name = excluded.name, scopes = excluded.scopes
returning id::text as id`,
    [key.name, key.prefix, key.hash, JSON.stringify(key.scopes), key.expiresAt],
  )
  return row!.id
}

/** False when no live key has this id. */
export async function revokeKeyRow(db: Queryable, id: string): Promise<boolean> {
  const rows = await db.query(
    `/* revoke_key */
update rowbeat.api_keys set revoked_at = now() where id = $1::uuid and revoked_at is null returning 1 as one`,
    [id],
  )
  return rows.length > 0
}
