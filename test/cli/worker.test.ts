/** `rowbeat worker` as a process: how it starts, what it refuses, how it ends. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { setup } from '../helpers/bundle.ts'
import { ROOT, type Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { DEMO, folder, rowbeat, startRowbeat } from './command.ts'

t.jobs = 3

async function startWorker(t: Test, url: string, ...words: string[]): Promise<Process> {
  const worker = startRowbeat(t, ['worker', '--json', ...words], {
    env: { DATABASE_URL: url, ROWBEAT_TASKS: DEMO },
  })
  await worker.line(/"tasks"/, 30_000)
  return worker
}

async function stateOf({ sql }: Awaited<ReturnType<typeof setup>>, id: string): Promise<string> {
  const [row] = await sql`select state from rowbeat.run(${id}::uuid)`
  return row?.state
}

t.test('it tells what it serves on stdout and logs JSON on stderr', async (t) => {
  const { url, sql } = await setup(t)
  const worker = await startWorker(t, url, '-Q', 'high:20,default', '--concurrency', '3', '--name', 'w1')
  const document = await until('its document is whole', () => JSON.parse(worker.stdout()))
  t.match(document, { name: 'w1', queues: { high: 20, default: 3 } })
  t.ok(document.tasks.includes('demo.add'))
  const log = worker.stderr().trim().split('\n')
  t.match(JSON.parse(log[0]!), { role: 'worker', msg: 'worker started' })
  const [row] = await sql`select name, queues, pid from rowbeat.workers`
  t.match(row, { name: 'w1', queues: { high: 20, default: 3 }, pid: Number })

  worker.kill('SIGTERM')
  t.strictSame(await worker.ended(), { code: 0, signal: null })
  t.strictSame([...(await sql`select from rowbeat.workers`)], [], 'its row is gone')
})

t.test('SIGTERM lets a run end within the grace, and exits 0', async (t) => {
  const bundle = await setup(t)
  const worker = await startWorker(t, bundle.url, '--grace', '10s')
  const [run] = await bundle.sql`select rowbeat.enqueue('demo.sleep', '{"seconds": 2}') as id`
  await until('it runs', async () => /STARTED|PROGRESS/.test(await stateOf(bundle, run!.id)))
  worker.kill('SIGTERM')
  t.strictSame(await worker.ended(), { code: 0, signal: null })
  t.equal(await stateOf(bundle, run!.id), 'SUCCESS')
})

t.test('a second signal hands back at once, uncounted', async (t) => {
  const bundle = await setup(t)
  const worker = await startWorker(t, bundle.url, '--grace', '60s')
  const [run] = await bundle.sql`select rowbeat.enqueue('demo.sleep', '{"seconds": 60}') as id`
  await until('it runs', async () => /STARTED|PROGRESS/.test(await stateOf(bundle, run!.id)))
  worker.kill('SIGINT')
  await worker.line(/worker stopping/)
  const since = performance.now()
  await until('it has ended', async () => {
    worker.kill('SIGINT')
    return await worker.ended(100).then(() => true)
  })
  t.ok(performance.now() - since < 5000)
  t.strictSame(await worker.ended(), { code: 0, signal: null })
  const [row] = await bundle.sql`select state, attempt, redeliveries from rowbeat.run(${run!.id}::uuid)`
  t.strictSame({ ...row }, { state: 'PENDING', attempt: 0, redeliveries: 0 })
})

t.test('it refuses a database that lacks migrations, and a project without tasks', async (t) => {
  const { url } = await setup(t, { empty: true })
  const env = { DATABASE_URL: url, ROWBEAT_TASKS: DEMO }
  t.match(await rowbeat(t, ['worker'], { env }), {
    code: 2,
    stderr: /^rowbeat: The database is not at the schema of this release: run `rowbeat migrate`\.\n$/,
  })
  t.match(await rowbeat(t, ['worker'], { env: { ...env, ROWBEAT_TASKS: 'no/*.ts' } }), {
    code: 2,
    stderr: /^rowbeat: No task was found in no\/\*\.ts: set ROWBEAT_TASKS .*\n$/,
  })
})

t.test('a module that cannot be loaded is named, with the place', async (t) => {
  const { url } = await setup(t)
  const cwd = folder(t)
  mkdirSync(join(cwd, 'tasks'))
  const file = join(cwd, 'tasks', 'a.ts')
  const cases: [source: string, line: RegExp][] = [
    ['export const x = ;', /cannot be loaded: SyntaxError: .*tasks\/a\.ts:1/],
    ["import 'no-such-package'", /cannot be loaded: .*no-such-package.*tasks\/a\.ts/],
    ['\nthrow new TypeError("bad")', /cannot be loaded: TypeError: bad \(\/.*tasks\/a\.ts:2:7\)/],
  ]
  for (const [source, line] of cases) {
    writeFileSync(file, source)
    const { code, stderr } = await rowbeat(t, ['worker'], { cwd, env: { DATABASE_URL: url } })
    t.equal(code, 2)
    t.match(stderr, line)
    t.equal(stderr.trim().split('\n').length, 1, 'in one line')
  }
})

t.test('an error that nothing catches is logged and ends the process; its run comes back', async (t) => {
  const bundle = await setup(t)
  const cwd = folder(t)
  mkdirSync(join(cwd, 'tasks'))
  const source = [
    `import { task } from ${JSON.stringify(join(ROOT, 'src/index.ts'))}`,
    "export const crash = task('test.crash', {}, () => { setTimeout(() => { throw new Error('astray') }); return new Promise(() => {}) })",
  ]
  writeFileSync(join(cwd, 'tasks', 'crash.ts'), source.join('\n'))
  const worker = startRowbeat(t, ['worker', '--json'], { cwd, env: { DATABASE_URL: bundle.url } })
  await worker.line(/"tasks"/, 30_000)
  const [run] = await bundle.sql`select rowbeat.enqueue('test.crash') as id`
  t.match(await worker.ended(), { code: 1 })
  const fatal = worker
    .stderr()
    .split('\n')
    .find((line) => line.includes('"level":60'))
  t.match(JSON.parse(fatal!), { role: 'worker', err: { message: 'astray' } })
  t.not(await stateOf(bundle, run!.id), 'FAILURE', 'others may still take it')
})
