/**
 * Who asks, and whether they may: an access token or nobody; anybody may read, who is signed in may write, and
 * each asks so often an hour. In Django REST framework's order: authentication, permission, throttle. What is
 * refused by the first two is not counted by the third.
 */
import { eq } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { FastifyRequest } from 'fastify'
import { users } from '../users/schema.ts'
import { parseRate, throttle, type Rate } from './throttle.ts'
import { unauthenticated, type Tokens } from './tokens.ts'

export interface Asker {
  id: number
  username: string
}

export interface Rates {
  anon: Rate
  user: Rate
}

const SAFE = ['GET', 'HEAD', 'OPTIONS']

/** Throws ConfigError. */
export function readRates(): Rates {
  const { TODO_THROTTLE_ANON, TODO_THROTTLE_USER } = process.env
  return {
    anon: parseRate(TODO_THROTTLE_ANON || '10/hour', 'TODO_THROTTLE_ANON'),
    user: parseRate(TODO_THROTTLE_USER || '20/hour', 'TODO_THROTTLE_USER'),
  }
}

export interface Doorkeeper {
  /** Lets a request in, or throws ApiRefusal 401 or 429. */
  admit(request: FastifyRequest): Promise<void>
  /** Who sent a request that writes, and was let in. */
  askerOf(request: FastifyRequest): Asker
}

export function createDoorkeeper(db: PostgresJsDatabase, tokens: Tokens, rates: Rates): Doorkeeper {
  const askers = new WeakMap<FastifyRequest, Asker>()
  return {
    async admit(request) {
      const asker = await identify(db, tokens, request.headers.authorization)
      if (!asker && !SAFE.includes(request.method)) throw notSignedIn()
      if (asker) await throttle(db, 'user', String(asker.id), rates.user)
      else await throttle(db, 'anon', request.ip, rates.anon)
      if (asker) askers.set(request, asker)
    },
    askerOf(request) {
      const asker = askers.get(request)
      if (!asker) throw notSignedIn()
      return asker
    },
  }
}

async function identify(
  db: PostgresJsDatabase,
  tokens: Tokens,
  header: string | undefined,
): Promise<Asker | null> {
  const words = (header ?? '').split(' ').filter(Boolean)
  // Another scheme is no attempt to sign in here.
  if (words[0] !== 'Bearer') return null
  if (words.length !== 2)
    throw unauthenticated({
      detail: 'Authorization header must contain two space-delimited values',
      code: 'bad_authorization_header',
    })
  const id = await tokens.read('access', words[1]!)
  const [user] = await db.select().from(users).where(eq(users.id, id))
  if (!user) throw unauthenticated({ detail: 'User not found', code: 'user_not_found' })
  if (!user.isActive) throw unauthenticated({ detail: 'User is inactive', code: 'user_inactive' })
  return { id, username: user.username }
}

function notSignedIn(): Error {
  return unauthenticated({ detail: 'Authentication credentials were not provided.' })
}
