/**
 * Signing in. Who proves a password gets two tokens: an access token for a quarter of an hour, and a refresh token, which is spent at its use
 * for the next two. A refresh token that comes a second time was stolen, from us or from its owner, and nobody can say
 * which of the two came now: so the sign-in ends.
 * What holds off who guesses is in passwords.ts.
 */
import { createHash, randomBytes } from 'node:crypto'
import { ROLE_SCOPES, type Caller, type Origin } from '../auth/scopes.ts'
import { ACCESS_SECONDS, type AccessTokens } from '../auth/tokens.ts'
import { objectSchema, text } from '../check.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import {
  endSession,
  findSession,
  findSessions,
  passLogin,
  refreshSession,
} from '../db/statements/sessions.ts'
import { AccessError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { acting } from './acting.ts'
import { readFields } from './access-draft.ts'
import { createPasswordCheck, refuseLogin } from './passwords.ts'

/** As OAuth 2 names them. */
export interface TokenDocument {
  access_token: string
  token_type: 'Bearer'
  /** Seconds. */
  expires_in: number
  refresh_token: string
  /** What the person may do, by spaces. */
  scope: string
}

export interface SessionControl {
  /** `{ email, password }`. Throws AccessError: RB_LOGIN_INVALID, RB_LOGIN_BLOCKED with the time to wait, RB_ACCESS_INVALID. */
  begin(body: unknown, origin: Origin): Promise<TokenDocument>
  /** `{ refresh_token }`. Throws AccessError RB_TOKEN_INVALID. */
  refresh(body: unknown): Promise<TokenDocument>
  /** `{ refresh_token }`: its sign-in is over within a second. Of one that is over or unknown nothing is said. */
  end(body: unknown, origin: Origin): Promise<void>
}

const REFRESH = { refresh_token: text(4096) }
export const REFRESH_BODY = objectSchema(REFRESH, ['refresh_token'])

export function createSessionControl(rowbeat: Pick<Rowbeat, 'db'>, tokens: AccessTokens): SessionControl {
  const db = toQueryable(rowbeat.db)
  const check = createPasswordCheck(db)

  const tell = async (id: string, refreshToken: string): Promise<TokenDocument> => {
    const [session] = await findSessions(db, [id]).catch(explain)
    if (!session?.live) throw refuseToken()
    return {
      access_token: await tokens.issue(session),
      token_type: 'Bearer',
      expires_in: ACCESS_SECONDS,
      refresh_token: refreshToken,
      scope: ROLE_SCOPES[session.role].join(' '),
    }
  }

  return Object.freeze({
    async begin(body: unknown, origin: Origin) {
      const { userId, email, address } = await check(body, origin)
      const refreshToken = makeRefreshToken()
      const caller: Caller = { kind: 'user', id: userId, name: email.toLowerCase(), scopes: [], origin }
      const id = await acting(rowbeat.db, caller, { action: 'session.begin' }, async (inside) => {
        const begun = await passLogin(inside.db, {
          userId,
          email,
          address,
          hash: digest(refreshToken),
        })
        if (begun !== null)
          await inside.note({ action: 'session.begin', targetKind: 'session', target: begun })
        return begun
      }).catch(explain)
      if (id === null) throw refuseLogin()
      return await tell(id, refreshToken)
    },
    async refresh(body: unknown) {
      const { refresh_token } = readFields(body, REFRESH, ['refresh_token']) as Record<string, string>
      const successor = makeRefreshToken()
      const id = await refreshSession(db, digest(refresh_token!), digest(successor)).catch(explain)
      if (id === null) throw refuseToken()
      return await tell(id, successor)
    },
    async end(body: unknown, origin: Origin) {
      const { refresh_token } = readFields(body, REFRESH, ['refresh_token']) as Record<string, string>
      const session = await findSession(db, digest(refresh_token!)).catch(explain)
      if (!session) return
      const caller: Caller = { kind: 'user', id: session.userId, name: session.email, scopes: [], origin }
      await acting(rowbeat.db, caller, { action: 'session.end' }, async (inside) => {
        if (await endSession(inside.db, session.id))
          await inside.note({ action: 'session.end', targetKind: 'session', target: session.id })
      }).catch(explain)
    },
  })
}

/** 256 bits, opaque: all it says is in the database. */
function makeRefreshToken(): string {
  return `rbr_${randomBytes(32).toString('base64url')}`
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function refuseToken(): AccessError {
  return new AccessError(
    'RB_TOKEN_INVALID',
    'The refresh token is not accepted: it was used before, its sign-in is over, or it is none of ours. Sign in again.',
  )
}

function explain(error: unknown): never {
  throw explainDatabaseError(error)
}
