/**
 * Books out of a CSV file, a batch at a time, so that a file of any size needs little memory.
 *
 * csv-parse gives up a file at its first bad quote, or takes all that follows for one long field. Here a
 * broken row is one row: lines are joined to records by their quotes, a whole batch is parsed in one call,
 * and only when that is refused is each record parsed alone. A record of several lines that does not parse
 * counts as one broken line, and the lines after it get their own chance.
 */
import { parse } from 'csv-parse/sync'

export interface Book {
  title: string
  author: string
  year: number
  /** Where its row begins, the first line of the file being 1. */
  line: number
}

export interface BrokenRow {
  line: number
  message: string
}

export interface Batch {
  books: Book[]
  broken: BrokenRow[]
}

/** Where the three columns stand, and what separates them. */
export interface Header {
  delimiter: string
  title: number
  author: number
  year: number
}

interface Row {
  line: number
  text: string
}

type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export const BATCH_ROWS = 500
/** A quoted field may have line breaks, but a quote open for longer than this was forgotten. */
const ROW_LINES_MAX = 100
const TEXT_MAX = 1000

/** Reads the header line; answers what is wrong with it as a sentence. */
export function readHeader(line: string): Header | string {
  let names: string[] = []
  for (const delimiter of [',', ';', '\t']) {
    const cells = parseRow(line, delimiter)
    if (typeof cells === 'string') return `The first line cannot be read: ${cells}.`
    names = cells.map((cell) => cell.trim().toLowerCase())
    const [title, author, year] = ['title', 'author', 'year'].map((name) => names.indexOf(name))
    if (title! >= 0 && author! >= 0 && year! >= 0)
      return { delimiter, title: title!, author: author!, year: year! }
    if (names.length > 1) break
  }
  const missing = ['title', 'author', 'year'].filter((name) => !names.includes(name))
  const columns = `${missing.length > 1 ? 'columns' : 'column'} ${missing.join(', ')}`
  return `The first line must name the columns title, author and year, in any order; it has no ${columns}.`
}

/**
 * The books and the broken rows of a file, in batches. Throws BadHeader when the first line names no books.
 */
export async function* readBooks(file: Bytes): AsyncGenerator<Batch, void, void> {
  const lines = textLines(file)
  const first = await lines.next()
  const header = readHeader(first.done ? '' : first.value)
  if (typeof header === 'string') throw new BadHeader(header)
  let waiting: string[] = []
  let line = 2
  for (let more = true; more || waiting.length > 0;) {
    while (more && waiting.length < BATCH_ROWS + ROW_LINES_MAX) {
      const next = await lines.next()
      if (next.done) more = false
      else waiting.push(next.value)
    }
    // No row begins so late that its end may not have been read yet.
    const end = more ? waiting.length - ROW_LINES_MAX : waiting.length
    const { batch, used } = parseBatch({ lines: waiting, end, firstLine: line }, header)
    waiting = waiting.slice(used)
    line += used
    if (batch.books.length + batch.broken.length > 0) yield batch
  }
}

/**
 * Rows of the file below its header, as a guess for the progress bar: broken quotes may make it differ a
 * little.
 */
export async function countRows(file: Bytes): Promise<number> {
  let rows = -1
  let open = false
  for await (const line of textLines(file)) {
    if (!open && line.trim() !== '') rows++
    if ((line.split('"').length - 1) % 2 === 1) open = !open
  }
  return Math.max(0, rows)
}

export class BadHeader extends Error {
  override readonly name = 'BadHeader'
}

/** Lines, whatever ends them; a byte order mark is dropped. */
export async function* textLines(file: Bytes): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8')
  let rest = ''
  for await (const bytes of file) {
    const text = rest + decoder.decode(bytes, { stream: true })
    // A carriage return at the very end may be half of a line end.
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text
    const lines = whole.split(/\r\n|\n|\r/)
    rest = lines.pop()! + text.slice(whole.length)
    yield* lines
  }
  const last = (rest + decoder.decode()).split(/\r\n|\n|\r/)
  if (last.at(-1) === '') last.pop()
  yield* last
}

/** Lines in memory: rows begin below `end`, what follows may be needed to end them. */
interface Window {
  lines: readonly string[]
  end: number
  firstLine: number
}

/** At most a batch of rows; `used` counts the lines that were dealt with. */
function parseBatch(window: Window, header: Header): { batch: Batch; used: number } {
  const { rows, used } = joinRows(window)
  const parsed = parseRows(rows, header.delimiter)
  if (!parsed) return parseOneByOne(window, header)
  const batch: Batch = { books: [], broken: [] }
  for (const [i, row] of rows.entries()) sortRow(batch, readBook(parsed[i]!, header, row.line), row.line)
  return { batch, used }
}

function parseOneByOne({ lines, end, firstLine }: Window, header: Header): { batch: Batch; used: number } {
  const batch: Batch = { books: [], broken: [] }
  let at = 0
  while (at < end && batch.books.length + batch.broken.length < BATCH_ROWS) {
    const taken = rowLines(lines, at)
    const text = lines.slice(at, at + taken).join('\n')
    const line = firstLine + at
    const cells = text.trim() === '' ? null : parseRow(text, header.delimiter)
    if (cells !== null)
      sortRow(batch, typeof cells === 'string' ? cells : readBook(cells, header, line), line)
    at += typeof cells === 'string' ? 1 : taken
  }
  return { batch, used: at }
}

/** Joins lines to rows: a row goes on while a quote is open. Blank lines are left out. */
function joinRows({ lines, end, firstLine }: Window): { rows: Row[]; used: number } {
  const rows: Row[] = []
  let at = 0
  while (at < end && rows.length < BATCH_ROWS) {
    const taken = rowLines(lines, at)
    const text = taken === 1 ? lines[at]! : lines.slice(at, at + taken).join('\n')
    if (text.trim() !== '') rows.push({ line: firstLine + at, text })
    at += taken
  }
  return { rows, used: at }
}

/** Lines of the row that begins at `at`; 1 when a quote opened there is not closed within reach. */
function rowLines(lines: readonly string[], at: number): number {
  let open = false
  for (let taken = 1; taken <= ROW_LINES_MAX && at + taken <= lines.length; taken++) {
    const line = lines[at + taken - 1]!
    if (line.includes('"') && (line.split('"').length - 1) % 2 === 1) open = !open
    if (!open) return taken
  }
  return 1
}

function sortRow(batch: Batch, book: Book | string, line: number): void {
  if (typeof book === 'string') batch.broken.push({ line, message: book })
  else batch.books.push(book)
}

/** All rows in one call, or null when one of them is broken. */
function parseRows(rows: readonly Row[], delimiter: string): string[][] | null {
  try {
    const parsed = parse(rows.map((row) => row.text).join('\n'), {
      delimiter,
      relaxColumnCount: true,
      recordDelimiter: '\n',
    })
    return parsed.length === rows.length ? parsed : null
  } catch {
    return null
  }
}

/** The cells of one row, or what is wrong with it. */
function parseRow(text: string, delimiter: string): string[] | string {
  try {
    return parse(text, { delimiter, relaxColumnCount: true, recordDelimiter: '\n' })[0] ?? ['']
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quote is opened and never closed'
    if (code === 'CSV_INVALID_CLOSING_QUOTE')
      return 'there is text between a closing quote and the next column'
    return 'a quote stands inside a column: put the column in quotes and double the quote, as in "5"" disk"'
  }
}

/** A book, or what is wrong with its row. */
function readBook(cells: readonly string[], header: Header, line: number): Book | string {
  const title = cells[header.title]?.trim()
  const author = cells[header.author]?.trim()
  const year = cells[header.year]?.trim()
  if (!title) return 'the title is missing'
  if (!author) return 'the author is missing'
  if (!year) return 'the year is missing'
  if (title.length > TEXT_MAX || author.length > TEXT_MAX)
    return `the ${title.length > TEXT_MAX ? 'title' : 'author'} is longer than ${TEXT_MAX} characters`
  if (!/^-?\d{1,4}$/.test(year)) {
    const shown = year.length > 40 ? `${year.slice(0, 40)}…` : year
    return `the year is "${shown}": write a whole number, such as 1840`
  }
  return { title, author, year: Number(year), line }
}
