/**
 * Who may come in: keys of the REST API, people and their sign-ins; what is held against who guesses; and the log of what
 * was changed. Secrets are hashes only, but for the one that signs access tokens.
 */
import { sql } from 'drizzle-orm'
import { integer, jsonb, text, uuid } from 'drizzle-orm/pg-core'
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
  createdBy: text('created_by').default(sql`session_user`),
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
  version: integer('version').notNull().default(1),
  createdBy: text('created_by').default(sql`session_user`),
  updatedAt: instant('updated_at').notNull().defaultNow(),
  signedInAt: instant('signed_in_at'),
})

const now = sql`clock_timestamp()`

export const sessions = rowbeatSchema.table('sessions', {
  id: uuid('id')
    .primaryKey()
    .default(sql`rowbeat.uuid7()`),
  userId: uuid('user_id')
    .notNull()
    .references(() => users.id, { onDelete: 'cascade' }),
  userVersion: integer('user_version').notNull(),
  address: text('address'),
  createdAt: instant('created_at').notNull().default(now),
  usedAt: instant('used_at').notNull().default(now),
  endedAt: instant('ended_at'),
  endReason: text('end_reason').$type<'signed_out' | 'reused'>(),
  cookieHash: bytea('cookie_hash'),
})

export const refreshTokens = rowbeatSchema.table('refresh_tokens', {
  hash: bytea('hash').primaryKey(),
  sessionId: uuid('session_id')
    .notNull()
    .references(() => sessions.id, { onDelete: 'cascade' }),
  createdAt: instant('created_at').notNull().default(now),
  spentAt: instant('spent_at'),
})

export const secrets = rowbeatSchema.table('secrets', {
  name: text('name').primaryKey(),
  value: bytea('value').notNull(),
  createdAt: instant('created_at').notNull().default(now),
})

export const loginFailures = rowbeatSchema.table('login_failures', {
  subject: text('subject').primaryKey(),
  failures: integer('failures').notNull().default(0),
  recent: instant('recent')
    .array()
    .notNull()
    .default(sql`'{}'`),
  blockedUntil: instant('blocked_until')
    .notNull()
    .default(sql`'-infinity'`),
  lastAt: instant('last_at').notNull().default(now),
  trustedAt: instant('trusted_at'),
})

export const auditLog = rowbeatSchema.table('audit_log', {
  id: uuid('id')
    .primaryKey()
    .default(sql`rowbeat.uuid7()`),
  at: instant('at').notNull().default(now),
  actor: text('actor').notNull(),
  actorKind: text('actor_kind').$type<'key' | 'user' | 'process' | 'database'>().notNull(),
  actorId: text('actor_id'),
  via: text('via').$type<'rest' | 'cli' | 'panel' | 'sql'>().notNull(),
  action: text('action').notNull(),
  targetKind: text('target_kind').notNull(),
  target: text('target'),
  before: jsonb('before').$type<Record<string, unknown>>(),
  after: jsonb('after').$type<Record<string, unknown>>(),
  reason: text('reason'),
  requestId: text('request_id'),
  address: text('address'),
  dbUser: text('db_user')
    .notNull()
    .default(sql`session_user`),
})
