/** docs/reference/cli.md has every command and flag that `--help` tells, and no other, and the exit codes. */
import t from 'tap'
import { buildProgram } from '../../src/cli/program.ts'
import { EXIT } from '../../src/cli/words.ts'
import { startProcess } from '../helpers/process.ts'
import { codeOf, readPage, rowsBy, tablesOf } from './page.ts'

const page = readPage('docs/reference/cli.md')
const flagsIn = (rows: readonly Record<string, string>[]): string[] =>
  rows.map((row) => codeOf(row.Flag ?? '')).filter(Boolean)

/** Command -> its flags as `--help` shows them. */
function flagsOfProgram(): Record<string, string[]> {
  const program = buildProgram(() => {})
  return Object.fromEntries(
    program.commands.map((command) => {
      const help = command.createHelp()
      return [`rowbeat ${command.name()}`, help.visibleOptions(command).map(({ flags }) => flags)]
    }),
  )
}

t.test('every command is told, with its flags', async (t) => {
  const tables = tablesOf(page)
  const common = flagsIn(tables.find(({ rows }) => flagsIn(rows).includes('--json'))!.rows)
  const headings = [...page.matchAll(/^## (rowbeat .*)$/gm)].map(([, heading]) => heading!)
  const told = headings.map((heading) => {
    const own = flagsIn(tables.find((table) => table.heading === heading)?.rows ?? [])
    return [heading, [...common, ...own].toSorted()]
  })
  const real = Object.entries(flagsOfProgram()).map(([command, flags]) => [command, flags.toSorted()])
  t.strictSame(Object.fromEntries(told), Object.fromEntries(real))
})

t.test('the help that is printed is the one that was compared', async (t) => {
  const help = startProcess(t, 'bin/rowbeat.js', { args: ['worker', '--help'] })
  t.match(await help.ended(), { code: 0 })
  for (const flag of flagsOfProgram()['rowbeat worker']!) t.ok(help.stdout().includes(flag), flag)
})

t.test('the exit codes are those the command line ends with', async (t) => {
  const told = rowsBy(page, 'Code').map((row) => Number(row.Code))
  t.strictSame(told, Object.values(EXIT).toSorted())
})
