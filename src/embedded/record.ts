/**
 * What the data directory remembers of its PostgreSQL, in `postgres.json` (mode 0600): the two passwords, the
 * port it had last, and which process holds it. The holder is a pid with its birth, so a pid given to
 * somebody else since is not mistaken for it, and a holder killed with -9 blocks nobody. Written whole and
 * renamed, never half.
 */
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import { birthOf } from './remains.ts'

export interface ClusterRecord {
  readonly superuserPassword: string
  readonly password: string
  readonly port: number | null
  readonly holder: { readonly pid: number; readonly birth: string } | null
}

/** Takes the data directory for this process; a ConfigError while another living process has it. */
export function claimRecord(dataDir: string): ClusterRecord {
  const found = readRecord(dataDir)
  const holder = found?.holder
  if (holder && birthOf(holder.pid) === holder.birth) {
    throw new ConfigError(
      `${dataDir} is in use by the running process ${holder.pid}: stop that one, or set ` +
        'ROWBEAT_DATA_DIR to another directory.',
    )
  }
  const record = {
    superuserPassword: found?.superuserPassword ?? newPassword(),
    password: found?.password ?? newPassword(),
    port: found?.port ?? null,
    holder: { pid: process.pid, birth: birthOf(process.pid) ?? '' },
  }
  writeRecord(dataDir, record)
  return record
}

export function writeRecord(dataDir: string, record: ClusterRecord): void {
  const whole = join(dataDir, 'postgres.json')
  const half = `${whole}.${process.pid}`
  try {
    writeFileSync(half, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600, flush: true })
    ownAs(dataDir, half)
    renameSync(half, whole)
  } catch (error) {
    rmSync(half, { force: true })
    throw error
  }
}

/**
 * Gives the directory back. On a full disk it stays written as held, by a process that will be dead:
 * harmless.
 */
export function releaseRecord(dataDir: string, record: ClusterRecord): void {
  try {
    writeRecord(dataDir, { ...record, holder: null })
  } catch {
    // Nothing that could be done better by the caller, who is stopping.
  }
}

/**
 * As root we write for whoever owns the directory, so that one start with sudo does not lock its owner out.
 */
export function ownAs(dataDir: string, file: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(dataDir)
  chownSync(file, uid, gid)
}

function readRecord(dataDir: string): ClusterRecord | null {
  const file = join(dataDir, 'postgres.json')
  if (existsSync(file)) return parseRecord(file)
  if (!existsSync(join(dataDir, 'postgres', 'PG_VERSION'))) return null
  throw new ConfigError(
    `${file} is missing, and with it the password of the database beside it: put it back from a backup, ` +
      'or set ROWBEAT_DATA_DIR to a new directory.',
  )
}

function parseRecord(file: string): ClusterRecord {
  const text = readFileSync(file, 'utf8')
  try {
    return JSON.parse(text) as ClusterRecord
  } catch (cause) {
    throw new ConfigError(`${file} cannot be read as JSON: put it back from a backup.`, { cause })
  }
}

function newPassword(): string {
  return randomBytes(24).toString('base64url')
}
