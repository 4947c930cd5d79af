/**
 * Signing in: `POST /api/token/` gives an access and a refresh token for a name and a password,
 * `POST /api/token/refresh/` a new access token for a refresh token. A name that is guessed at from one
 * address is refused for a while; the right password ends that.
 */
import { eq } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { FastifyInstance } from 'fastify'
import type { PasswordKeeper } from '../users/password.ts'
import { users } from '../users/schema.ts'
import { refuseFaults, refuseOtherMethods } from '../web/api-refusal.ts'
import { readFields } from '../web/fields.ts'
import { PUBLIC } from '../web/layout.ts'
import { forgive, throttle } from './throttle.ts'
import { unauthenticated, type Tokens } from './tokens.ts'

const GUESSES = { requests: 10, seconds: 3600 }

export interface TokenOptions {
  db: PostgresJsDatabase
  tokens: Tokens
  passwords: PasswordKeeper
}

export function tokenRoutes(app: FastifyInstance, { db, tokens, passwords }: TokenOptions): void {
  app.post('/api/token/', PUBLIC, async (request) => {
    const fields = readFields(request.body)
    const username = fields.text('username', true)
    const password = fields.text('password', true)
    refuseFaults(fields.faults)
    const ident = `${request.ip} ${username!.slice(0, 150)}`
    await throttle(db, 'login', ident, GUESSES)
    const [user] = await db.select().from(users).where(eq(users.username, username!))
    const isRight = await passwords.matches(password!.slice(0, 1000), user?.password ?? null)
    if (!user || !isRight || !user.isActive)
      throw unauthenticated({ detail: 'No active account found with the given credentials' })
    await forgive(db, 'login', ident)
    return { refresh: await tokens.issue('refresh', user.id), access: await tokens.issue('access', user.id) }
  })

  app.post('/api/token/refresh/', PUBLIC, async (request) => {
    const fields = readFields(request.body)
    const refresh = fields.text('refresh', true)
    refuseFaults(fields.faults)
    const id = await tokens.read('refresh', refresh!)
    const [user] = await db.select().from(users).where(eq(users.id, id))
    if (!user?.isActive)
      throw unauthenticated({
        detail: 'No active account found for the given token.',
        code: 'no_active_account',
      })
    return { access: await tokens.issue('access', id) }
  })

  for (const url of ['/api/token/', '/api/token/refresh/']) refuseOtherMethods(app, url, ['POST'])
}
