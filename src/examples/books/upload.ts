/**
 * From a multipart form to a run: the form is read and looked at before anything is written, because "this is
 * a spreadsheet, save it as CSV" helps at once, and helps nobody as a failed run an hour later. Then the file
 * and the run that imports it are written in one transaction: there is never a run without its file, nor a
 * file that nobody imports.
 */
import { randomUUID } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { Rowbeat } from '../../index.ts'
import { emailAddress } from '../web/email.ts'
import { Refusal } from '../web/refusal.ts'
import { readHeader, textLines } from './csv.ts'
import { uploadParts, uploads } from './schema.ts'
import { importBooks } from './tasks.ts'

export const UPLOAD_MAX = 20 * 1024 * 1024
const PART = 256 * 1024

export interface Upload {
  name: string
  content: Buffer
  onError: 'skip' | 'stop'
  email: string | undefined
}

/** Reads the form of the import page. Throws Refusal, which says what to do about it. */
export async function readUpload(request: FastifyRequest): Promise<Upload> {
  if (!request.isMultipart())
    throw new Refusal(415, '/file', 'Send the file as multipart/form-data, in a field named "file".')
  const { file, fields } = await readForm(request).catch(explainTooLarge)
  if (!file || (file.content.length === 0 && !file.name))
    throw new Refusal(422, '/file', 'Choose a CSV file first: there was none in the field "file".')
  const { onError, email } = readChoices(fields)
  await checkCsv(file.content)
  return { name: cleanName(file.name), content: file.content, onError, email }
}

interface Form {
  fields: Record<string, string>
  file: { name: string; content: Buffer } | null
}

async function readForm(request: FastifyRequest): Promise<Form> {
  const form: Form = { fields: {}, file: null }
  const limits = { fileSize: UPLOAD_MAX, files: 4, fields: 20, fieldSize: 1000 }
  for await (const part of request.parts({ limits })) {
    if (part.type === 'field') form.fields[part.fieldname] = String(part.value)
    else if (part.fieldname !== 'file' || form.file) part.file.resume()
    else form.file = { name: part.filename ?? '', content: await part.toBuffer() }
  }
  return form
}

/** What the page lets one choose, also where the file is the bundled one. */
export function readChoices(fields: Record<string, unknown>): Pick<Upload, 'onError' | 'email'> {
  const onError = fields.on_error || 'skip'
  if (onError !== 'skip' && onError !== 'stop')
    throw new Refusal(422, '/on_error', 'on_error must be "skip" or "stop".')
  if (!fields.email) return { onError, email: undefined }
  const email = emailAddress.safeParse(fields.email)
  if (!email.success) throw new Refusal(422, '/email', 'The mail address is not valid: write name@host.')
  return { onError, email: email.data }
}

/** Throws Refusal unless this is UTF-8 text whose first line names the columns. */
export async function checkCsv(content: Buffer): Promise<void> {
  if (content.length === 0) throw new Refusal(422, '/file', 'The file is empty: choose one with books in it.')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    throw new Refusal(422, '/file', 'The file is not text in UTF-8: save it as "CSV UTF-8" and upload that.')
  }
  if (text.includes('\0'))
    throw new Refusal(
      422,
      '/file',
      'The file is not a CSV file, it has zero bytes in it: save it as "CSV UTF-8".',
    )
  const first = await textLines([content]).next()
  const header = readHeader(first.value ?? '')
  if (typeof header === 'string') throw new Refusal(422, '/file', header)
}

/** Stores the file and enqueues its import, both or neither. Answers the id of the run. */
export async function startImport(db: PostgresJsDatabase, rowbeat: Rowbeat, upload: Upload): Promise<string> {
  return await db.transaction(async (tx) => {
    const id = randomUUID()
    const { name, content, onError, email } = upload
    const run = await rowbeat.in(tx).enqueue(importBooks, { upload_id: id, on_error: onError, email })
    await tx.insert(uploads).values({ id, runId: run.id, name, bytes: content.length })
    for (let part = 0; part * PART < content.length; part++) {
      const bytes = content.subarray(part * PART, (part + 1) * PART)
      await tx.insert(uploadParts).values({ uploadId: id, part, content: bytes })
    }
    return run.id
  })
}

function explainTooLarge(error: { code?: string }): never {
  if (error.code !== 'FST_REQ_FILE_TOO_LARGE') throw error
  throw new Refusal(413, '/file', 'The file is larger than 20 MB: split it and import the parts one by one.')
}

/** A file name as text to show: no folders, no control characters, no half characters. */
function cleanName(name: string): string {
  const base = name.split(/[\\/]/).at(-1)!
  const shown = base.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '').trim()
  return [...shown].slice(0, 120).join('') || 'upload.csv'
}
