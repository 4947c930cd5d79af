/** docs/reference/cli.md has every command and flag that `--help` tells, and no other, and the exit codes. */
import type { Command } from 'commander'
import t from 'tap'
import { buildProgram } from '../../src/cli/program.ts'
import { EXIT } from '../../src/cli/words.ts'
import { startProcess } from '../helpers/process.ts'
import { codeOf, readPage, rowsBy, tablesOf } from './page.ts'

const page = readPage('docs/reference/cli.md')
const tables = tablesOf(page)
/** The flags of a table; one that several commands share is named by a link to it. */
const flagsIn = (rows: readonly Record<string, string>[]): string[] =>
  rows.flatMap((row) => {
    const shared = /^\[(\w+)\]\(#\w+\)$/.exec(row.Flag ?? '')?.[1]
    return shared ? flagsUnder(shared) : [codeOf(row.Flag ?? '')].filter(Boolean)
  })
const flagsUnder = (heading: string): string[] =>
  flagsIn(tables.find((table) => table.heading === heading)?.rows ?? [])

/** Command -> its flags as `--help` shows them; of a family, its members. */
function flagsOfProgram(): Record<string, string[]> {
  const visit = (command: Command, name: string): [string, string[]][] => {
    const own = command.createHelp().visibleOptions(command)
    const members = command.commands.flatMap((one) => visit(one, `${name} ${one.name()}`))
    // Of a family only what can be called by itself too: it takes more than --help.
    const isCalled = name !== 'rowbeat' && (members.length === 0 || own.length > 1)
    return [...(isCalled ? [[name, own.map(({ flags }) => flags)] as [string, string[]]] : []), ...members]
  }
  return Object.fromEntries(
    visit(
      buildProgram(() => {}),
      'rowbeat',
    ),
  )
}

t.test('every command is told, with its flags', async (t) => {
  const common = flagsIn(tables.find(({ rows }) => flagsIn(rows).includes('--json'))!.rows)
  const headings = [...page.matchAll(/^##+ (rowbeat .*)$/gm)].map(([, heading]) => heading!)
  const real = flagsOfProgram()
  const families = headings.filter((heading) =>
    Object.keys(real).some((name) => name.startsWith(`${heading} `) && !Object.hasOwn(real, heading)),
  )
  t.strictSame(families.toSorted(), [
    'rowbeat config',
    'rowbeat keys',
    'rowbeat queues',
    'rowbeat schedules',
    'rowbeat users',
    'rowbeat webhooks',
  ])
  const told = headings
    .filter((heading) => !families.includes(heading))
    .map((heading) => [heading, [...common, ...flagsUnder(heading)].toSorted()])
  t.strictSame(
    Object.fromEntries(told),
    Object.fromEntries(Object.entries(real).map(([command, flags]) => [command, flags.toSorted()])),
  )
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
