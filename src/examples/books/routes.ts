/**
 * The import over HTTP: a form, an upload that answers at once with the id of the run, a page and an event
 * stream for each run. Programs get JSON, browsers get pages; both post to the same address.
 */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import multipart from '@fastify/multipart'
import { desc, eq, sql } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Rowbeat } from '../../index.ts'
import { PUBLIC, sendPage } from '../web/layout.ts'
import { prefersPage, Refusal } from '../web/refusal.ts'
import { runEvents, showRun, type ImportRun } from './events.ts'
import { importPage, runPage, type RecentImport, type ShelvedBook } from './pages.ts'
import { books, uploads } from './schema.ts'
import { importBooks } from './tasks.ts'
import { readChoices, readUpload, startImport } from './upload.ts'

const SAMPLE = new URL('../../../data/books.csv', import.meta.url)
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i

type RunRequest = FastifyRequest<{ Params: { run_id: string } }>

export async function bookRoutes(
  app: FastifyInstance,
  { db, rowbeat }: { db: PostgresJsDatabase; rowbeat: Rowbeat },
): Promise<void> {
  await app.register(multipart)
  const closing = new AbortController()
  app.addHook('preClose', async () => closing.abort())

  app.get('/import', PUBLIC, async (_, reply) =>
    sendPage(reply, importPage(await recentImports(db), await latestBooks(db))),
  )

  app.post('/import', PUBLIC, async (request, reply) => {
    const upload = await readUpload(request)
    return answerStarted(request, reply, await startImport(db, rowbeat, upload))
  })

  app.post('/import/sample', PUBLIC, async (request, reply) => {
    const choices = readChoices((request.body ?? {}) as Record<string, unknown>)
    const upload = { name: 'books.csv', content: await readFile(SAMPLE), ...choices }
    return answerStarted(request, reply, await startImport(db, rowbeat, upload))
  })

  app.get('/import/:run_id', PUBLIC, async (request: RunRequest, reply) => {
    const run = await findRun(rowbeat, request.params.run_id)
    if (!prefersPage(request) && request.headers.accept?.includes('json')) return showRun(run)
    const [upload] = await db.select().from(uploads).where(eq(uploads.runId, run.id))
    const shelf = upload && run.state === 'SUCCESS' ? await latestBooks(db, upload.id) : []
    return sendPage(reply, runPage(upload?.name ?? null, run, shelf))
  })

  app.get('/import/:run_id/events', PUBLIC, async (request: RunRequest, reply) => {
    const { id } = await findRun(rowbeat, request.params.run_id)
    const gone = new AbortController()
    reply.raw.on('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, closing.signal])
    return reply
      .type('text/event-stream; charset=utf-8')
      .header('cache-control', 'no-store')
      .header('x-accel-buffering', 'no')
      .send(Readable.from(runEvents(rowbeat.run(importBooks, id), signal)))
  })
}

function answerStarted(request: FastifyRequest, reply: FastifyReply, runId: string): FastifyReply {
  const url = `/import/${runId}`
  if (prefersPage(request)) return reply.redirect(url, 303)
  return reply.code(202).header('location', url).send({ run_id: runId, url })
}

/** Only imports are shown here: the pages are public, other runs are not. */
async function findRun(rowbeat: Rowbeat, id: string): Promise<ImportRun> {
  const run = UUID.test(id) ? await rowbeat.run(importBooks, id).get() : null
  if (run?.task === importBooks.name) return run
  throw new Refusal(404, null, 'There is no such import, or its result has expired.')
}

/** The runs view is SQL like any other: what became of each upload is a join away. */
async function recentImports(db: PostgresJsDatabase): Promise<RecentImport[]> {
  const rows = await db.execute<Record<keyof RecentImport, string | null>>(sql`
    select upload.run_id as "runId", upload.name,
           to_json(upload.created_at at time zone 'UTC')#>>'{}' || 'Z' as "createdAt",
           run.state, run.result->>'imported' as imported
    from ${uploads} upload left join lateral rowbeat.run(upload.run_id) run on true
    order by upload.created_at desc limit 8`)
  return rows.map((row) => ({
    runId: row.runId!,
    name: row.name!,
    createdAt: row.createdAt!,
    state: row.state,
    imported: row.imported === null ? null : Number(row.imported),
  }))
}

async function latestBooks(db: PostgresJsDatabase, uploadId?: string): Promise<ShelvedBook[]> {
  const { title, author, year } = books
  const query = db.select({ title, author, year }).from(books)
  return uploadId === undefined
    ? await query.orderBy(desc(books.id)).limit(10)
    : await query.where(eq(books.uploadId, uploadId)).orderBy(books.id).limit(10)
}
