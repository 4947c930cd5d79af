/**
 * What may be done with API keys, for REST, panel and command line alike: each verb checks the caller's scope, then acts. A key
 * is told once, to who makes it. Nobody gives a key more than he may do himself. One that was revoked stays in the list, so that its
 * name in the audit log still means something.
 */
import { issueKey } from '../auth/key.ts'
import { findExcess, requireScope, type Caller } from '../auth/scopes.ts'
import { isUuid } from '../check.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import { listKeys, readKey, revokeKeyRow, type KeyDocument, type KeyQuery } from '../db/statements/keys.ts'
import { readClock } from '../db/statements/schedules.ts'
import { AccessError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { readKeyDraft } from './access-draft.ts'
import { acting } from './acting.ts'

export type { KeyDocument, KeyQuery } from '../db/statements/keys.ts'

/** With the key itself: shown once. */
export type NewKeyDocument = KeyDocument & { key: string }

/** Each verb throws AccessError RB_SCOPE_MISSING. */
export interface KeyControl {
  /** Newest first; `before` is the id to go on below, null at the end. */
  list(caller: Caller, query: KeyQuery): Promise<{ items: KeyDocument[]; before: string | null }>
  /** Throws AccessError RB_KEY_NOT_FOUND. */
  read(caller: Caller, id: string): Promise<KeyDocument>
  /**
   * `{ name, scopes, expires_at? | expires_in? }`. Throws AccessError: RB_ACCESS_INVALID with its faults, RB_SCOPE_MISSING for a scope
   * that the caller lacks.
   */
  create(caller: Caller, body: unknown): Promise<NewKeyDocument>
  /** Refused everywhere within a second; of one that is revoked, nothing changes. Throws AccessError RB_KEY_NOT_FOUND. */
  revoke(caller: Caller, id: string): Promise<KeyDocument>
}

export function createKeyControl(rowbeat: Pick<Rowbeat, 'db'>): KeyControl {
  const db = toQueryable(rowbeat.db)
  const require = async (id: string): Promise<KeyDocument> => {
    const key = isUuid(id) ? await readKey(db, id).catch(explain) : null
    if (key) return key
    throw new AccessError('RB_KEY_NOT_FOUND', `No API key has the id ${id}: it was never made.`)
  }
  return Object.freeze({
    async list(caller: Caller, query: KeyQuery) {
      requireScope(caller, 'keys:read')
      const rows = await listKeys(db, { ...query, limit: query.limit + 1 }).catch(explain)
      const items = rows.slice(0, query.limit)
      return { items, before: rows.length > query.limit ? items.at(-1)!.id : null }
    },
    async read(caller: Caller, id: string) {
      requireScope(caller, 'keys:read')
      return await require(id)
    },
    async create(caller: Caller, body: unknown) {
      requireScope(caller, 'keys:write')
      const { name, scopes, expiresAt } = readKeyDraft(body, await readClock(db).catch(explain))
      const excess = findExcess(caller, scopes)
      if (excess.length > 0)
        throw new AccessError(
          'RB_SCOPE_MISSING',
          `"${caller.name}" cannot give ${excess.join(', ')}, which it lacks itself: leave that out, or ask who has it.`,
          [{ pointer: '/scopes', detail: `has more than you may do: ${excess.join(', ')}` }],
        )
      const { id, key } = await acting(rowbeat.db, caller, {}, (inside) =>
        issueKey(inside.db, { name, scopes, expiresAt, createdBy: caller.name }),
      ).catch(explain)
      return { ...(await require(id)), key }
    },
    async revoke(caller: Caller, id: string) {
      requireScope(caller, 'keys:write')
      const { revoked_at } = await require(id)
      if (revoked_at === null)
        await acting(rowbeat.db, caller, { action: 'key.revoke' }, (inside) =>
          revokeKeyRow(inside.db, id),
        ).catch(explain)
      return await require(id)
    },
  })
}

function explain(error: unknown): never {
  throw explainDatabaseError(error)
}
