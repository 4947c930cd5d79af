/**
 * A real PostgreSQL for people who have none at hand: made, started and stopped by Rowbeat, nothing
 * downloaded.
 *
 *   <dataDir>/postgres/        PostgreSQL's own data directory          cluster.ts
 *   <dataDir>/postgres.json    passwords, port, who holds it (0600)     record.ts
 *   <dataDir>/postgres.log     what PostgreSQL says (set aside as postgres.log.1 when it passed 5 MB)
 *
 * A start finds the programs (binaries.ts), finds an identity that may run them (footing.ts), takes the
 * directory, clears what an earlier life left running (remains.ts), makes the cluster if there is none, and
 * launches it under a guard that ends it when we die (guard.ts). It listens on 127.0.0.1 only, with
 * passwords, and gives out a role that owns the database `rowbeat` and is no superuser: nothing in Rowbeat
 * may need one.
 *
 * A killed PostgreSQL is not restarted here: `exited` tells the caller, who calls startPostgres again.
 */
import { closeSync, fstatSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { monotonicMs, sleep } from '../clock.ts'
import { ensureOwner } from '../db/owner.ts'
import type { Logger } from '../log.ts'
import { findBinaries } from './binaries.ts'
import { ensureCluster, makeDataDir, SUPERUSER } from './cluster.ts'
import { chooseFooting } from './footing.ts'
import type { Footing, Way } from './footing.ts'
import { launchGuarded } from './guard.ts'
import type { Guarded } from './guard.ts'
import { freePort } from './port.ts'
import { claimRecord, ownAs, releaseRecord, writeRecord } from './record.ts'
import { clearRemains, clusterName, signalIfAlive } from './remains.ts'
import { dataDirTrouble, programTrouble } from './trouble.ts'

export interface PostgresOptions {
  /** Rowbeat's data directory; PostgreSQL's files are a folder in it. */
  dataDir: string
  /**
   * The port it should have; a free one is taken when somebody else has it. 0: any free one. Default: the
   * last one.
   */
  port?: number
  /** postgresql.conf settings on top of ours, such as `{ fsync: 'off' }`. */
  settings?: Record<string, string>
  log?: Logger
  /** How PostgreSQL may be run, see footing.ts; for tests. */
  ways?: readonly Way[]
}

/** How PostgreSQL ended. */
export interface PostgresExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** stop() was called. */
  readonly expected: boolean
  /** The end of what it logged. */
  readonly lastWords: string
}

export interface EmbeddedPostgres {
  /** Connects as `rowbeat`, owner of the database `rowbeat`. */
  readonly url: string
  /** Connects as superuser to the database `postgres`. */
  readonly adminUrl: string
  readonly port: number
  readonly dataDir: string
  /** The postmaster's. */
  readonly pid: number
  readonly exited: Promise<PostgresExit>
  /** `fast` ends sessions and writes everything down; `immediate` just ends: the next start recovers. */
  stop(how?: 'fast' | 'immediate'): Promise<void>
}

const ROLE = 'rowbeat'
const FIRST_PORT = 15_432
const LOG_BYTES_MAX = 5_000_000
const READY_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 10_000
const START_TRIES = 20

/** Meant for a laptop or a small server: modest memory, durable, room for several Rowbeat processes. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  wal_compression: 'on',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  log_min_error_statement: 'panic',
}

/**
 * Starts PostgreSQL on `dataDir`, made on the first call. Throws a ConfigError or StoreError of one sentence.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir)
  try {
    return await start(dataDir, options)
  } catch (error) {
    throw isFileError(error) ? dataDirTrouble(dataDir, error) : error
  }
}

async function start(dataDir: string, options: PostgresOptions): Promise<EmbeddedPostgres> {
  makeDataDir(dataDir)
  const footing = await chooseFooting(await findBinaries(), dataDir, options.ways)
  const record = claimRecord(dataDir)
  try {
    await clearRemains(footing.cluster, options.log)
    const sync = options.settings?.fsync !== 'off'
    await ensureCluster(footing, { dataDir, password: record.superuserPassword, sync })
    const wanted = options.port ?? record.port ?? FIRST_PORT
    const { guarded, port } = await launch(footing, dataDir, wanted, options)
    const life = lifeOf(guarded, dataDir, () => releaseRecord(dataDir, { ...record, port }))
    const url = urlOf(ROLE, record.password, port, ROLE)
    const adminUrl = urlOf(SUPERUSER, record.superuserPassword, port, 'postgres')
    try {
      writeRecord(dataDir, { ...record, port })
      await ensureOwner(adminUrl, { role: ROLE, password: record.password, database: ROLE })
    } catch (error) {
      await life.stop()
      throw error
    }
    options.log?.debug({ pid: guarded.pid, port, way: footing.way }, 'PostgreSQL started')
    return { url, adminUrl, port, dataDir, pid: guarded.pid, ...life }
  } catch (error) {
    releaseRecord(dataDir, record)
    throw error
  }
}

/**
 * Launches until it is ready. Tries again when the port was taken under us or a dead server's traces need a
 * moment.
 */
async function launch(
  footing: Footing,
  dataDir: string,
  wanted: number,
  options: PostgresOptions,
): Promise<{ guarded: Guarded; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(wanted)
    const log = openLog(dataDir)
    const guarded = await launchGuarded(footing, wordsFor(footing.cluster, port, options.settings), log.fd)
    closeSync(log.fd)
    if (await becomesReady(footing.cluster, guarded)) return { guarded, port }
    const words = logFrom(dataDir, log.start)
    if (attempt < START_TRIES && /could not bind/.test(words)) continue
    if (attempt === START_TRIES || !/postmaster\.pid" already exists|still in use/.test(words)) {
      throw programTrouble(dataDir, words, logFile(dataDir))
    }
    await sleep(250)
    await clearRemains(footing.cluster, options.log)
  }
}

function wordsFor(cluster: string, port: number, settings: Record<string, string> = {}): string[] {
  const all = { ...SETTINGS, cluster_name: clusterName(cluster), ...settings, port: String(port) }
  return ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/** PostgreSQL writes its status into the eighth line of postmaster.pid: the same sign pg_ctl waits for. */
async function becomesReady(cluster: string, guarded: Guarded): Promise<boolean> {
  const ended = guarded.exited.then(() => true)
  const deadline = monotonicMs() + READY_TIMEOUT_MS
  while (monotonicMs() < deadline) {
    const lines = readText(join(cluster, 'postmaster.pid')).split('\n')
    if (Number(lines[0]) === guarded.pid && lines[7]?.trim() === 'ready') return true
    if (await Promise.race([ended, sleep(10).then(() => false)])) return false
  }
  signalIfAlive(guarded.pid, 'SIGQUIT')
  await guarded.exited
  return false
}

/** What can still happen to it: it ends by itself, or is stopped. Either way the directory is free again. */
function lifeOf(
  guarded: Guarded,
  dataDir: string,
  release: () => void,
): Pick<EmbeddedPostgres, 'exited' | 'stop'> {
  const asked = new AbortController()
  const ended = new AbortController()
  const exited = guarded.exited.then((exit): PostgresExit => {
    ended.abort()
    release()
    return { ...exit, expected: asked.signal.aborted, lastWords: logFrom(dataDir, -2000) }
  })
  // Once it ended, its pid may be anybody's.
  const send = (signal: NodeJS.Signals): void => {
    if (!ended.signal.aborted) signalIfAlive(guarded.pid, signal)
  }
  const stop = async (how: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    asked.abort()
    send(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
    void sleep(STOP_TIMEOUT_MS, ended.signal).then(() => send('SIGQUIT'))
    await exited
  }
  return { exited, stop }
}

function logFile(dataDir: string): string {
  return join(dataDir, 'postgres.log')
}

/** Opens the log for appending; a big one is set aside first. */
function openLog(dataDir: string): { fd: number; start: number } {
  const file = logFile(dataDir)
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) renameSync(file, `${file}.1`)
  const fd = openSync(file, 'a', 0o600)
  ownAs(dataDir, file)
  return { fd, start: fstatSync(fd).size }
}

/** The log from byte `start`, or its last bytes when negative. */
function logFrom(dataDir: string, start: number): string {
  return readText(logFile(dataDir)).slice(start)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

function urlOf(user: string, password: string, port: number, database: string): string {
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`
}

/** Of a file operation; those of sockets have a syscall too, and an address. */
function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && !('address' in error)
}
