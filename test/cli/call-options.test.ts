/** `rowbeat call` beside a rowbeat.config.ts: routes, the policy for unknown queues, and options for a second call. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { folder, startRowbeat } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

const { url, sql } = await setup(t)
await sql`insert into rowbeat.tasks (name) values ('shop.order'), ('shop.mail')`
const cwd = folder(t)
writeFileSync(
  join(cwd, 'rowbeat.config.mjs'),
  `export const config = {
    unknownQueue: 'refuse',
    routes: [(task, { big }) => (big ? 'high' : null), { 'shop.mail': { queue: 'nowhere' } }],
    middleware: [async ({ run }, next) => run.task + ' answered ' + (await next())],
  }`,
)
writeFileSync(
  join(cwd, 'tasks.mjs'),
  `import { defineQueue, task } from '${pathToFileURL('src/index.ts').href}'
  export const order = task('shop.order', {}, () => 7)
  export const bulk = defineQueue('bulk', { concurrency: 2 })`,
)
const ask = (...words: string[]) => rowbeat(t, ['call', ...words], { cwd, env: { DATABASE_URL: url } })

t.test('routes and the policy are those of the file', async (t) => {
  const [routed, refused] = await Promise.all([
    ask('shop.order', '{"big": true}', '--json'),
    ask('shop.mail'),
  ])
  t.match(JSON.parse(routed.stdout), { queue: 'high' })
  t.match(refused, { code: 2, stderr: /"nowhere" is not defined/ })
})

t.test('the options for a second call travel', async (t) => {
  const flags = [
    '--unique-key',
    'k',
    '--unique-for',
    '1h',
    '--unique-while',
    'queued',
    '--on-conflict',
    'keep',
  ]
  const keys = [
    '--idempotency-key',
    'i',
    '--idempotency-for',
    '2h',
    '--concurrency-key',
    'c',
    '--rate-key',
    'r',
  ]
  const first = await ask('shop.order', '{}', ...flags, ...keys)
  const [again, debounced, wrong] = await Promise.all([
    ask('shop.order', '{}', '--idempotency-key', 'i'),
    ask('shop.order', '{}', '--unique-key', 'd', '--debounce', '1h', '--debounce-max', '30m', '--json'),
    ask('shop.order', '{}', '--debounce', '1h'),
  ])
  t.match(first, { code: 0 })
  t.equal(again.stdout, first.stdout)
  t.match(JSON.parse(debounced.stdout), { state: 'SCHEDULED', reason: 'eta' })
  t.match(wrong, { code: 2, stderr: /debounce needs unique_key/ })
})

t.test('a worker has the middleware of the file, and defines the queues of the modules', async (t) => {
  const worker = startRowbeat(t, ['worker', '--json'], {
    cwd,
    env: { DATABASE_URL: url, ROWBEAT_TASKS: '*.mjs' },
  })
  await worker.line(/"tasks"/, 30_000)
  t.match(await ask('shop.order', '{}', '--wait'), { code: 0, stdout: '"shop.order answered 7"\n' })
  t.match(await sql`select concurrency from rowbeat.queues where name = 'bulk'`, [{ concurrency: 2 }])
})

t.test('what is wrong in the file is told with its name', async (t) => {
  const wrong = async (config: string): Promise<string> => {
    const place = folder(t)
    writeFileSync(join(place, 'rowbeat.config.mjs'), `export const config = ${config}`)
    const { readConfigFile } = await import('../../src/cli/config-file.ts')
    return await readConfigFile(place).then(
      () => '',
      (error: Error) => error.message,
    )
  }
  t.match(await wrong(`{ routes: { 'a.*': 'Not OK' } }`), /^rowbeat\.config\.mjs: routes: the route of a\.\*/)
  t.match(await wrong(`{ middleware: [1] }`), /^rowbeat\.config\.mjs: middleware: item 0/)
  t.match(await wrong(`{ unknownQueue: 'no' }`), /ROWBEAT_UNKNOWN_QUEUE is "no": use one of create, refuse/)
})
