/**
 * Access tokens: what a person who signed in sends for a quarter of an hour. A JWT (RFC 9068), signed by HS256 and nothing else: those who
 * make tokens are those who read them, so a key pair would only be a second key to lose, and there is no public key that could
 * be passed off as a secret. What a token says is checked (issuer, audience, type, times), and what may change is not taken from
 * it: role, password and sign-in are as the database has them, looked up at most once in 0.8 s. So a demotion, a disabled
 * account and a sign-out count within a second, though the token itself lives on.
 *
 * The signing key is 256 random bits, made once and kept in rowbeat.secrets, so that every API process has it without anybody handing
 * it round; with ROWBEAT_SECRET it comes from there, and the database knows none. A token of a key that is not ours
 * makes us look once whether the key was changed.
 */
import { createHash, hkdfSync, randomBytes, randomUUID } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { isUuid } from '../check.ts'
import { monotonicMs, nowMs } from '../clock.ts'
import { checkSecret } from '../config.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { findSessions, shareSecret, type SessionRow } from '../db/statements/sessions.ts'
import { AccessError } from '../errors.ts'
import { createRecall } from './recall.ts'
import { ROLE_SCOPES, type Caller } from './scopes.ts'

export const ACCESS_SECONDS = 15 * 60

const ALGORITHM = 'HS256'
const ISSUER = 'rowbeat'
const AUDIENCE = 'rowbeat:api'
const TYPE = 'at+jwt'
/** Clocks of API processes may differ by this. */
const TOLERANCE_SECONDS = 5
const KEPT_MAX = 10_000
const LOOK_AGAIN_MS = 1000

/** Three parts and no more than any of ours: the rest is not worth a look. */
const SHAPE = /^[\w-]{10,1000}\.[\w-]{10,2000}\.[\w-]{43}$/

export interface AccessTokens {
  looksLikeOne(bearer: string): boolean
  /** Who signed in. Throws AccessError RB_TOKEN_INVALID, or StoreError when the database cannot be asked. */
  identify(token: string): Promise<Caller>
  /** A token of this sign-in. */
  issue(session: SessionRow): Promise<string>
}

interface SigningKey {
  id: string
  bytes: Uint8Array
}

/** `secret`: ROWBEAT_SECRET. Throws ConfigError when it is too short. */
export function createAccessTokens(db: Queryable, secret: string | null = null): AccessTokens {
  if (secret !== null) checkSecret(secret, 'secret')
  const recall = createRecall<SessionRow>(
    async (ids) => new Map((await findSessions(db, ids)).map((row) => [row.id, row])),
  )
  const verified = new Map<string, { sessionId: string; version: number; untilMs: number }>()
  let key: Promise<SigningKey> | null = null
  let lookedMs = -Infinity

  const load = (): Promise<SigningKey> => {
    key ??= loadKey(db, secret).catch((error: unknown) => {
      key = null
      throw explainDatabaseError(error)
    })
    return key
  }
  /** The key of this name, if it is ours now. */
  const find = async (id: unknown): Promise<SigningKey | null> => {
    const known = await load()
    if (known.id === id) return known
    if (secret !== null || monotonicMs() < lookedMs + LOOK_AGAIN_MS) return null
    lookedMs = monotonicMs()
    key = null
    const fresh = await load()
    if (fresh.id !== known.id) verified.clear()
    return fresh.id === id ? fresh : null
  }
  const verify = async (token: string): Promise<{ sessionId: string; version: number; untilMs: number }> => {
    const standing = verified.get(token)
    if (standing && standing.untilMs > nowMs()) return standing
    verified.delete(token)
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const found = await find(kid)
        if (found) return found.bytes
        throw new errors.JWSSignatureVerificationFailed()
      },
      {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: TYPE,
        requiredClaims: ['exp', 'nbf', 'iat', 'sub', 'jti', 'sid', 'ver'],
        clockTolerance: TOLERANCE_SECONDS,
      },
    )
    if (!isUuid(payload.sid)) throw refuse('is not one of ours')
    const claims = {
      sessionId: payload.sid,
      version: Number(payload.ver),
      untilMs: (payload.exp! + TOLERANCE_SECONDS) * 1000,
    }
    if (verified.size >= KEPT_MAX) verified.delete(verified.keys().next().value!)
    verified.set(token, claims)
    return claims
  }

  return Object.freeze({
    looksLikeOne: (bearer: string) => SHAPE.test(bearer),
    async identify(token: string) {
      const claims = await verify(token).catch((error: unknown) => {
        throw error instanceof errors.JOSEError ? refuse(explain(error), error) : error
      })
      const session = await recall(claims.sessionId)
      if (!session) throw refuse('belongs to no sign-in')
      if (!session.live || session.version !== claims.version)
        throw refuse('belongs to a sign-in that is over')
      return Object.freeze({
        kind: 'user' as const,
        id: session.userId,
        name: session.email,
        role: session.role,
        scopes: ROLE_SCOPES[session.role],
      })
    },
    async issue({ id, userId, role, version }: SessionRow) {
      const { id: kid, bytes } = await load()
      return await new SignJWT({ sid: id, role, ver: version })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setJti(randomUUID())
        .setIssuedAt()
        .setNotBefore('0s')
        .setExpirationTime(`${ACCESS_SECONDS}s`)
        .sign(bytes)
    },
  })
}

async function loadKey(db: Queryable, secret: string | null): Promise<SigningKey> {
  const bytes =
    secret === null
      ? Buffer.from(await shareSecret(db, 'access_token', randomBytes(32).toString('hex')), 'hex')
      : Buffer.from(hkdfSync('sha256', secret, '', 'rowbeat access token', 32))
  return { id: createHash('sha256').update('rowbeat kid').update(bytes).digest('hex').slice(0, 16), bytes }
}

function explain(error: errors.JOSEError): string {
  if (error.code === 'ERR_JWT_EXPIRED') return 'has expired: refresh it'
  return 'is not one of ours'
}

function refuse(why: string, cause?: unknown): AccessError {
  return new AccessError('RB_TOKEN_INVALID', `The access token ${why}, or sign in again.`, [], { cause })
}
