/** docs/reference/config.md has every variable that is read, and no other, with its real default. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readConfigFile } from '../../src/cli/config-file.ts'
import { readConfig } from '../../src/config.ts'
import { codeOf, readPage, rowsBy } from './page.ts'

const page = readPage('docs/reference/config.md')
const rows = rowsBy(page, 'Variable').map((row) => ({
  name: codeOf(row.Variable!),
  standard: codeOf(row.Default!),
}))

/** The names that readConfig asks an environment for, and those it knows. */
function variablesRead(): string[] {
  const names = new Set<string>()
  const watched = (values: Record<string, string>) =>
    new Proxy(values, {
      get(target, name: string) {
        names.add(name)
        return target[name]
      },
    })
  readConfig(watched({}))
  readConfig(watched({ PGHOST: '/run/postgresql' }))
  for (const [name] of refusalOf({ ROWBEAT_NO_SUCH: '1' }).matchAll(/ROWBEAT_[A-Z_]+/g)) names.add(name)
  names.delete('ROWBEAT_NO_SUCH')
  // What libpq falls back to for PGUSER.
  names.delete('USER')
  return [...names].toSorted()
}

function refusalOf(env: Record<string, string>): string {
  try {
    readConfig(env)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

t.test('every variable is told, and no other', async (t) => {
  const read = variablesRead()
  const [libpq, own] = [
    read.filter((name) => name.startsWith('PG')),
    read.filter((name) => !name.startsWith('PG')),
  ]
  t.strictSame(rows.map(({ name }) => name).toSorted(), own)
  for (const name of libpq) t.ok(page.includes(`\`${name}\``), name)
})

t.test('to set a variable to its default changes nothing', async (t) => {
  const standard = readConfig({})
  for (const row of rows.filter((one) => one.standard !== ''))
    t.strictSame(readConfig({ [row.name]: row.standard }), standard, row.name)
})

t.test('every field of rowbeat.config.ts is told, with the variable it stands for', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rowbeat-docs-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'rowbeat.config.mjs'), 'export const config = { nothingLikeIt: 1 }')
  const refusal = await readConfigFile(folder).then(
    () => '',
    (error: Error) => error.message,
  )
  const known = /known are (.*)\.$/.exec(refusal)![1]!.split(', ')
  const fields = rowsBy(page, 'Field')
  t.strictSame(
    [
      'tasks',
      'schedules',
      'queueDefinitions',
      'routes',
      'middleware',
      ...fields.map((row) => codeOf(row.Field!)),
    ].toSorted(),
    known.toSorted(),
  )
  const variables = rows.map(({ name }) => name)
  for (const row of fields) t.ok(variables.includes(codeOf(row.Variable!)), row.Variable!)
})
