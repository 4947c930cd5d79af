/** Where settings come from: flags, the environment, .env, rowbeat.config.ts, defaults, in this order. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { readConfigFile } from '../../src/cli/config-file.ts'
import { setup } from '../helpers/bundle.ts'
import { ROOT } from '../helpers/process.ts'
import { folder, rowbeat, startRowbeat } from './command.ts'

const INDEX = JSON.stringify(join(ROOT, 'src/index.ts'))

/** A project of somebody's, with these files. */
function project(t: Test, files: Record<string, string>): string {
  const cwd = folder(t)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(cwd, name, '..'), { recursive: true })
    writeFileSync(join(cwd, name), text)
  }
  return cwd
}

t.test('flags beat the environment, which beats .env, which beats the config file', async (t) => {
  const { url } = await setup(t)
  const cwd = project(t, {
    'rowbeat.config.ts': `import { task } from ${INDEX}
      const shown = task('given.show', {}, () => process.env.FROM_DOT_ENV)
      export const config = { tasks: [shown], queues: { low: 1 }, concurrency: 2, grace: '1s' }`,
    'tasks/found.ts': `import { task } from ${INDEX}\nexport const found = task('found.one', {}, () => 1)`,
    '.env': `DATABASE_URL=${url}\nROWBEAT_QUEUES=middle\nFROM_DOT_ENV=yes\n`,
  })
  const queuesOf = async (words: string[], env: Record<string, string>): Promise<unknown> => {
    const worker = startRowbeat(t, ['worker', '--json', ...words], { cwd, env })
    // One document, over several lines: whole when its last brace is there.
    await worker.line(/^}$/, 30_000)
    const { queues, tasks } = JSON.parse(worker.stdout())
    t.strictSame(tasks.toSorted(), ['found.one', 'given.show'])
    worker.kill()
    await worker.ended()
    return queues
  }
  t.strictSame(await queuesOf([], {}), { middle: 2 })
  t.strictSame(await queuesOf([], { ROWBEAT_QUEUES: 'high', ROWBEAT_CONCURRENCY: '3' }), { high: 3 })
  const flags = ['-Q', 'top,high:7', '--concurrency', '4']
  t.strictSame(await queuesOf(flags, { ROWBEAT_QUEUES: 'high' }), { top: 4, high: 7 })
})

t.test('a task sees what .env says', async (t) => {
  const { url } = await setup(t)
  const cwd = project(t, {
    'tasks/show.ts': `import { task } from ${INDEX}
      export const show = task('show', {}, () => [process.env.FROM_DOT_ENV, process.env.DATABASE_URL])`,
    '.env': 'FROM_DOT_ENV=yes\n',
  })
  const worker = startRowbeat(t, ['worker', '--json', '--database-url', url], { cwd })
  await worker.line(/"tasks"/, 30_000)
  const { stdout } = await rowbeat(t, ['call', 'show', '--wait', '--database-url', url], { cwd })
  t.strictSame(JSON.parse(stdout), ['yes', url])
})

t.test('a config file that is not understood is named', async (t) => {
  const cases: [source: string, message: RegExp][] = [
    [
      'export const config = { prot: 1 }',
      /rowbeat\.config\.ts: "prot" is no setting; known are tasks, schedules, queueDefinitions, routes, middleware, port/,
    ],
    ['export const config = { port: "x" }', /rowbeat\.config\.ts: PORT is "x"/],
    [
      'export const config = { queues: { High: 1 } }',
      /rowbeat\.config\.ts: queues: "High:1" is not understood/,
    ],
    ['export const nothing = 1', /rowbeat\.config\.ts exports no config/],
    ['throw new Error("bad")', /rowbeat\.config\.ts cannot be loaded: bad/],
  ]
  for (const [source, message] of cases) {
    const cwd = project(t, { 'rowbeat.config.ts': source })
    await t.rejects(readConfigFile(cwd), { code: 'RB_CONFIG_INVALID', message })
  }
  const cwd = project(t, {
    'rowbeat.config.mjs': 'export default { port: 0, queues: { a: 1, b: 2 }, prepare: false }',
  })
  t.strictSame((await readConfigFile(cwd)).environment, {
    PORT: '0',
    ROWBEAT_QUEUES: 'a:1,b:2',
    ROWBEAT_PREPARE: 'false',
  })
})

t.test('a .env that is a folder is somebody else’s; an unknown variable in it is refused', async (t) => {
  const aside = project(t, { '.env/bin/python': '' })
  t.match(await rowbeat(t, ['runs'], { cwd: aside }), { code: 2, stderr: /No database is named/ })
  const typo = project(t, { '.env': 'ROWBEAT_QUEUE=high\n' })
  t.match(await rowbeat(t, ['runs'], { cwd: typo }), { code: 2, stderr: /ROWBEAT_QUEUE is not a variable/ })
})

t.test('the database: flag, then DATABASE_URL, then credentials.json', async (t) => {
  const { url } = await setup(t)
  const nowhere = 'postgres://nobody@127.0.0.1:1/x'
  const noted = (databaseUrl: string): string =>
    JSON.stringify({ url: '', databaseUrl, apiKey: '', admin: { email: '', password: '' } })
  const cwd = project(t, { '.rowbeat/credentials.json': noted(url), 'old/credentials.json': noted(nowhere) })
  const runs = (words: string[], env: Record<string, string> = {}) =>
    rowbeat(t, ['runs', ...words], { cwd, env })
  t.match(await runs([]), { code: 0 })
  t.match(await runs([], { DATABASE_URL: nowhere }), {
    code: 3,
    stderr: /127\.0\.0\.1:1\/x cannot be reached/,
  })
  t.match(await runs(['--database-url', url], { DATABASE_URL: nowhere }), { code: 0 })
  t.match(await runs(['--data-dir', 'old']), {
    code: 3,
    stderr: /noted in .*old \(credentials\.json\).*rowbeat start/,
  })
  writeFileSync(join(cwd, 'old/credentials.json'), '{"url":')
  t.match(await runs(['--data-dir', 'old']), { code: 2, stderr: /credentials\.json is damaged/ })
})
