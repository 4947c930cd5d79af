/**
 * The tables of the books example, as drizzle values for the pages and as plain DDL that makes them. The DDL
 * may run at every start and in several processes at once: an advisory lock lets one through at a time, since
 * two `create schema if not exists` at the same moment can still collide.
 */
import { bigint, customType, integer, pgSchema, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import type { Sql } from 'postgres'

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })
const examples = pgSchema('examples')

export const books = examples.table('books', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  title: text('title').notNull(),
  author: text('author').notNull(),
  year: integer('year').notNull(),
  line: integer('line').notNull(),
  uploadId: uuid('upload_id').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})

export const uploads = examples.table('uploads', {
  id: uuid('id').primaryKey(),
  runId: uuid('run_id').notNull(),
  name: text('name').notNull(),
  bytes: integer('bytes').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})

/** The file itself, in parts of a quarter of a megabyte, until it is imported. */
export const uploadParts = examples.table(
  'upload_parts',
  {
    uploadId: uuid('upload_id').notNull(),
    part: integer('part').notNull(),
    content: bytea('content').notNull(),
  },
  (table) => [primaryKey({ columns: [table.uploadId, table.part] })],
)

export async function prepare(sql: Sql): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('rowbeat examples'))`
    await tx.unsafe(`
      create schema if not exists examples;
      create table if not exists examples.books (
        id bigint generated always as identity primary key,
        title text not null,
        author text not null,
        year int not null,
        line int not null,
        upload_id uuid not null,
        created_at timestamptz not null default now()
      );
      create index if not exists books_upload_id on examples.books (upload_id);
      create table if not exists examples.uploads (
        id uuid primary key,
        run_id uuid not null,
        name text not null,
        bytes int not null,
        created_at timestamptz not null default now()
      );
      create index if not exists uploads_created_at on examples.uploads (created_at);
      create table if not exists examples.upload_parts (
        upload_id uuid not null references examples.uploads on delete cascade,
        part int not null,
        content bytea not null,
        primary key (upload_id, part)
      );
    `)
  })
}
