/** `rowbeat check`, `config print` and `report`: what a deployment would bring, told whole, and no secret in it. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { ROOT } from '../helpers/process.ts'
import { folder, type Said } from './command.ts'
import { here, type HereOptions } from './here.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

/** A project of these files; `rowbeat` in them is this one. Each has a folder of its own, as modules are remembered by their path. */
function project(t: Owner, files: Record<string, string>): string {
  const cwd = folder(t)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(cwd, name, '..'), { recursive: true })
    writeFileSync(join(cwd, name), text.replaceAll("'rowbeat'", `'${ROOT}src/index.ts'`))
  }
  symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'))
  return cwd
}

const checked = async (cwd: string, env: Record<string, string> = {}, ...more: string[]): Promise<any> => {
  const { code, stdout } = await here(['check', '--json', ...more], { cwd, env })
  return { code, ...JSON.parse(stdout) }
}
const messages = ({
  findings,
}: {
  findings: { level: string; place: string; message: string }[]
}): string[] => findings.map(({ level, place, message }) => `${level} ${place}: ${message}`)

const TASKS = `import { task, schedule, cron, every, defineQueue } from 'rowbeat'
export const add = task('shop.add', { input: { type: 'object', required: ['x'], properties: { x: { type: 'number' } } } }, async () => 1)
`

t.test('a sound project is counted, and exits 0', async (t) => {
  const cwd = project(t, {
    'tasks/shop.ts': `${TASKS}export const nightly = schedule('nightly', cron('0 3 * * *'), add, { x: 1 })
export const mail = defineQueue('mail', { concurrency: 2 })`,
    'tasks/again.ts': `export { add } from './shop.ts'`,
    'rowbeat.config.ts': `export const config = { queues: { default: 2, high: 1 }, grace: '40s' }`,
  })
  t.match(await checked(cwd), { code: 0, ok: true, findings: [], tasks: 1, schedules: 1, queues: 1 })
  t.match(await here(['check'], { cwd }), {
    code: 0,
    stdout: '1 tasks, 1 schedules, 1 queues; 0 faults, 0 warnings\n',
  })
})

t.test('every fault is told at once, with its file', async (t) => {
  const cwd = project(t, {
    'tasks/a.ts': `${TASKS}export const never = schedule('never', every('1 minute'), add, { x: 1 }, { endAt: '2020-01-01T00:00:00Z' })
export const elsewhere = schedule('elsewhere', every('1 minute'), 'shop.of_others')
export const dark = task('shop.dark', { queue: 'dark' }, async () => 1)`,
    'tasks/b.ts': `import { task } from 'rowbeat'
export const other = task('shop.add', {}, async () => 2)`,
    'tasks/broken.ts': `export const = 1`,
    'tasks/thrown.ts': `throw new TypeError('no luck')`,
    'tasks/refused.ts': `import { schedule, cron } from 'rowbeat'
export const bad = schedule('bad', cron('61 * * * *'), 'shop.add')`,
    'rowbeat.config.ts': `export const config = { grace: 'soon', nothing: 1, timezone: 'Europe/Kyiv' }`,
    '.env': 'ROWBEAT_CONCURRENCY=many\nROWBEAT_CONCURENCY=3\n',
  })
  const found = await checked(cwd, { PORT: '99999' })
  t.equal(found.code, 2)
  const lines = messages(found)
  for (const line of [
    /^fault rowbeat\.config\.ts: rowbeat\.config\.ts: ROWBEAT_GRACE is "soon"/,
    /^fault rowbeat\.config\.ts: .*"nothing" is no setting/,
    /^fault PORT: PORT is "99999"/,
    /^fault ROWBEAT_CONCURRENCY: /,
    /^fault ROWBEAT_CONCURENCY: .* is not a variable Rowbeat knows/,
    /^fault tasks\/b\.ts: a second task is named "shop\.add", the first is in tasks\/a\.ts/,
    /^fault tasks\/broken\.ts: .*cannot be loaded/,
    /^fault tasks\/thrown\.ts: .*TypeError: no luck \(.*thrown\.ts:1/,
    /^fault tasks\/refused\.ts: .*minute/,
    /^fault tasks\/a\.ts: schedule "never": \/end_at is past/,
    /^warning tasks\/a\.ts: schedule "elsewhere" runs "shop\.of_others", which is none of the tasks here/,
    /^warning tasks\/a\.ts: task "shop\.dark" goes to queue "dark"/,
  ])
    t.ok(
      lines.some((text) => line.test(text)),
      `${line} in ${lines.join('\n')}`,
    )
  t.equal(lines.length, 12)
  const { stdout } = await here(['check'], { cwd })
  t.match(stdout, /^fault: tasks\/broken\.ts cannot be loaded/m)
  t.match(stdout, /9 faults, 2 warnings\n$/)
})

t.test('nothing to run is a fault, and so is an app that cannot be loaded', async (t) => {
  const cwd = project(t, { 'app.ts': 'export const rotes = 1' })
  const found = await checked(cwd, { ROWBEAT_TASKS: 'tasks/*.ts', ROWBEAT_APP: 'app.ts' })
  t.match(messages(found), [
    /^fault ROWBEAT_TASKS: No task was found in tasks\/\*\.ts/,
    /^fault app\.ts: app\.ts .* exports no function routes/,
  ])
})

t.test('what the database has is held against the code when it is asked for', async (t) => {
  const { url, sql } = await setup(t)
  const cwd = project(t, { 'tasks/shop.ts': TASKS })
  const hourly = { kind: 'interval', every: 1, period: 'hours' }
  for (const [name, task] of [
    ['known', 'shop.add'],
    ['lost', 'shop.gone'],
  ])
    await sql`select rowbeat.create_schedule(${name!}, ${task!}, ${JSON.stringify(hourly)}::text::jsonb)`
  await sql`update rowbeat.schedules set error = 'no such day' where name = 'known'`
  const env = { DATABASE_URL: url }
  t.match(messages(await checked(cwd, env)), [])
  t.match(messages(await checked(cwd, env, '--with-database')), [
    /^fault database: schedule "known" cannot fire: no such day/,
    /^warning database: schedule "lost" runs "shop\.gone"/,
  ])
  const nowhere = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere' }
  t.match(await here(['check', '--with-database'], { cwd, env: nowhere }), { code: 3 })
})

t.test('every setting is printed with where it comes from, and no secret', async (t) => {
  const cwd = project(t, {
    '.env': 'ROWBEAT_CONCURRENCY=7\nSMTP_URL=smtp://me:hidden1@mail.example.net:587\n',
    'rowbeat.config.ts': `export const config = { grace: '40s', dataDir: 'data' }`,
    'secret.txt': 'postgres://app:hidden2@db.example.net:5433/shop?sslpassword=hidden3\n',
  })
  const env = { DATABASE_URL_FILE: 'secret.txt', ROWBEAT_ADMIN_PASSWORD: 'hidden4', PORT: '4001' }
  const words = ['config', 'print', '--json', '--port', '4002']
  const { code, stdout } = await here(words, { cwd, env })
  t.equal(code, 0)
  t.notMatch(stdout, /hidden/)
  const by = Object.fromEntries(JSON.parse(stdout).items.map((one: any) => [one.variable, one]))
  t.match(by, {
    DATABASE_URL: {
      name: 'databaseUrl',
      value: 'postgres://app:***@db.example.net:5433/shop?sslpassword=***',
      source: 'environment (DATABASE_URL_FILE)',
    },
    ROWBEAT_ADMIN_PASSWORD: { value: '***', source: 'environment' },
    SMTP_URL: { value: 'smtp://me:***@mail.example.net:587', source: '.env' },
    ROWBEAT_CONCURRENCY: { value: '7', source: '.env' },
    ROWBEAT_QUEUES: { value: 'default:7,high:7', source: 'default' },
    ROWBEAT_GRACE: { name: 'grace', value: '40s', source: 'rowbeat.config.ts' },
    PORT: { value: '4002', source: 'flag --port' },
    ROWBEAT_TIME_LIMIT: { value: null, source: 'default' },
  })
  const { stdout: table } = await here(['config', 'print', '--changed'], { cwd, env })
  t.match(table, /^SETTING +VALUE +FROM +VARIABLE\n/)
  t.notMatch(table, /hidden|default\n|ROWBEAT_PROCESSES/)
})

t.test('no variable is left out', async (t) => {
  const cwd = project(t, {})
  const { stderr } = await here(['queues'], { cwd, env: { ROWBEAT_NO_SUCH: '1' } })
  const known = [...stderr.matchAll(/ROWBEAT_[A-Z_]+/g)]
    .map(([name]) => name)
    .filter((name) => name !== 'ROWBEAT_NO_SUCH')
  const printed = JSON.parse((await here(['config', 'print', '--json'], { cwd })).stdout).items
  const names: string[] = printed.map((one: { variable: string }) => one.variable)
  t.ok(known.length > 20)
  t.strictSame(names.filter((name) => name.startsWith('ROWBEAT_')).toSorted(), known.toSorted())
  // Given as it is printed, each comes to the same.
  const given = printed.filter(
    (one: { value: unknown; name: string }) => one.value !== null && one.name !== 'databaseUrl',
  )
  const env = Object.fromEntries(
    given.map((one: { variable: string; value: string }) => [one.variable, one.value]),
  )
  const again = JSON.parse((await here(['config', 'print', '--json'], { cwd, env })).stdout).items
  t.strictSame(
    again.map((one: { value: unknown }) => one.value),
    printed.map((one: { value: unknown }) => one.value),
  )
})

t.test('a secret comes from a file, from one place only', async (t) => {
  const { url } = await setup(t)
  const cwd = project(t, { 'url.txt': `${url}\n`, 'empty.txt': '\n' })
  const ask = (options: HereOptions['env'], ...more: string[]): Promise<Said> =>
    here(['queues', ...more], { cwd, env: options })
  t.match(await ask({ DATABASE_URL_FILE: 'url.txt' }), { code: 0, stdout: /^NAME/ })
  t.match(await ask({ DATABASE_URL_FILE: 'url.txt', DATABASE_URL: url }), {
    code: 2,
    stderr: /DATABASE_URL and DATABASE_URL_FILE are both set: unset one of them/,
  })
  t.match(await ask({ DATABASE_URL_FILE: 'none.txt' }), {
    code: 2,
    stderr: /DATABASE_URL_FILE: .*none\.txt cannot be read/,
  })
  t.match(await ask({ DATABASE_URL_FILE: 'empty.txt' }), { code: 2, stderr: /is empty/ })
  t.match(await ask({ DATABASE_URL_FILE: 'none.txt' }, '--database-url', url), { code: 0 })
})

t.test('a report tells releases, platform and settings, also of a database that is away', async (t) => {
  const { url } = await setup(t)
  const cwd = project(t, {})
  const env = { DATABASE_URL: url, ROWBEAT_ADMIN_PASSWORD: 'hidden' }
  const { code, stdout } = await here(['report', '--json'], { cwd, env })
  t.equal(code, 0)
  t.notMatch(stdout, /hidden/)
  t.match(JSON.parse(stdout), {
    node: process.versions.node,
    packages: { postgres: /^\d/, 'graphile-worker': /^\d/ },
    database: { server: /^PostgreSQL \d+/, fsync: /on|off/, migrations: /./ },
  })
  const away = await here(['report'], { cwd, env: { DATABASE_URL: 'postgres://x:hidden@127.0.0.1:1/none' } })
  t.equal(away.code, 3)
  t.match(away.stdout, /error +PostgreSQL at 127\.0\.0\.1:1\/none cannot be reached/)
  t.notMatch(away.stdout, /hidden/)
})
