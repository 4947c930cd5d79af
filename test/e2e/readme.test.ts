/**
 * The README keeps its word: its TypeScript runs as it is printed and prints what it says, its SQL runs, and every file
 * and heading that a page of the documentation points at is there.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { blocksOf, listPages, readPage, withoutBlocks } from '../docs/page.ts'
import { setup } from '../helpers/bundle.ts'
import { ROOT, startProcess } from '../helpers/process.ts'

const README = readPage('README.md')
const blockOf = (language: string): string =>
  blocksOf(README).find((block) => block.language === language)!.text

/** A folder in which `rowbeat` is this source, and the packages the README uses are those of the clone. */
function makeProject(t: { teardown(handler: () => void): unknown }): string {
  const folder = mkdtempSync(join(tmpdir(), 'rowbeat-readme-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'rowbeat'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(modules, 'rowbeat/package.json'), '{ "type": "module", "exports": "./src/index.ts" }')
  // Resolved to its real path, which is outside of node_modules, so that Node runs it as TypeScript.
  symlinkSync(join(ROOT, 'src'), join(modules, 'rowbeat/src'))
  for (const name of ['drizzle-orm', 'postgres'])
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  return folder
}

t.test(
  'the first example runs as it is printed, from an empty database, and prints what it says',
  async (t) => {
    const { url } = await setup(t, { empty: true })
    const folder = makeProject(t)
    const code = blockOf('ts')
    writeFileSync(join(folder, 'main.ts'), code)
    const promised = /console\.log\(.*\) \/\/ (.*)/.exec(code)![1]!
    const child = startProcess(t, join(folder, 'main.ts'), { cwd: folder, env: { DATABASE_URL: url } })
    await child.line(new RegExp(`^${promised.replace(/[{}()[\].]/g, '\\$&')}$`), 30_000)
    t.equal(child.stderr(), '')
  },
)

t.test('its SQL runs and shows the run', async (t) => {
  const { sql } = await setup(t)
  const answers = (await sql.unsafe(blockOf('sql')).simple()) as unknown as Record<string, string>[][]
  const [enqueued, made, shown] = answers.flat()
  t.match(enqueued, { enqueue: /^[0-9a-f-]{36}$/ })
  t.match(made, { create_schedule: /^[0-9a-f-]{36}$/ })
  t.match(shown, { state: 'SCHEDULED', result: null })
  t.match(await sql`select name, enabled from rowbeat.schedules`, [{ name: 'reminders', enabled: false }])
})

t.test('it is no longer than a reader is patient', async (t) => {
  t.ok(README.trimEnd().split('\n').length <= 150)
})

/** As GitHub names the anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

function anchorsOf(path: string): string[] {
  return [...withoutBlocks(readPage(path)).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!))
}

t.test('every link of the documentation leads somewhere', async (t) => {
  for (const page of listPages()) {
    const broken = [...withoutBlocks(readPage(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [path, anchor] = target.split('#') as [string, string?]
        const file = path === '' ? page : join(dirname(page), path)
        return !existsSync(join(ROOT, file)) || (anchor !== undefined && !anchorsOf(file).includes(anchor))
      })
    t.strictSame(broken, [], page)
  }
})

t.test('every file of the repository that a page names is there', async (t) => {
  for (const page of listPages()) {
    const named = [
      ...withoutBlocks(readPage(page)).matchAll(/`((?:src|test|docs|bench|drizzle|bin)\/[\w./-]+)`/g),
    ]
    // A pattern such as NNNN_pre_name.sql names no one file.
    const missing = named
      .map(([, path]) => path!)
      .filter((path) => !path.includes('NNNN') && !existsSync(join(ROOT, path)))
    t.strictSame(missing, [], page)
  }
})
