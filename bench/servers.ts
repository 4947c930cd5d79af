/**
 * The servers the contestants share: one PostgreSQL, the same embedded one that `npm start` uses, with
 * fsync and synchronous_commit on; and two redis-servers when the machine has one, without an append-only
 * file and with one that is fsynced at each write (the fair comparison for durability). RDB snapshots are off
 * in both, which favours Redis. All data lives in a temporary directory and goes when the bench ends.
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { until } from './load.ts'

export const POSTGRES_SETTINGS: Record<string, string> = {
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  max_connections: '200',
}

export interface Servers {
  /** As superuser, for making databases. */
  adminUrl: string
  /** As the role that owns the databases; contestants get no more than `npm start` gives. */
  url: string
  redis: { plain: number; always: number } | null
  /** The postmaster, when it is ours. */
  postgresPid: number | null
  stop(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const opened = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false)
  socket.destroy()
  return opened
}

export function redisVersion(): string | null {
  const answer = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  return answer.status === 0 ? (/v=(\S+)/.exec(answer.stdout)?.[1] ?? 'unknown') : null
}

async function startRedis(
  directory: string,
  always: boolean,
): Promise<{ port: number; child: ChildProcess }> {
  const port = await freePort()
  const append = always ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
  const flags = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...append]
  const child = spawn('redis-server', flags, { stdio: 'ignore' })
  await until('redis-server answers', () => accepts(port), 20, 10_000)
  return { port, child }
}

/** `url` is a server that runs already (for development); without it the embedded one is started. */
async function startDatabase(directory: string, url: string | null) {
  if (url) return { adminUrl: url, url, pid: null, stop: async () => {} }
  const { startPostgres } = await import('../src/embedded/postgres.ts')
  const settings = POSTGRES_SETTINGS
  return startPostgres({ dataDir: directory, port: await freePort(), settings })
}

export async function startServers(url: string | null): Promise<Servers> {
  const directory = await mkdtemp(join(tmpdir(), 'rowbeat-bench-'))
  const database = await startDatabase(join(directory, 'postgres'), url)
  const redises: ChildProcess[] = []
  let redis: Servers['redis'] = null
  if (redisVersion()) {
    const [plain, always] = [
      await mkdtemp(join(directory, 'redis-')),
      await mkdtemp(join(directory, 'redis-')),
    ]
    const first = await startRedis(plain, false)
    const second = await startRedis(always, true)
    redises.push(first.child, second.child)
    redis = { plain: first.port, always: second.port }
  }
  return {
    adminUrl: database.adminUrl,
    url: database.url,
    postgresPid: database.pid,
    redis,
    async stop() {
      for (const child of redises) {
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        await ended
      }
      await database.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/**
 * Databases by copy: the schema of each peer is made once, in a template, and every run gets a fresh copy.
 */
export function openDatabases({ adminUrl, url: ownerUrl }: { adminUrl: string; url: string }) {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => {} })
  const prefix = `bench_${process.pid}`
  const made = new Set<string>()
  let count = 0

  const owner = new URL(ownerUrl).username || 'postgres'
  const urlOf = (name: string, base = ownerUrl): string => {
    const url = new URL(base)
    url.pathname = `/${name}`
    return url.href
  }
  const drop = async (name: string): Promise<void> => {
    await admin.unsafe(`drop database if exists ${name} with (force)`)
    made.delete(name)
  }
  return {
    admin,
    async template(fill: (url: string) => Promise<void>): Promise<string> {
      const name = `${prefix}_template_${count++}`
      await admin.unsafe(`create database ${name} owner ${owner}`)
      made.add(name)
      await fill(urlOf(name))
      return name
    },
    async copy(template: string): Promise<{ url: string; drop(): Promise<void> }> {
      const name = `${prefix}_run_${count++}`
      // Before the copy, not after: what is written after a checkpoint is written whole, which no
      // contestant should pay for in its few seconds.
      await admin.unsafe('checkpoint')
      await admin.unsafe(`create database ${name} template ${template} owner ${owner}`)
      made.add(name)
      return { url: urlOf(name), drop: () => drop(name) }
    },
    /** Statistics before each measurement, as autovacuum would have made them by then. */
    async settle(url: string): Promise<void> {
      const sql = postgres(urlOf(new URL(url).pathname.slice(1), adminUrl), { max: 1, onnotice: () => {} })
      await sql.unsafe('vacuum (analyze)')
      await sql.end()
    },
    async close(): Promise<void> {
      for (const name of made) await drop(name)
      await admin.end()
    },
  }
}
