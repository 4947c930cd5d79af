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
  /** Who made it; null: the database user. */
  createdBy?: string | null
}

/** Stores a key; when its hash is there already, name and scopes are brought up to date. Returns its id. */
export async function saveKey(db: Queryable, key: NewKey): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `/* save_key */
insert into rowbeat.api_keys (name, prefix, hash, scopes, expires_at, created_by)
values ($1::text, $2::text, decode($3::text, 'hex'),
  array(select jsonb_array_elements_text($4::text::jsonb)), $5::timestamptz, coalesce($6::text, session_user))
on conflict (hash) do update set name = excluded.name, scopes = excluded.scopes
returning id::text as id`,
    [key.name, key.prefix, key.hash, JSON.stringify(key.scopes), key.expiresAt, key.createdBy ?? null],
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

/** A key as REST answers it: what is known of it, which is not the key. */
export interface KeyDocument {
  id: string
  name: string
  prefix: string
  scopes: string[]
  created_at: string
  created_by: string | null
  expires_at: string | null
  last_used_at: string | null
  revoked_at: string | null
}

const KEY_JSON = `jsonb_build_object('id', k.id, 'name', k.name, 'prefix', k.prefix, 'scopes', to_jsonb(k.scopes), 'created_at', rowbeat.told_v1(k.created_at),
  'created_by', k.created_by, 'expires_at', rowbeat.told_v1(k.expires_at), 'last_used_at', rowbeat.told_v1(k.last_used_at), 'revoked_at', rowbeat.told_v1(k.revoked_at))::text`

export interface KeyQuery {
  /** Rows below this id. */
  before?: string
  limit: number
  /** true: only those that are accepted now; false: only the others. */
  live?: boolean
}

/** Newest first. */
export async function listKeys(db: Queryable, { before, limit, live }: KeyQuery): Promise<KeyDocument[]> {
  const rows = await db.query<{ key: string }>(
    `/* list_keys */ select ${KEY_JSON} as key from rowbeat.api_keys k
where ($1::uuid is null or k.id < $1::uuid)
  and ($3::boolean is null or $3::boolean = (k.revoked_at is null and coalesce(k.expires_at > now(), true)))
order by k.id desc limit $2::integer`,
    [before ?? null, limit, live ?? null],
  )
  return rows.map(({ key }) => JSON.parse(key) as KeyDocument)
}

export async function readKey(db: Queryable, id: string): Promise<KeyDocument | null> {
  const [row] = await db.query<{ key: string }>(
    `/* read_key */ select ${KEY_JSON} as key from rowbeat.api_keys k where k.id = $1::uuid`,
    [id],
  )
  return row ? (JSON.parse(row.key) as KeyDocument) : null
}
