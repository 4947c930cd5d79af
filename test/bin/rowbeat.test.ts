/**
 * The launcher, in a small tree of its own: bin/ of this clone, a command that tells what it got, and a Node that
 * claims to be too old.
 */
import { chmodSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { isAlive, ROOT, startProcess } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'

const COMMAND = `
const { argv, pid, versions } = process
console.log(JSON.stringify({ words: argv.slice(2), pid, node: versions.node }))
process.on('SIGTERM', () => { console.log('asked to stop'); process.exit(7) })
if (argv[2] === 'hold') setInterval(() => {}, 1000)
else process.exitCode = 3
`
const OLD = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } })'
const asOldNode = ['--import', `data:text/javascript,${OLD}`]

t.test('a new enough Node runs the command itself: TypeScript in a clone, else what was built', async (t) => {
  const root = tree(t)
  const clone = startProcess(t, join(root, 'bin/rowbeat.js'), { args: ['call', 'demo.add', '{"x": 1}'] })
  t.match(await clone.ended(), { code: 3 })
  t.match(JSON.parse(clone.stdout()), { words: ['call', 'demo.add', '{"x": 1}'], pid: clone.pid })

  mkdirSync(join(root, 'dist/cli'), { recursive: true })
  writeFileSync(join(root, 'dist/cli/main.js'), 'console.log("built")')
  rmSync(join(root, 'src'), { recursive: true })
  const built = startProcess(t, join(root, 'bin/rowbeat.js'))
  t.match(await built.ended(), { code: 0 })
  t.equal(built.stdout(), 'built\n')

  rmSync(join(root, 'dist'), { recursive: true })
  const empty = startProcess(t, join(root, 'bin/rowbeat.js'))
  t.match(await empty.ended(), { code: 2 })
  t.match(empty.stderr(), /^rowbeat cannot start: its files are incomplete: .*npm ci.*\n$/)
})

t.test('an old Node starts the one of node_modules: same words, same exit code', async (t) => {
  const child = startOld(t, tree(t), ['runs', '--json'])
  t.match(await child.ended(), { code: 3 })
  const said = JSON.parse(child.stdout()) as { words: string[]; pid: number; node: string }
  t.match(said, { words: ['runs', '--json'], node: process.versions.node })
  t.not(said.pid, child.pid)
})

t.test('signals reach the command, and its answer is the exit code', async (t) => {
  const child = startOld(t, tree(t), ['hold'])
  await child.line(/"words"/)
  child.kill('SIGTERM')
  t.match(await child.ended(), { code: 7 })
  t.match(child.stdout(), /asked to stop/)
})

t.test('when the launcher is killed with -9, the command ends too', async (t) => {
  const child = startOld(t, tree(t), ['hold'])
  const [said] = await child.line(/"words".*/)
  const { pid } = JSON.parse(`{${said}`) as { pid: number }
  child.kill('SIGKILL')
  await until('the command ended', () => !isAlive(pid), { timeout: 5000 })
})

t.test('an old Node without another one says what to do', async (t) => {
  const root = tree(t)
  rmSync(join(root, 'node_modules'), { recursive: true })
  const child = startOld(t, root, ['start'])
  t.match(await child.ended(), { code: 2 })
  t.match(child.stderr(), /needs Node 22\.18 or newer and this is 20\.1\.0: run npm ci/)
})

function startOld(t: Test, root: string, args: string[]): ReturnType<typeof startProcess> {
  return startProcess(t, asOldNode[0]!, { args: [asOldNode[1]!, join(root, 'bin/rowbeat.js'), ...args] })
}

function tree(t: Test): string {
  const root = t.testdir({
    'package.json': '{ "type": "module" }',
    src: { cli: { 'main.ts': COMMAND } },
    node_modules: { '.bin': {} },
  })
  cpSync(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true })
  chmodSync(join(root, 'bin/rowbeat.js'), 0o755)
  symlinkSync(process.execPath, join(root, 'node_modules/.bin/node'))
  return root
}
