/**
 * `rowbeat runs export [query]`: all runs that match, to stdout or a file, page by page, so that a million cost the memory of one
 * page. A file is written beside its name and takes it when it is whole.
 */
import { once } from 'node:events'
import { renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { PROCESS } from '../../auth/scopes.ts'
import { EXPORT_FORMATS, exportRuns, type ExportFormat } from '../../control/export.ts'
import { createRunControl } from '../../control/runs.ts'
import { ConfigError } from '../../errors.ts'
import { withRowbeat } from '../database.ts'
import { readSettings } from '../options.ts'
import { EXIT, tell } from '../words.ts'
import { queryFrom, type FilterFlags } from './list.ts'

export interface ExportFlags extends FilterFlags {
  format?: string
  output?: string
}

export async function exportAll(words: readonly string[], flags: ExportFlags): Promise<number> {
  const format = formatOf(flags)
  const { config } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const filter = await queryFrom(rowbeat, words, flags)
    const pieces = await exportRuns(createRunControl(rowbeat).list, PROCESS, filter, format)
    if (flags.output === undefined) await pour(pieces)
    else await writeWhole(flags.output, pieces)
    return EXIT.done
  })
}

function formatOf({ format, json, output }: ExportFlags): ExportFormat {
  const ending = EXPORT_FORMATS.find((known) => output?.endsWith(`.${known}`))
  const asked = format ?? (json ? 'json' : (ending ?? 'csv'))
  const found = EXPORT_FORMATS.find((known) => known === asked)
  if (found) return found
  throw new ConfigError(`--format is "${asked}": use one of ${EXPORT_FORMATS.join(', ')}.`)
}

/** As fast as the reader takes it; one that has left (`| head`) ends it. */
async function pour(pieces: AsyncIterable<string>): Promise<void> {
  const { stdout } = process
  const over = new AbortController()
  const leave = (): void => over.abort()
  stdout.on('error', leave)
  try {
    for await (const piece of pieces) {
      if (over.signal.aborted) return
      if (!stdout.write(piece)) await once(stdout, 'drain', { signal: over.signal }).catch(() => {})
    }
  } finally {
    stdout.off('error', leave)
  }
}

async function writeWhole(path: string, pieces: AsyncIterable<string>): Promise<void> {
  const half = `${path}.${process.pid}.part`
  const file = await open(half, 'wx').catch((cause: Error) => {
    throw new ConfigError(`--output: ${path} cannot be written (${cause.message}): give another.`, { cause })
  })
  try {
    for await (const piece of pieces) await file.write(piece)
    await file.close()
    renameSync(half, path)
    tell(`${path} is written.`)
  } catch (error) {
    await file.close().catch(() => {})
    rmSync(half, { force: true })
    throw error
  }
}
