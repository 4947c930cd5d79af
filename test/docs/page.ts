/**
 * A page of docs/ as data: its tables by the heading they stand under, and its blocks of code. What the documentation
 * says in tables is what tests compare with the code.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../helpers/process.ts'

export interface Table {
  /** Text of the nearest heading above. */
  readonly heading: string
  /** Column -> cell, as written. */
  readonly rows: readonly Record<string, string>[]
}

export interface Block {
  readonly language: string
  readonly text: string
  /** Of the opening fence, from 1. */
  readonly line: number
}

export const readPage = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Every page of docs/, and the pages at the top that point into it. */
export function listPages(): string[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  const top = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md']
  return [
    ...top,
    ...docs
      .filter((path) => path.endsWith('.md'))
      .map((path) => `docs/${path}`)
      .toSorted(),
  ]
}

export function tablesOf(text: string): Table[] {
  const tables: { heading: string; rows: Record<string, string>[] }[] = []
  let heading = ''
  let columns: string[] | null = null
  for (const line of withoutBlocks(text).split('\n')) {
    if (/^#+ /.test(line)) heading = line.replace(/^#+ /, '')
    if (!line.startsWith('|')) columns = null
    else if (!columns) {
      columns = cellsOf(line)
      tables.push({ heading, rows: [] })
    } else if (!/^\|[ :|-]+\|$/.test(line)) {
      const cells = cellsOf(line)
      tables.at(-1)!.rows.push(Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? ''])))
    }
  }
  return tables
}

/** All rows of the tables that have this first column. */
export function rowsBy(text: string, column: string): Record<string, string>[] {
  return tablesOf(text).flatMap(({ rows }) => rows.filter((row) => Object.keys(row)[0] === column))
}

export function blocksOf(text: string): Block[] {
  const lines = text.split('\n')
  const blocks: Block[] = []
  for (let start = 0; start < lines.length; start++) {
    const fence = /^```(\w*)$/.exec(lines[start]!)
    if (!fence) continue
    const end = lines.indexOf('```', start + 1)
    blocks.push({
      language: fence[1]!,
      text: `${lines.slice(start + 1, end).join('\n')}\n`,
      line: start + 1,
    })
    start = end
  }
  return blocks
}

/** The code in a cell: `x` -> x. */
export const codeOf = (cell: string): string => /^`([^`]*)`/.exec(cell)?.[1] ?? ''

export function withoutBlocks(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '')
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
}
