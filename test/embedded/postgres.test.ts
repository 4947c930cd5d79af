/**
 * The built-in PostgreSQL for real: started, killed in every way, left behind, found again. Each test has a data
 * directory of its own below the system's temporary folder.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import type { Test } from 'tap'
import { findBinaries } from '../../src/embedded/binaries.ts'
import { chooseFooting } from '../../src/embedded/footing.ts'
import type { Way } from '../../src/embedded/footing.ts'
import { startPostgres } from '../../src/embedded/postgres.ts'
import { ConfigError, StoreError } from '../../src/errors.ts'
import { isAlive, startProcess } from '../helpers/process.ts'
import type { Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'

// Most of the time goes into waiting for a guard's patience.
t.jobs = 4

const isRoot = process.getuid?.() === 0
const settings = { fsync: 'off' }

interface Running {
  process: Process
  url: string
  adminUrl: string
  pid: number
}

t.test(
  'a new data directory becomes a UTF-8 database of an ordinary role, kept over a restart',
  async (t) => {
    const dataDir = folder(t)
    const first = await startPostgres({ dataDir, port: 0, settings })
    t.teardown(() => first.stop())
    await query(first.url, async (sql) => {
      const [facts] = await sql`
      select current_user as me, current_database() as db, pg_encoding_to_char(encoding) as encoding,
        datlocprovider as provider, datlocale as locale, current_setting('is_superuser') as superuser,
        current_setting('listen_addresses') as listens, current_setting('server_version_num')::int as version,
        pg_get_userbyid(datdba) as owner
      from pg_database where datname = current_database()`
      const expected = { me: 'rowbeat', db: 'rowbeat', encoding: 'UTF8', provider: 'b', locale: 'C.UTF-8' }
      t.match(facts, { ...expected, superuser: 'off', listens: '127.0.0.1', owner: 'rowbeat' })
      t.ok(facts?.version >= 180000)
      await sql`create table kept as select 'Кобзар' as title`
    })
    t.equal(statSync(join(dataDir, 'postgres.json')).mode & 0o777, 0o600)
    await first.stop()
    t.match(await first.exited, { code: 0, expected: true })
    t.notOk(isAlive(first.pid))

    const second = await startPostgres({ dataDir, settings })
    t.teardown(() => second.stop())
    t.equal(second.url, first.url, 'same port, same password')
    await query(second.url, async (sql) => t.match(await sql`select title from kept`, [{ title: 'Кобзар' }]))
  },
)

t.test('durability is on unless asked otherwise, and a password is needed', async (t) => {
  const server = await startPostgres({ dataDir: folder(t), port: 0 })
  t.teardown(() => server.stop())
  await query(server.adminUrl, async (sql) => {
    for (const name of ['fsync', 'synchronous_commit', 'full_page_writes']) {
      t.equal((await sql`select current_setting(${name}) as is`)[0]?.is, 'on', name)
    }
  })
  const stranger = new URL(server.url)
  stranger.password = 'guess'
  await t.rejects(
    query(stranger.href, (sql) => sql`select 1`),
    { code: '28P01' },
  )
})

/** Making a cluster takes a second, copying one a tenth: the other tests begin with a copy of this. */
const seed = folder(t)
await (await startPostgres({ dataDir: seed, port: 0, settings })).stop()

t.test('a port that somebody has is left to him', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const server = await startPostgres({ dataDir: seeded(t), port, settings })
  t.teardown(() => server.stop())
  t.not(server.port, port)
})

t.test('a postmaster killed with -9 is told, and the next start recovers what was committed', async (t) => {
  const dataDir = seeded(t)
  const server = await startPostgres({ dataDir, port: 0, settings })
  await query(server.url, (sql) => sql`create table kept as select 1 as one`)
  process.kill(server.pid, 'SIGKILL')
  t.match(await server.exited, { code: 137, expected: false })
  const again = await startPostgres({ dataDir, settings })
  t.teardown(() => again.stop())
  await query(again.url, async (sql) => t.match(await sql`select one from kept`, [{ one: 1 }]))
})

t.test('when the parent is killed with -9, PostgreSQL ends by itself within 5 s', async (t) => {
  const { process: parent, pid } = await hold(t, seeded(t))
  parent.kill('SIGKILL')
  await parent.ended()
  t.ok(isAlive(pid), "it leaves the parent's children time to hand back their work")
  await until('PostgreSQL ended', () => !isAlive(pid), { timeout: 5000 })
})

t.test('an orphan whose guard was killed too is stopped by the next start', async (t) => {
  const dataDir = seeded(t)
  const { process: parent, pid, url } = await hold(t, dataDir)
  await query(url, (sql) => sql`create table kept as select 1 as one`)
  const guard = parentOf(pid)
  const watch = childrenOf(guard).filter((child) => child !== pid)
  for (const one of [parent.pid, guard, ...watch]) process.kill(one, 'SIGKILL')
  await parent.ended()
  t.ok(isAlive(pid), 'the orphan lives')
  const server = await startPostgres({ dataDir, settings })
  t.teardown(() => server.stop())
  t.notOk(isAlive(pid))
  await query(server.url, async (sql) => t.match(await sql`select one from kept`, [{ one: 1 }]))
})

t.test('a second process is refused the directory and told who has it', async (t) => {
  const dataDir = seeded(t)
  const { process: holder, pid } = await hold(t, dataDir)
  await t.rejects(
    startPostgres({ dataDir }),
    new ConfigError(
      `${dataDir} is in use by the running process ${holder.pid}: stop that one, or set ROWBEAT_DATA_DIR to another directory.`,
    ),
  )
  holder.kill('SIGTERM')
  t.match(await holder.ended(), { code: 0 })
  t.notOk(isAlive(pid))
  const server = await startPostgres({ dataDir, settings })
  t.teardown(() => server.stop())
  await t.rejects(startPostgres({ dataDir }), { message: new RegExp(`process ${process.pid}:`) })
})

t.test('a pid file left by a crash whose number now belongs to somebody else does not block', async (t) => {
  const dataDir = seeded(t)
  const cluster = join(dataDir, 'postgres')
  writeFileSync(join(cluster, 'postmaster.pid'), `${process.ppid}\n${cluster}\n1\n1\n\n127.0.0.1\n`)
  const server = await startPostgres({ dataDir, settings })
  t.teardown(() => server.stop())
  await query(server.url, (sql) => sql`select 1`)
})

t.test('what cannot work is told in one sentence', async (t) => {
  const dataDir = seeded(t)
  appendFileSync(join(dataDir, 'postgres', 'postgresql.conf'), 'no_such_setting = 1\n')
  await t.rejects(startPostgres({ dataDir }), {
    name: 'StoreError',
    message: /did not start: .*no_such_setting|configuration file .* contains errors/,
  })
  writeFileSync(join(dataDir, 'postgres', 'PG_VERSION'), '17\n')
  await t.rejects(startPostgres({ dataDir }), { name: 'ConfigError', message: /made by PostgreSQL 17/ })
  rmSync(join(dataDir, 'postgres.json'))
  await t.rejects(startPostgres({ dataDir }), { name: 'ConfigError', message: /postgres\.json is missing/ })
  const file = join(folder(t), 'file')
  writeFileSync(file, '')
  await t.rejects(startPostgres({ dataDir: file }), { name: 'ConfigError', message: /is a file/ })
  await t.rejects(startPostgres({ dataDir: '/proc/rowbeat' }), {
    name: 'ConfigError',
    message: /ROWBEAT_DATA_DIR/,
  })
})

t.test('a full disk is named as such', { skip: !canMount() && 'needs root and mount' }, async (t) => {
  const disk = folder(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk])
  t.teardown(() => execFileSync('umount', [disk]))
  const error = await startPostgres({ dataDir: join(disk, 'data') }).catch((caught: unknown) => caught)
  t.type(error, StoreError)
  t.match(error, { message: /The disk that holds .* is full: free some space/ })
})

t.test(
  'root runs it below a folder closed to everybody else',
  { skip: !isRoot && 'needs root' },
  async (t) => {
    const closed = folder(t)
    chmodSync(closed, 0o700)
    const binaries = await findBinaries()
    await t.rejects(chooseFooting(binaries, closed, ['uid']), {
      name: 'ConfigError',
      message: /cannot run here/,
    })
    for (const way of ['setpriv', 'unshare'] as const) {
      const able = await chooseFooting(binaries, closed, [way]).catch(() => null)
      if (able) await runsAs(t, join(closed, way), [way])
      else t.comment(`${way} is not possible on this machine`)
    }
  },
)

t.test('an ordinary user runs it', { skip: !isRoot && 'the other tests show it' }, async (t) => {
  const home = folder(t)
  chownSync(home, 65_534, 65_534)
  const open = await chooseFooting(await findBinaries(), home, ['uid']).catch(() => null)
  if (!open) return t.comment('this clone lies where only root can read')
  const { process: child, url } = await hold(t, join(home, 'data'), ['own'], '65534')
  t.equal(statSync(join(home, 'data')).mode & 0o777, 0o700)
  t.equal(statSync(join(home, 'data', 'postgres.json')).uid, 65_534)
  await query(url, (sql) => sql`select 1`)
  child.kill('SIGTERM')
  t.match(await child.ended(), { code: 0 })
  await runsAs(t, join(home, 'data'))
  t.equal(statSync(join(home, 'data', 'postgres.json')).uid, 65_534, "a start as root leaves it its owner's")
})

async function runsAs(t: Test, dataDir: string, ways?: readonly Way[]): Promise<void> {
  const server = await startPostgres({ dataDir, port: 0, settings, ways })
  try {
    await query(server.url, async (sql) => t.match(await sql`select 1 as one`, [{ one: 1 }]))
  } finally {
    await server.stop()
  }
}

/** Starts it in a process of its own, which can be killed. */
async function hold(t: Test, dataDir: string, ways: readonly Way[] = [], uid = ''): Promise<Running> {
  const child = startProcess(t, 'test/fixtures/hold-postgres.ts', { args: [dataDir, ways.join(','), uid] })
  const [, facts = '{}'] = await child.line(/^running (.*)$/)
  return { process: child, ...(JSON.parse(facts) as Omit<Running, 'process'>) }
}

async function query<T>(url: string, work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** In the system's temporary folder, which every user can enter. */
function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'rowbeat-embedded-'))
  chmodSync(path, 0o755)
  // A guard that outlives a killed parent may still write for some seconds.
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 }))
  return path
}

function seeded(t: Test): string {
  const path = folder(t)
  execFileSync('cp', ['-a', `${seed}/.`, path])
  return path
}

function canMount(): boolean {
  if (!isRoot || process.platform !== 'linux') return false
  const path = mkdtempSync(join(tmpdir(), 'rowbeat-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path], { stdio: 'ignore' })
    execFileSync('umount', [path])
    return true
  } catch {
    return false
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

function parentOf(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }))
}

function childrenOf(pid: number): number[] {
  const rows = execFileSync('ps', ['-ax', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  return rows
    .map((row) => row.trim().split(/\s+/).map(Number))
    .flatMap(([child = 0, parent]) => (parent === pid ? [child] : []))
}
