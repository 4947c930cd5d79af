/**
 * Who may come in: keys of the REST API and people of the panel. Secrets are hashes only.
 */
import { sql } from 'drizzle-orm'
import { text, uuid } from 'drizzle-orm/pg-core'
import { bytea, instant, rowbeatSchema } from './rowbeat.ts'

export const apiKeys = rowbeatSchema.table('api_keys', {
  id: uuid('id')
    .primaryKey()
    .default(sql`rowbeat.uuid7()`),
  name: text('name').notNull(),
  prefix: text('prefix').notNull(),
  hash: bytea('hash').notNull().unique(),
  scopes: text('scopes')
    .array()
    .notNull()
    .default(sql`'{}'`),
  expiresAt: instant('expires_at'),
  lastUsedAt: instant('last_used_at'),
  revokedAt: instant('revoked_at'),
  createdAt: instant('created_at').notNull().defaultNow(),
})

export const users = rowbeatSchema.table('users', {
  id: uuid('id')
    .primaryKey()
    .default(sql`rowbeat.uuid7()`),
  email: text('email').notNull().unique(),
  passwordHash: text('password_hash').notNull(),
  role: text('role').$type<'viewer' | 'operator' | 'admin'>().notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  disabledAt: instant('disabled_at'),
})
