/**
 * `rowbeat start` for real, as one process tree: the block and credentials it ends with, what it refuses, and what is
 * left of it after each way to end. Every test has a data directory of its own; where PostgreSQL's own life is not the
 * question, it is the tests' shared one.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import type { Test } from 'tap'
import { isPassword } from '../../src/auth/password.ts'
import type { Credentials } from '../../src/cli/start/credentials.ts'
import { setup } from '../helpers/bundle.ts'
import { isAlive, ROOT, startProcess, type Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'

t.jobs = 2
t.setTimeout(120_000)

const READY = /^Rowbeat is ready at (http:\S+)$/

interface Started {
  start: Process
  url: string
  dataDir: string
  credentials: Credentials
  /** Asks for a run over REST and answers its id. */
  enqueue(task: string, input?: object): Promise<string>
  stateOf(id: string): Promise<string>
}

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'rowbeat-start-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }))
  return path
}

function launch(t: Test, dataDir: string, env: Record<string, string> = {}, words: string[] = []): Process {
  const start = startProcess(t, join(ROOT, 'bin/rowbeat.js'), {
    args: ['start', ...words],
    env: { ROWBEAT_DATA_DIR: dataDir, PORT: '0', ...env },
  })
  // Before the helper's kill -9, so that nothing lives on in a folder that is about to go.
  t.teardown(async () => {
    start.kill('SIGTERM')
    await start.ended(15_000).catch(() => {})
  })
  return start
}

async function startAll(t: Test, dataDir = folder(t), env: Record<string, string> = {}): Promise<Started> {
  const start = launch(t, dataDir, env)
  const [, url] = await start.line(READY, 60_000)
  const credentials = JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8')) as Credentials
  const headers = { authorization: `Bearer ${credentials.apiKey}`, 'content-type': 'application/json' }
  return {
    start,
    url: url!,
    dataDir,
    credentials,
    async enqueue(task, input = {}) {
      const body = JSON.stringify({ task, input })
      const response = await fetch(`${url}/v1/runs`, { method: 'POST', headers, body })
      return ((await response.json()) as { id: string }).id
    },
    async stateOf(id) {
      const response = await fetch(`${url}/v1/runs/${id}`, { headers })
      return ((await response.json()) as { state: string }).state
    },
  }
}

/** `rowbeat` with this data directory, run to its end. */
async function ask(
  t: Test,
  dataDir: string,
  ...words: string[]
): Promise<{ code: number | null; stdout: string }> {
  const args = [...words, '--data-dir', dataDir]
  const call = startProcess(t, join(ROOT, 'bin/rowbeat.js'), { args, cwd: tmpdir() })
  const { code } = await call.ended(30_000)
  return { code, stdout: call.stdout() }
}

const RUNS = /STARTED|PROGRESS/
const PATIENT = { timeout: 30_000 }

/** Every process below this one. */
function treeOf(pid: number): number[] {
  const rows = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number) as [number, number])
  const below = (parent: number): number[] =>
    pairs.filter(([, of]) => of === parent).flatMap(([child]) => [child, ...below(child)])
  return below(pid)
}

function childOf(pid: number, role: string): number | undefined {
  const rows = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n')
  const found = rows
    .map((row) => row.trim().split(/\s+/))
    .find((row) => Number(row[1]) === pid && row.includes(role))
  return found && Number(found[0])
}

async function allGone(pids: readonly number[], timeout: number): Promise<boolean> {
  return await until(`${pids.join(', ')} are gone`, () => pids.every((pid) => !isAlive(pid)), { timeout })
}

t.test('the first start ends with an address, a login and a call that works', async (t) => {
  const { start, url, dataDir, credentials } = await startAll(t)
  t.match(credentials, {
    url,
    databaseUrl: /^postgres:\/\//,
    apiKey: /^rb_[\w-]{43}$/,
    admin: { email: 'admin@localhost', password: /^[\w-]{24}$/ },
  })
  t.equal(statSync(join(dataDir, 'credentials.json')).mode & 0o777, 0o600)
  const block = start.stdout().trimEnd()
  t.equal(block.split('\n').at(-1), `Rowbeat is ready at ${url}`)
  for (const words of [
    credentials.apiKey,
    credentials.admin.email,
    credentials.admin.password,
    `curl ${url}/v1/runs`,
    `${url}/admin`,
  ])
    t.ok(block.includes(words), words)

  await t.test('the curl of the block enqueues a run that succeeds', async (t) => {
    const curl = block.slice(block.indexOf('  curl '), block.lastIndexOf('\n'))
    const answer = execFileSync('sh', ['-c', curl], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const { id } = JSON.parse(answer)
    t.match(await ask(t, dataDir, 'result', id, '--wait'), { code: 0, stdout: '3\n' })
  })
  await t.test('the database is its own, and the person who may log in is in it', async (t) => {
    const sql = postgres(credentials.databaseUrl, { max: 1 })
    t.teardown(() => sql.end())
    await sql`create table mine (id int)`
    const [user] = await sql`select role, password_hash from rowbeat.users where email = 'admin@localhost'`
    t.equal(user!.role, 'admin')
    t.ok(await isPassword(credentials.admin.password, user!.password_hash))
    const [worker] = await sql`select tasks from rowbeat.workers where kind = 'worker'`
    t.ok(worker!.tasks.includes('books.import'), 'the examples are loaded')
  })
  await t.test('the pages of the examples are there', async (t) => {
    for (const path of ['/', '/import', '/admin/login', '/healthz', '/readyz'])
      t.equal((await fetch(url + path)).status, 200, path)
  })
  await t.test('a second start on the same directory says who has it', async (t) => {
    const second = launch(t, dataDir)
    t.match(await second.ended(30_000), { code: 2 })
    t.equal(second.stdout(), '')
    t.equal(
      second.stderr(),
      `rowbeat: ${dataDir} is in use by the running process ${start.pid}: stop that one, or set ROWBEAT_DATA_DIR to another directory.\n`,
    )
  })
  await t.test('a port that is taken is told before anything is made', async (t) => {
    const other = join(folder(t), 'data')
    const second = launch(t, other, { PORT: new URL(url).port })
    t.match(await second.ended(30_000), { code: 2 })
    t.match(
      second.stderr(),
      /^rowbeat: Port \d+ of 127\.0\.0\.1 is taken: stop what uses it, or set PORT to another.*\n$/,
    )
    t.throws(() => statSync(join(other, 'postgres')))
  })

  const tree = treeOf(start.pid)
  start.kill('SIGTERM')
  t.strictSame(await start.ended(), { code: 0, signal: null })
  await allGone(tree, 1000)
  t.equal(start.stderr(), '', 'nothing had to be said')
})

t.test('killed with -9 while a run runs, it takes all along; the next start finds everything', async (t) => {
  const { start, dataDir, credentials, enqueue, stateOf } = await startAll(t)
  const id = await enqueue('demo.sleep', { seconds: 3 })
  await until('it runs', async () => RUNS.test(await stateOf(id)))
  const tree = treeOf(start.pid)
  t.ok(tree.length > 5)
  start.kill('SIGKILL')
  await allGone(tree, 5000)

  // What a crash of the machine leaves: pid files whose numbers belong to somebody else by now.
  writeFileSync(join(dataDir, 'start.json'), JSON.stringify({ pid: process.pid, birth: '1' }))
  const again = await startAll(t, dataDir)
  t.equal(again.credentials.apiKey, credentials.apiKey)
  t.strictSame(again.credentials.admin, credentials.admin)
  t.notOk(again.start.stdout().includes(credentials.admin.password), 'the password is shown once')
  await until('the run has ended well', async () => (await again.stateOf(id)) === 'SUCCESS', PATIENT)

  await t.test('PostgreSQL that was killed is started again, and everybody finds it', async (t) => {
    const [postmaster] = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')
    process.kill(Number(postmaster), 'SIGKILL')
    const next = await until('a run is taken', async () => await again.enqueue('demo.echo'), PATIENT)
    await until('runs run again', async () => (await again.stateOf(next)) === 'SUCCESS', PATIENT)
    t.match(again.start.stderr(), /PostgreSQL ended and is started again/)
  })
})

t.test(
  'a child that was killed is started again where it was; a busy one does not outlive the start',
  async (t) => {
    const { url: DATABASE_URL } = await setup(t, { empty: true })
    const ROWBEAT_TASKS = join(folder(t), 'tasks.ts')
    writeFileSync(
      ROWBEAT_TASKS,
      `import { task } from ${JSON.stringify(join(ROOT, 'src/index.ts'))}
     export const echo = task('test.echo', {}, () => 1)
     export const spin = task('test.spin', {}, () => { for (const end = performance.now() + 60_000; performance.now() < end; ); })`,
    )
    const { start, url, enqueue, stateOf } = await startAll(t, folder(t), { DATABASE_URL, ROWBEAT_TASKS })
    for (const role of ['worker', 'api']) {
      const killed = await until(`the ${role} is there`, () => childOf(start.pid, role))
      process.kill(killed, 'SIGKILL')
      await until(`another ${role} is there`, () => ![undefined, killed].includes(childOf(start.pid, role)))
    }
    await until('the API is back', async () => (await fetch(`${url}/readyz`)).ok, PATIENT)
    const id = await enqueue('test.echo')
    await until('runs run again', async () => (await stateOf(id)) === 'SUCCESS', PATIENT)
    t.match(start.stderr(), /worker ended with SIGKILL and is started again/)

    await enqueue('test.spin')
    const worker = childOf(start.pid, 'worker')!
    const ticks = (): number => Number(readFileSync(`/proc/${worker}/stat`, 'utf8').split(' ')[13])
    let before = ticks()
    await until('it spins', () => ticks() - before > 15 || !(before = ticks()), {
      every: 200,
      ...PATIENT,
    })
    const tree = treeOf(start.pid)
    start.kill('SIGKILL')
    t.ok(await allGone(tree, 5000))
  },
)

t.test('SIGTERM lets a run end; a second signal does not wait for one', async (t) => {
  const { url: DATABASE_URL } = await setup(t, { empty: true })
  const first = await startAll(t, folder(t), { DATABASE_URL, ROWBEAT_GRACE: '20s' })
  const short = await first.enqueue('demo.sleep', { seconds: 2 })
  await until('it runs', async () => RUNS.test(await first.stateOf(short)))
  first.start.kill('SIGTERM')
  t.strictSame(await first.start.ended(20_000), { code: 0, signal: null })

  const second = await startAll(t, first.dataDir, { DATABASE_URL, ROWBEAT_GRACE: '60s' })
  t.equal(await second.stateOf(short), 'SUCCESS', 'it had ended')
  const long = await second.enqueue('demo.sleep', { seconds: 60 })
  await until('it runs', async () => RUNS.test(await second.stateOf(long)))
  second.start.kill('SIGINT')
  const since = performance.now()
  await until('it has ended', async () => {
    second.start.kill('SIGINT')
    return await second.start.ended(100).then(() => true)
  })
  t.ok(performance.now() - since < 6000)
  t.strictSame(await second.start.ended(), { code: 0, signal: null })
  t.match(
    readFileSync(join(first.dataDir, 'rowbeat.log'), 'utf8'),
    /"handedBack":1/,
    'the long run was handed back',
  )
})

t.test('with DATABASE_URL it uses that server; --json prints one document', async (t) => {
  const { url: databaseUrl, sql } = await setup(t, { empty: true })
  const dataDir = folder(t)
  const start = launch(t, dataDir, { DATABASE_URL: databaseUrl }, ['--json'])
  await start.line(/^}$/, 60_000)
  const document = JSON.parse(start.stdout()) as Credentials
  t.equal(document.databaseUrl, databaseUrl)
  t.strictSame(document, JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8')))
  t.throws(() => statSync(join(dataDir, 'postgres')), 'no PostgreSQL of its own')
  const response = await fetch(`${document.url}/v1/runs`, {
    headers: { authorization: `Bearer ${document.apiKey}` },
  })
  t.equal(response.status, 200)

  await t.test('a key that was revoked is replaced by the next start', async (t) => {
    start.kill('SIGTERM')
    t.match(await start.ended(15_000), { code: 0 })
    await sql`update rowbeat.api_keys set revoked_at = now()`
    const again = await startAll(t, dataDir, {
      DATABASE_URL: databaseUrl,
      ROWBEAT_ADMIN_PASSWORD: 'chosen by me',
    })
    t.not(again.credentials.apiKey, document.apiKey)
    const authorization = `Bearer ${again.credentials.apiKey}`
    t.equal((await fetch(`${again.url}/v1/runs`, { headers: { authorization } })).status, 200)
    const [user] = await sql`select password_hash from rowbeat.users`
    t.ok(await isPassword('chosen by me', user!.password_hash))
  })
})

t.test('what keeps it from starting is one line that says how to mend it', async (t) => {
  const { url } = await setup(t, { empty: true })
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const file = join(folder(t), 'file')
  writeFileSync(file, '')
  const missing = url.replace(/[^/]+$/, 'no_such_database')
  const cases: [env: Record<string, string>, code: number, line: RegExp][] = [
    [{ DATABASE_URL: 'mysql://here' }, 2, /DATABASE_URL must begin with postgres:/],
    [
      { DATABASE_URL: 'postgres://me@127.0.0.1:1/x' },
      3,
      /127\.0\.0\.1:1\/x cannot be reached \(ECONNREFUSED\): check/,
    ],
    [{ DATABASE_URL: missing }, 3, /no_such_database does not exist: create it, or correct DATABASE_URL/],
    [
      { DATABASE_URL: url.replace(/:[^:@]+@/, ':wrong@') },
      3,
      /refused the login: check the user and password/,
    ],
    [{ ROWBEAT_GRASE: '1s' }, 2, /ROWBEAT_GRASE is not a variable Rowbeat knows: unset it, or use one of/],
    [{ ROWBEAT_DATA_DIR: file }, 2, /is a file: set ROWBEAT_DATA_DIR to a directory/],
    [{ ROWBEAT_DATA_DIR: '/proc/rowbeat' }, 2, /cannot be used as data directory/],
    [{ PORT: String(port) }, 2, /Port \d+ of 127\.0\.0\.1 is taken/],
    [{ PORT: '-1' }, 2, /PORT is "-1": give a whole number/],
    [{ HOST: '192.0.2.1' }, 2, /192\.0\.2\.1 is no address of this machine/],
    [{ DATABASE_URL: url, ROWBEAT_TASKS: 'none/*.ts' }, 2, /No task was found in none\/\*\.ts/],
    [{ DATABASE_URL: url, ROWBEAT_APP: 'none.ts' }, 2, /none\.ts cannot be loaded/],
  ]
  for (const [env, code, line] of cases) {
    const start = launch(t, folder(t), env)
    t.match(await start.ended(30_000), { code, signal: null }, JSON.stringify(env))
    t.equal(start.stdout(), '')
    t.match(start.stderr(), line)
    t.match(start.stderr(), /^rowbeat: .*\n$/, 'in one line')
  }
})
