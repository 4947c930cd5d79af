/** What runs before `npm start` and `npm test`, with an npm that only writes down what it was asked. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { ROOT, startProcess } from '../helpers/process.ts'

const LOCK = {
  packages: {
    '': { name: 'rowbeat' },
    'node_modules/one': { version: '1.0.0' },
    'node_modules/mac-only': { version: '1.0.0', optional: true },
  },
}
const HIDDEN = { packages: { 'node_modules/one': { version: '1.0.0' } } }

/** Stands in for npm: notes its words, talks on stdout as npm does, and "installs". */
const NPM = `
const fs = require('node:fs')
fs.appendFileSync('asked', process.argv.slice(2).join(' ') + '\\n')
console.log('added 1 package')
if (process.argv[2] === 'ci') fs.mkdirSync('node_modules', { recursive: true })
if (process.argv[2] === 'ci') fs.writeFileSync('node_modules/.package-lock.json', ${JSON.stringify(JSON.stringify(HIDDEN))})
process.exitCode = fs.existsSync('offline') ? 1 : 0
`

t.test('a fresh clone is installed once, and npm talks on stderr only', async (t) => {
  const root = clone(t)
  const first = await install(t, root)
  t.equal(first.code, 0)
  t.equal(first.stdout, '')
  t.match(first.stderr, /added 1 package/)
  await install(t, root)
  t.equal(asked(root), 'ci --no-audit --no-fund\n')
})

t.test(
  'what is there in the right versions is left alone, packages for other platforms missing',
  async (t) => {
    const root = clone(t, HIDDEN)
    t.equal((await install(t, root)).code, 0)
    t.equal(asked(root), '')
  },
)

t.test('another version, or a package that is missing, is installed', async (t) => {
  for (const packages of [{ 'node_modules/one': { version: '0.9.0' } }, {}]) {
    const root = clone(t, { packages })
    t.equal((await install(t, root)).code, 0)
    t.equal(asked(root), 'ci --no-audit --no-fund\n')
  }
})

t.test('a failing npm fails the command, and the next try is not blocked', async (t) => {
  const root = clone(t)
  writeFileSync(join(root, 'offline'), '')
  const failed = await install(t, root)
  t.equal(failed.code, 1)
  t.match(failed.stderr, /npm ci --no-audit --no-fund failed \(exit 1\)/)
  for (const file of ['offline', 'node_modules']) rmSync(join(root, file), { recursive: true })
  t.equal((await install(t, root)).code, 0)
})

t.test('two at once install once', async (t) => {
  const root = clone(t)
  const both = await Promise.all([install(t, root), install(t, root)])
  t.strictSame(
    both.map(({ code }) => code),
    [0, 0],
  )
  t.equal(asked(root), 'ci --no-audit --no-fund\n')
})

async function install(
  t: Test,
  root: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env = { npm_execpath: join(root, 'npm-cli.cjs') }
  const child = startProcess(t, join(root, 'bin/install.mjs'), { cwd: root, env })
  const { code } = await child.ended()
  return { code, stdout: child.stdout(), stderr: child.stderr() }
}

function asked(root: string): string {
  const file = join(root, 'asked')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

function clone(t: Test, hidden?: object): string {
  const root = t.testdir({
    'package-lock.json': JSON.stringify(LOCK),
    'npm-cli.cjs': NPM,
    ...(hidden ? { node_modules: { '.package-lock.json': JSON.stringify(hidden) } } : {}),
  })
  cpSync(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true })
  return root
}
