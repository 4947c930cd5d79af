/**
 * Signing in to the panel: for a password one gets 256 random bits as a cookie, of which only the sha-256 is kept. Each sign-in has a
 * cookie of its own making, whatever came with the request, so nobody can make somebody sign in with a cookie he knows. It ends by
 * itself 30 minutes after its last use and 12 hours after its begin, and within a second when it is signed out or when role, password or
 * state of the person change, in every process: each look at it is younger than that.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createRecall } from '../auth/recall.ts'
import { ROLE_SCOPES, type Caller, type Origin } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import {
  beginPanelSession,
  findPanelSessions,
  markPanelSessionUsed,
  type PanelSessionRow,
} from '../db/statements/panel-sessions.ts'
import { endSession } from '../db/statements/sessions.ts'
import { AccessError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { acting } from './acting.ts'
import { createPasswordCheck, refuseLogin } from './passwords.ts'

export interface PanelSessions {
  /**
   * `{ email, password }` -> the cookie; the sign-in of `earlier`, a cookie that came along, is over. Throws AccessError:
   * RB_LOGIN_INVALID, RB_LOGIN_BLOCKED with the time to wait, RB_ACCESS_INVALID.
   */
  begin(body: unknown, earlier: string | null, origin: Origin): Promise<string>
  /** Who this is. Throws AccessError RB_SESSION_OVER, or StoreError when the database cannot be asked. */
  identify(cookie: string): Promise<Caller>
  /** The same, for what a person does and no stream of theirs: the sign-in was used. */
  use(cookie: string): Promise<Caller>
  /** Over within a second. Of one that is over or unknown nothing is said. */
  end(cookie: string, origin: Origin): Promise<void>
}

/** Any of ours; the rest is not worth a look. */
const SHAPE = /^rbc_[\w-]{43}$/

export function createPanelSessions(rowbeat: Pick<Rowbeat, 'db'>): PanelSessions {
  const db = toQueryable(rowbeat.db)
  const check = createPasswordCheck(db)
  const recall = createRecall<PanelSessionRow>(
    async (hashes) => new Map((await findPanelSessions(db, hashes)).map((row) => [row.hash, row])),
  )
  const find = async (cookie: string): Promise<PanelSessionRow> => {
    const row = SHAPE.test(cookie) ? await recall(digest(cookie)) : null
    if (!row?.live) throw refuse()
    return row
  }

  return Object.freeze({
    async begin(body: unknown, earlier: string | null, origin: Origin) {
      const { userId, email, address } = await check(body, origin)
      const cookie = `rbc_${randomBytes(32).toString('base64url')}`
      const hash = digest(cookie)
      const caller: Caller = { kind: 'user', id: userId, name: email.toLowerCase(), scopes: [], origin }
      const begun = { userId, email, address, hash, earlier: earlier && digest(earlier) }
      const id = await acting(rowbeat.db, caller, { action: 'session.begin' }, async (inside) => {
        const made = await beginPanelSession(inside.db, begun)
        if (made !== null) await inside.note({ action: 'session.begin', targetKind: 'session', target: made })
        return made
      }).catch(explain)
      if (id === null) throw refuseLogin()
      return cookie
    },
    identify: async (cookie: string) => describe(await find(cookie)),
    async use(cookie: string) {
      const row = await find(cookie)
      // A server that cannot be written to must not keep a reader out.
      if (row.unmarked) markPanelSessionUsed(db, row.id).catch(() => {})
      return describe(row)
    },
    async end(cookie: string, origin: Origin) {
      const [row] = SHAPE.test(cookie) ? await findPanelSessions(db, [digest(cookie)]).catch(explain) : []
      if (!row?.live) return
      await acting(rowbeat.db, { ...describe(row), origin }, { action: 'session.end' }, async (inside) => {
        if (await endSession(inside.db, row.id))
          await inside.note({ action: 'session.end', targetKind: 'session', target: row.id })
      }).catch(explain)
    },
  })
}

function describe({ userId, email, role }: PanelSessionRow): Caller {
  return Object.freeze({ kind: 'user' as const, id: userId, name: email, role, scopes: ROLE_SCOPES[role] })
}

function digest(cookie: string): string {
  return createHash('sha256').update(cookie).digest('hex')
}

function refuse(): AccessError {
  return new AccessError('RB_SESSION_OVER', 'You are not signed in, or no longer: sign in again.')
}

function explain(error: unknown): never {
  throw explainDatabaseError(error)
}
