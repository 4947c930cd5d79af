/**
 * Signing in. Who proves a password gets two tokens: an access token for a quarter of an hour, and a refresh token, which is spent at its use
 * for the next two. A refresh token that comes a second time was stolen, from us or from its owner, and nobody can say
 * which of the two came now: so the sign-in ends.
 *
 * Against guessing, every attempt first takes a ticket (drizzle/0009), by which all API processes count together: it is refused with the
 * seconds to wait, and no password is compared. Whether an account exists is not told: for one that does not, or is disabled,
 * a password is compared all the same, with a hash that nobody has the password of, and the answer is the same.
 */
import { createHash, randomBytes } from 'node:crypto'
import { hashPassword, isPassword } from '../auth/password.ts'
import { placeOf } from '../auth/place.ts'
import { ROLE_SCOPES, type Caller, type Origin } from '../auth/scopes.ts'
import { ACCESS_SECONDS, type AccessTokens } from '../auth/tokens.ts'
import { createTurnstile } from '../auth/turnstile.ts'
import { objectSchema, text } from '../check.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable } from '../db/handle.ts'
import {
  endSession,
  findSession,
  findSessions,
  passLogin,
  refreshSession,
  takeLoginTicket,
} from '../db/statements/sessions.ts'
import { AccessError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'
import { acting } from './acting.ts'
import { readFields } from './access-draft.ts'

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

const LOGIN = { email: text(320), password: text(1024) }
const REFRESH = { refresh_token: text(4096) }
export const LOGIN_BODY = objectSchema(LOGIN, ['email', 'password'])
export const REFRESH_BODY = objectSchema(REFRESH, ['refresh_token'])

/** Passwords compared at once in this process, and how many may wait for it. */
const COMPARED = 2
const WAITING = 40

export function createSessionControl(rowbeat: Pick<Rowbeat, 'db'>, tokens: AccessTokens): SessionControl {
  const db = toQueryable(rowbeat.db)
  const compare = createTurnstile(COMPARED, WAITING)
  /** Of the same cost as any, so that an account that is unknown takes as long as one that is known. */
  let nobody: Promise<string> | null = null

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
      const { email, password } = readFields(body, LOGIN, ['email', 'password']) as Record<string, string>
      const address = placeOf(origin.address ?? '')
      const { wait, userId, passwordHash } = await takeLoginTicket(db, email!, address).catch(explain)
      if (wait > 0)
        throw new AccessError(
          'RB_LOGIN_BLOCKED',
          `There were too many wrong passwords: try again in ${Math.ceil(wait)} s.`,
          [],
          { retryAfterMs: wait * 1000 },
        )
      const spare = await (nobody ??= hashPassword(randomBytes(32).toString('base64url')))
      const hash = passwordHash ?? spare
      const isRight = await compare(() => isPassword(password!, hash))
      if (!isRight || userId === null) throw refuseLogin()
      const refreshToken = makeRefreshToken()
      const caller: Caller = { kind: 'user', id: userId, name: email!.toLowerCase(), scopes: [], origin }
      const id = await acting(rowbeat.db, caller, { action: 'session.begin' }, async (inside) => {
        const begun = await passLogin(inside.db, {
          userId,
          email: email!,
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

function refuseLogin(): AccessError {
  return new AccessError(
    'RB_LOGIN_INVALID',
    'E-mail address and password do not fit together: check both, or ask an admin whether the account is enabled.',
  )
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
