/** docs/reference/errors.md has every code of src, and no other, with the status and the exit code it really has. */
import { readdirSync } from 'node:fs'
import t from 'tap'
import ts from 'typescript'
import { PROBLEMS } from '../../src/api/problem.ts'
import { exitCodeOf } from '../../src/cli/words.ts'
import { RowbeatError } from '../../src/errors.ts'
import { ROOT } from '../helpers/process.ts'
import { codeOf, readPage, rowsBy } from './page.ts'

const rows = rowsBy(readPage('docs/reference/errors.md'), 'Code')
const told = rows.map((row) => codeOf(row.Code!))

/** Codes in texts of the source; what a comment says is no code. SQL inside of them counts. */
function codesOfSource(): Set<string> {
  const codes = new Set<string>()
  for (const file of readdirSync(`${ROOT}/src`, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    const source = ts.createSourceFile(file, readPage(`src/${file}`), ts.ScriptTarget.Latest)
    const visit = (node: ts.Node): void => {
      const text = ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node) ? node.text : ''
      const key = ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) ? node.name.text : ''
      for (const [code] of `${text} ${key}`.matchAll(/\bRB_[A-Z_]+\b/g)) codes.add(code)
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return codes
}

t.test('every code of the source is told once, and no other', async (t) => {
  t.strictSame(told.toSorted(), [...codesOfSource()].toSorted())
  t.strictSame(told.length, new Set(told).size)
})

t.test('each has the status it is answered with', async (t) => {
  const statuses = Object.fromEntries(rows.map((row) => [codeOf(row.Code!), row.HTTP]))
  for (const code of told) t.equal(statuses[code], String(PROBLEMS[code]?.status ?? '-'), code)
})

t.test('each has the exit code it ends the command line with', async (t) => {
  for (const { Code, Exit } of rows.filter((row) => row.Exit !== '-'))
    t.equal(Exit, String(exitCodeOf(new RowbeatError(codeOf(Code!), ''))), Code!)
})

t.test('each has a cause', async (t) => {
  for (const { Code, Cause } of rows) t.ok(Cause!.length > 10, Code!)
})
