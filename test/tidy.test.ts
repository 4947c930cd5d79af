/**
 * The architecture is a test (ARCHITECTURE.md, the invariants). Each rule is first shown to find its fault on a small
 * planted tree, because a rule that finds nothing also passes; then the real tree has to be clean.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from './helpers/process.ts'
import { findFaults, FLOORS } from './helpers/tidy.ts'
import type { Tree } from './helpers/tidy.ts'

const essay = (body: string): string => `/** What this file is about, in a sentence. */\n${body}\n`

const CLEAN: Record<string, string> = {
  'src/errors.ts': essay(
    "export class Fault extends Error {}\nexport const fault = () => new Error('here it may')",
  ),
  'src/config.ts': essay('export const readEnv = () => process.env'),
  'src/clock.ts': essay('export const now = () => Date.now()\nexport const today = () => new Date()'),
  'src/tasks/task.ts': essay("import { fault } from '../errors.ts'\nexport const task = fault"),
  'src/db/migrate.ts': essay(
    "import { runMigrations } from 'graphile-worker'\nexport const migrate = runMigrations\nexport const sql = 'select 1'",
  ),
  'src/db/statements/jobs.ts': essay('export const jobs = "select from rowbeat_queue._private_jobs"'),
  'src/worker/worker.ts': essay("import { migrate } from '../db/migrate.ts'\nexport const work = migrate"),
  'src/beat/beat.ts': essay(
    "export const words = 'process.env and console.log and TODAY: in text no offence'",
  ),
  'src/api/plugin.ts': essay(
    "import type { task } from '../tasks/task.ts'\nexport type Plugin = typeof task",
  ),
  'src/index.ts': essay("export { task } from './tasks/task.ts'\nexport { work } from './worker/worker.ts'"),
  'src/cli/main.ts': essay(
    [
      "import { readEnv } from '../config.ts'",
      "import { now, today } from '../clock.ts'",
      "import { jobs } from '../db/statements/jobs.ts'",
      "import { words } from '../beat/beat.ts'",
      "const { Plugin } = await import('../api/plugin.ts')",
      'console.log(readEnv, now, today, jobs, words, Plugin)',
      "process.on('SIGTERM', () => process.exit())",
    ].join('\n'),
  ),
  'admin/panel.ts': essay(
    "import { AdminJS } from 'adminjs'\nimport { en } from './locale/en.ts'\nimport type { Plugin } from '../src/api/plugin.ts'\nexport const panel = (plugin: Plugin) => [AdminJS, en, plugin]",
  ),
  'admin/locale/en.ts': essay("export const en = { title: 'Runs' }"),
  'admin/ui/main.tsx': essay(
    'import { en } from \'../locale/en.ts\'\nexport const page = () => <h1 className="rb-title">{en.title} {Date.now()}</h1>',
  ),
  'src/examples/books/tasks.ts': essay(
    "import { task } from '../../index.ts'\nconsole.log(task, new Date())",
  ),
}

/** Rule -> file -> the line that breaks it, put behind what the clean file has. */
const FAULTS: [rule: string, file: string, line: string][] = [
  ['upward import', 'src/tasks/task.ts', "import '../db/migrate.ts'"],
  ['unknown floor', 'src/index.ts', "import './utils/thing.ts'"],
  ['stranger', 'src/beat/beat.ts', "import type { work } from '../worker/worker.ts'"],
  ['stranger', 'src/api/plugin.ts', "export { work } from '../worker/worker.ts'"],
  ['cycle', 'src/errors.ts', "import './clock.ts'"],
  ['dead file', 'src/db/forgotten.ts', 'export const forgotten = 1'],
  ['example reaches inside', 'src/examples/books/tasks.ts', "import '../../db/migrate.ts'"],
  ['input or output below', 'src/tasks/task.ts', "import 'node:fs'"],
  ['graphile-worker', 'src/worker/worker.ts', "import type { Job } from 'graphile-worker'"],
  ['adminjs', 'src/api/plugin.ts', "await import('adminjs')"],
  ['upward import', 'src/worker/worker.ts', "import '../../admin/panel.ts'"],
  ['two sides of the panel', 'admin/ui/main.tsx', "import '../panel.ts'"],
  ['two sides of the panel', 'admin/panel.ts', "import './ui/main.tsx'"],
  ['raw HTML', 'admin/ui/main.tsx', "export const raw = { dangerouslySetInnerHTML: { __html: '' } }"],
  ['raw HTML', 'admin/ui/main.tsx', 'export const wide = () => <p style={{ width: 1 }} />'],
  ['console', 'admin/ui/main.tsx', "console.log('no')"],
  ['private table', 'src/db/migrate.ts', "export const jobs = 'from _private_jobs'"],
  ['process.env', 'src/tasks/task.ts', 'export const mode = process.env.MODE'],
  ['process.exit', 'src/worker/worker.ts', 'export const stop = () => process.exit(1)'],
  ['process.exit', 'src/worker/worker.ts', "process.on('SIGTERM', work)"],
  ['console', 'src/api/plugin.ts', "console.error('no')"],
  ['clock', 'src/beat/beat.ts', 'export const due = Date.now()'],
  ['clock', 'src/beat/beat.ts', 'export const due = new Date()'],
  ['new Error', 'src/tasks/task.ts', "throw new Error('no')"],
  ['SQL outside db', 'src/api/plugin.ts', 'export const list = `select * from rowbeat.runs ${1}`'],
  ['SQL outside db', 'src/api/plugin.ts', "export const drop = '/* drop_run */ DELETE FROM rowbeat.results'"],
  ['module state', 'src/tasks/task.ts', 'let count = 0'],
  ['module state', 'src/tasks/task.ts', 'export const known = new Map<string, number>()'],
  ['default export', 'src/tasks/task.ts', 'export default task'],
  ['enum', 'src/tasks/task.ts', 'export enum State { Ready }'],
  ['left undone', 'src/tasks/task.ts', '// TODO later'],
  ['long line', 'src/tasks/task.ts', `export const long = ${'1 + '.repeat(30)}1`],
  ['long file', 'src/tasks/task.ts', '//\n'.repeat(400)],
  ['long function', 'src/tasks/task.ts', `export function long() {\n${'  task()\n'.repeat(70)}}`],
]

t.test('a clean tree has no faults', async (t) => {
  t.strictSame(findFaults(new Map(Object.entries(CLEAN))), [])
})

for (const [rule, file, line] of FAULTS) {
  t.test(`${rule} is found: ${line.slice(0, 60).split('\n')[0]}`, async (t) => {
    const found = findFaults(planted(rule, file, line))
    t.strictSame([...new Set(found.map((one) => one.rule))], [rule])
    t.ok(found.some(({ at }) => at.startsWith(rule === 'unknown floor' ? 'src/utils/thing.ts:' : `${file}:`)))
  })
}

t.test('no opening comment is found', async (t) => {
  const found = findFaults(
    new Map(Object.entries({ ...CLEAN, 'src/index.ts': CLEAN['src/index.ts']!.slice(48) })),
  )
  t.match(found, [{ rule: 'no opening comment', at: 'src/index.ts:1' }])
})

t.test('every floor is a folder that was meant', async (t) => {
  t.strictSame(FLOORS.length, new Set(FLOORS).size)
})

t.test('the real tree is clean', async (t) => {
  const found = findFaults(new Map([...readTree('src'), ...readTree('admin')]))
  t.strictSame(
    found.map(({ rule, at, words }) => `${at} ${rule}: ${words}`),
    [],
  )
})

function planted(rule: string, file: string, line: string): Tree {
  const tree: Record<string, string> = { ...CLEAN, [file]: `${CLEAN[file] ?? essay('')}${line}\n` }
  if (rule === 'unknown floor') tree['src/utils/thing.ts'] = essay('export const thing = 1')
  if (rule === 'cycle') tree['src/clock.ts'] += "import './errors.ts'\n"
  return new Map(Object.entries(tree))
}

function readTree(folder: string): Tree {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  const paths = files
    .filter((file) => /(?<!\.d)\.tsx?$/.test(file))
    .toSorted()
    .map((file) => `${folder}/${file}`)
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
}
