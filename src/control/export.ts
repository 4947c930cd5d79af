/**
 * All runs that pass a filter, as a stream: read page by page as whoever reads it has room, so a million rows cost the memory of
 * one page. A run that moves while it is read is told once or not at all, never twice.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { stringify } from 'csv-stringify/sync'
import { RUN_KEYS, type RunDocument } from '../results/run.ts'
import type { RunPage, RunQuery } from './run-page.ts'

export const EXPORT_FORMATS = ['ndjson', 'json', 'csv'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** Text of a page, about. Runs may be large, so the first page is small, and tells how large they are. */
const PAGE_LENGTH = 4_000_000
const FIRST_PAGE = 50
const PAGE_MAX = 500

/** Text of the file, in pieces. The first piece is made before it answers, so that what is refused is refused at once. */
export async function exportRuns(
  list: (caller: Caller, query: RunQuery) => Promise<RunPage>,
  caller: Caller,
  filter: Omit<RunQuery, 'limit'>,
  format: ExportFormat,
): Promise<AsyncGenerator<string, void, void>> {
  requireScope(caller, 'runs:read')
  const first = await list(caller, { ...filter, limit: FIRST_PAGE })
  const write = WRITERS[format]

  async function* pieces(): AsyncGenerator<string, void, void> {
    let page = first
    let isFirst = true
    let limit = FIRST_PAGE
    yield write.head
    for (;;) {
      const text: string = page.items.length > 0 ? write.rows(page.items, isFirst) : ''
      if (text !== '') yield text
      isFirst &&= text === ''
      if (page.before === null) break
      if (text !== '') limit = Math.ceil((PAGE_LENGTH * page.items.length) / text.length)
      page = await list(caller, { ...filter, before: page.before, limit: Math.min(limit, PAGE_MAX) })
    }
    yield write.foot
  }
  return pieces()
}

interface Writer {
  head: string
  rows(runs: readonly RunDocument[], isFirst: boolean): string
  foot: string
}

const JSON_COLUMNS: readonly string[] = ['input', 'result', 'error', 'progress', 'headers', 'tags']

/** A spreadsheet takes what begins so for a formula, and would run it. */
const FORMULA = /^[=+\-@\t\r]/
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

function cellOf(run: RunDocument, column: keyof RunDocument): string {
  const value = run[column]
  if (value === null) return ''
  const text = JSON_COLUMNS.includes(column) ? JSON.stringify(value) : String(value)
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
}

const csv = (rows: readonly (readonly string[])[]): string =>
  stringify(rows as string[][], { record_delimiter: 'windows' })

const WRITERS: Readonly<Record<ExportFormat, Writer>> = {
  ndjson: { head: '', rows: (runs) => runs.map((run) => `${JSON.stringify(run)}\n`).join(''), foot: '' },
  json: {
    head: '{"items":[',
    rows: (runs, isFirst) => `${isFirst ? '' : ','}${runs.map((run) => JSON.stringify(run)).join(',')}`,
    foot: ']}\n',
  },
  csv: {
    head: csv([RUN_KEYS]),
    rows: (runs) => csv(runs.map((run) => RUN_KEYS.map((column) => cellOf(run, column)))),
    foot: '',
  },
}
