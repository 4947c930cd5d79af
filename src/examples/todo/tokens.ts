/**
 * JSON Web Tokens as simplejwt makes them: an access token for five minutes, a refresh token for a day, both
 * signed (HS256) by one secret, which kind a token is being a claim of it. The secret is TODO_SECRET, or one
 * that was made once and is kept in Postgres, so that every server of the app accepts what another signed and
 * a restart signs nobody out. It has nothing to do with the API keys of /v1, and neither opens the other.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { Sql } from 'postgres'
import { ConfigError } from '../../index.ts'
import { ApiRefusal } from '../web/api-refusal.ts'

export type Kind = 'access' | 'refresh'

export interface Tokens {
  issue(kind: Kind, userId: number): Promise<string>
  /** The id of its user. Throws ApiRefusal 401. */
  read(kind: Kind, token: string): Promise<number>
}

const LIFETIME: Record<Kind, string> = { access: '5 minutes', refresh: '1 day' }
const AUDIENCE = 'rowbeat examples: todo'
const BYTES_MIN = 32
const CHALLENGE = { 'www-authenticate': 'Bearer realm="api"' }

export function createTokens(secret: Uint8Array): Tokens {
  return {
    async issue(kind, userId) {
      return await new SignJWT({ token_type: kind, user_id: String(userId) })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuedAt()
        .setExpirationTime(LIFETIME[kind])
        .setJti(randomUUID().replaceAll('-', ''))
        .setAudience(AUDIENCE)
        .sign(secret)
    },
    async read(kind, token) {
      try {
        const { payload } = await jwtVerify(token, secret, {
          algorithms: ['HS256'],
          audience: AUDIENCE,
          requiredClaims: ['exp', 'iat', 'jti', 'user_id'],
        })
        const userId = Number(payload.user_id)
        if (payload.token_type !== kind) throw refuseToken(kind, 'Token has wrong type')
        if (Number.isSafeInteger(userId)) return userId
      } catch (error) {
        if (error instanceof ApiRefusal) throw error
        if (error instanceof errors.JWTExpired) throw refuseToken(kind, 'Token is expired')
      }
      throw refuseToken(kind, 'Token is invalid')
    },
  }
}

/** The secret of the environment, or the one that the first server to ask has made. Throws ConfigError. */
export async function findSecret(sql: Sql): Promise<Uint8Array> {
  const text = process.env.TODO_SECRET
  if (text) {
    const secret = new TextEncoder().encode(text)
    if (secret.length >= BYTES_MIN) return secret
    throw new ConfigError(
      `TODO_SECRET has ${secret.length} bytes: give at least ${BYTES_MIN}, as \`openssl rand -base64 48\` makes them, or leave it out.`,
    )
  }
  await sql`insert into examples.secrets values ('todo', ${randomBytes(48)}) on conflict do nothing`
  const [row] = await sql<{ secret: Uint8Array }[]>`select secret from examples.secrets where name = 'todo'`
  return new Uint8Array(row!.secret)
}

export function unauthenticated(body: object): ApiRefusal {
  return new ApiRefusal(401, body, CHALLENGE)
}

function refuseToken(kind: Kind, message: string): ApiRefusal {
  const code = 'token_not_valid'
  if (kind === 'refresh') return unauthenticated({ detail: message, code })
  const messages = [{ token_class: 'AccessToken', token_type: 'access', message }]
  return unauthenticated({ detail: 'Given token not valid for any token type', code, messages })
}
