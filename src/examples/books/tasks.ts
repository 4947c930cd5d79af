/**
 * books.import: a CSV file into the table of books, with a bar that moves, and a mail when it is done.
 *
 * The file waits in Postgres (examples.upload_parts), so any worker on any machine can take the run. The task
 * is `transactional`: the books, the mail's run and the run's own result are one commit. A worker that dies
 * half-way leaves nothing behind, and the worker that takes over starts clean; no row is ever imported twice.
 *
 * `context.tx` is postgres.js here, because the worker was started from a database URL.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { TransactionSql } from 'postgres'
import { z } from 'zod'
import { Discard, task, type Context } from '../../index.ts'
import { sendMail } from '../mail.ts'
import { BadHeader, BATCH_ROWS, countRows, readBooks, type Batch, type BrokenRow } from './csv.ts'

export interface ImportResult {
  imported: number
  failed: number
  /** The first hundred. */
  errors: BrokenRow[]
}

const ERRORS_MAX = 100
/**
 * A small file is imported so fast that nobody would see the bar move: batches are paced to take this long in
 * all.
 */
const PACE_MS = 2000

export const importBooks = task(
  'books.import',
  {
    input: z.object({
      upload_id: z.uuid(),
      on_error: z.enum(['skip', 'stop']).default('skip'),
      /** Who gets the mail. */
      email: z.string().optional(),
    }),
    transactional: true,
    attemptsMax: 3,
    retry: { base: '2s' },
    timeLimit: '15 minutes',
  },
  async ({ upload_id, on_error, email }, context): Promise<ImportResult> => {
    const tx: TransactionSql = context.tx
    const [upload] = await tx<{ name: string; parts: number }[]>`
      select name, (select count(*)::int from examples.upload_parts where upload_id = id) as parts
      from examples.uploads where id = ${upload_id}`
    if (!upload) throw new Discard(`there is no upload ${upload_id}: upload the file again`)
    if (upload.parts === 0) throw new Discard(`upload ${upload_id} was imported already`)
    context.log.info(`importing ${upload.name}`)
    const result = await insertBooks(tx, upload_id, upload.parts, on_error, context)
    await tx`delete from examples.upload_parts where upload_id = ${upload_id}`
    await enqueueReport(tx, { file: upload.name, email: email ?? 'librarian@example.com', ...result })
    return result
  },
)

const reportInput = z.object({
  email: z.string(),
  file: z.string(),
  imported: z.int(),
  failed: z.int(),
  errors: z.array(z.object({ line: z.int(), message: z.string() })),
})

/** A run of its own, so that a mail server that is down never makes an import run twice. */
export const sendImportReport = task(
  'books.send_import_report',
  {
    input: reportInput,
    attemptsMax: 8,
    retry: { base: '5s', cap: '10 minutes' },
    timeLimit: '1 minute',
  },
  async ({ email, file, imported, failed, errors }, { run }) => {
    const refused = errors.slice(0, 10).map(({ line, message }) => `  line ${line}: ${message}`)
    if (failed > refused.length) refused.push(`  … and ${failed - refused.length} more`)
    await sendMail({
      to: email,
      subject: `${imported} ${imported === 1 ? 'book' : 'books'} imported from ${file}`,
      text: [`Books imported: ${imported}`, `Rows refused:   ${failed}`, ...refused].join('\n'),
      messageId: `<import-report-${run.id}@rowbeat.invalid>`,
    })
  },
)

async function insertBooks(
  tx: TransactionSql,
  uploadId: string,
  parts: number,
  onError: 'skip' | 'stop',
  { progress, signal }: Context,
): Promise<ImportResult> {
  const total = await countRows(uploadedBytes(tx, uploadId, parts))
  const pauseMs = Math.min(100, PACE_MS / Math.max(1, Math.ceil(total / BATCH_ROWS)))
  const result: ImportResult = { imported: 0, failed: 0, errors: [] }
  progress(0, total)
  try {
    for await (const batch of readBooks(uploadedBytes(tx, uploadId, parts))) {
      signal.throwIfAborted()
      if (onError === 'stop' && batch.broken.length > 0) {
        await tx`delete from examples.books where upload_id = ${uploadId}`
        return { imported: 0, failed: 1, errors: batch.broken.slice(0, 1) }
      }
      await insertBatch(tx, uploadId, batch)
      result.imported += batch.books.length
      result.failed += batch.broken.length
      result.errors.push(...batch.broken.slice(0, ERRORS_MAX - result.errors.length))
      const done = result.imported + result.failed
      progress(done, Math.max(done, total), { failed: result.failed })
      await wait(pauseMs, undefined, { signal })
    }
  } catch (error) {
    throw error instanceof BadHeader ? new Discard(error.message) : error
  }
  return result
}

/** One statement a batch; the rows travel as JSON, one parameter however many they are. */
async function insertBatch(tx: TransactionSql, uploadId: string, { books }: Batch): Promise<void> {
  if (books.length === 0) return
  await tx`
    insert into examples.books (title, author, year, line, upload_id)
    select title, author, year, line, ${uploadId}::uuid
    from json_to_recordset(${JSON.stringify(books)}::text::json)
      as book (title text, author text, year int, line int)`
}

async function* uploadedBytes(
  tx: TransactionSql,
  uploadId: string,
  parts: number,
): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < parts; part++) {
    const [row] = await tx<{ content: Uint8Array }[]>`
      select content from examples.upload_parts where upload_id = ${uploadId} and part = ${part}`
    yield row!.content
  }
}

/**
 * Enqueued as any other language would do it, by SQL: the mail is asked for if and only if the import
 * commits.
 */
async function enqueueReport(tx: TransactionSql, report: z.input<typeof reportInput>): Promise<void> {
  await tx`select rowbeat.enqueue('books.send_import_report', ${JSON.stringify(report)}::text::jsonb)`
}
