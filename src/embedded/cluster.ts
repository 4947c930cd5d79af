/**
 * Makes PostgreSQL's data directory once, and refuses one that these programs cannot run.
 *
 * `initdb` works in a folder beside the final one, which is renamed when everything is there: a start that
 * was interrupted (kill -9, power) leaves no half-made database that later starts would stumble over. The
 * cluster is UTF-8 with the builtin C.UTF-8 locale, because without a LANG variable initdb falls back to
 * SQL_ASCII, and sorts the same on every machine. Every connection needs a password (scram), also from this
 * machine.
 */
import { execFile } from 'node:child_process'
import { chmodSync, chownSync, existsSync, lchownSync, mkdirSync, readFileSync } from 'node:fs'
import { readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigError } from '../errors.ts'
import { ENVIRONMENT } from './footing.ts'
import type { Footing, Identity } from './footing.ts'
import { programTrouble } from './trouble.ts'

const run = promisify(execFile)

export const SUPERUSER = 'postgres'

/**
 * Makes the data directory of Rowbeat itself when it is missing: closed, but passable when PostgreSQL is not
 * us.
 */
export function makeDataDir(dataDir: string): void {
  const found = statSync(dataDir, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  if (found) throw new ConfigError(`${dataDir} is a file: set ROWBEAT_DATA_DIR to a directory.`)
  makeFolder(dataDir)
  chmodSync(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700)
}

/**
 * One by one, because Node's own recursive mkdir misreports a read-only disk and never returns below /proc.
 */
function makeFolder(path: string): void {
  if (!existsSync(dirname(path))) makeFolder(dirname(path))
  mkdirSync(path)
}

/**
 * Makes the cluster when it is missing; otherwise checks its version and hands its files to who will run it.
 */
export async function ensureCluster(
  footing: Footing,
  options: { dataDir: string; password: string; sync: boolean },
): Promise<void> {
  const { cluster, owner } = footing
  if (!existsSync(join(cluster, 'PG_VERSION'))) await makeCluster(footing, options)
  const made = Number(readFileSync(join(cluster, 'PG_VERSION'), 'utf8'))
  if (made !== footing.major) {
    throw new ConfigError(
      `The database in ${cluster} was made by PostgreSQL ${made} and this Rowbeat brings PostgreSQL ` +
        `${footing.major}: move its data over with pg_dump and that version, or set ROWBEAT_DATA_DIR to a ` +
        'new directory.',
    )
  }
  if (owner && statSync(cluster).uid !== owner.uid) giveTo(cluster, owner)
}

async function makeCluster(
  footing: Footing,
  { dataDir, password, sync }: { dataDir: string; password: string; sync: boolean },
): Promise<void> {
  const half = `${footing.cluster}.new`
  const passwordFile = `${footing.cluster}.password`
  const owner = footing.owner
  rmSync(half, { recursive: true, force: true })
  mkdirSync(half, { mode: 0o700 })
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (owner) for (const path of [half, passwordFile]) chownSync(path, owner.uid, owner.gid)
  const [program = '', ...words] = [...footing.prefix, footing.binaries.initdb, '-D', half]
  words.push('-U', SUPERUSER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8')
  words.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions')
  if (!sync) words.push('--no-sync')
  try {
    await run(program, words, { cwd: '/', env: ENVIRONMENT, ...footing.identity })
  } catch (error) {
    rmSync(half, { recursive: true, force: true })
    const { stderr, message } = error as { stderr?: string; message: string }
    throw programTrouble(dataDir, stderr || message, join(dataDir, 'postgres.log'))
  } finally {
    rmSync(passwordFile, { force: true })
  }
  renameSync(half, footing.cluster)
  if (dirname(footing.cluster) !== dataDir) linkAside(join(dataDir, 'postgres'), footing.cluster)
}

/**
 * The cluster had to be made elsewhere: leave a sign where people look for it, and where we look the next
 * time.
 */
function linkAside(sign: string, cluster: string): void {
  if (!existsSync(sign)) symlinkSync(cluster, sign)
}

function giveTo(path: string, owner: Identity): void {
  lchownSync(path, owner.uid, owner.gid)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name)
    if (entry.isDirectory()) giveTo(inner, owner)
    else lchownSync(inner, owner.uid, owner.gid)
  }
}
