/**
 * Under which identity PostgreSQL runs. It refuses to run as root, so when we are root it must become
 * somebody else, and that somebody must be able to reach the programs and the data, even when both lie under
 * a folder that is closed to everybody but root (/root itself). The ways, from plainest to most roundabout;
 * the first one that works is taken:
 *
 *   own        we are an ordinary user: nothing to do
 *   uid        spawn with the uid of `nobody` (or of whoever owns the data already): works below open folders
 *   setpriv    the same uid, keeping only CAP_DAC_OVERRIDE, so that closed folders above do not matter
 *   unshare    a user namespace in which root is called nobody: the files stay root's
 *   copy       programs and data under /var/lib/rowbeat, which anybody may traverse
 *
 * A way "works" when it can enter the data directory and start `postgres --version` there: tried, not
 * guessed.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { realpathSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigError } from '../errors.ts'
import { binariesAt } from './binaries.ts'
import type { Binaries } from './binaries.ts'

export interface Identity {
  readonly uid: number
  readonly gid: number
}

export interface Footing {
  readonly way: Way
  readonly binaries: Binaries
  /** PostgreSQL's own data directory (PGDATA), an absolute real path. */
  readonly cluster: string
  /** Words to put before a program to run it this way. */
  readonly prefix: readonly string[]
  /** For spawn(), when no prefix changes the identity. */
  readonly identity: Identity | null
  /** Who must own the cluster's files; null: whoever we are. */
  readonly owner: Identity | null
  /** Major version of the programs. */
  readonly major: number
}

export type Way = 'own' | 'uid' | 'setpriv' | 'unshare' | 'copy'

/** What PostgreSQL's processes get as environment: nothing of ours (PGPORT, PGDATA ... would be obeyed). */
export const ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
}

const NOBODY = 65_534
const WAYS_OF_ROOT: readonly Way[] = ['uid', 'setpriv', 'unshare', 'copy']
const run = promisify(execFile)

/** The first way that works here; a ConfigError when none does. `ways` narrows the choice (tests). */
export async function chooseFooting(
  binaries: Binaries,
  dataDir: string,
  ways: readonly Way[] = process.getuid?.() === 0 ? WAYS_OF_ROOT : ['own'],
): Promise<Footing> {
  const complaints: string[] = []
  for (const way of ways) {
    try {
      const footing = footingFor(way, binaries, dataDir)
      return { ...footing, major: await postgresMajor(footing, way === 'copy' ? '/' : dataDir) }
    } catch (error) {
      complaints.push(
        `${way}: ${firstLine((error as { stderr?: string }).stderr || (error as Error).message)}`,
      )
    }
  }
  throw new ConfigError(
    `The built-in PostgreSQL cannot run here (${complaints.join('; ')}): set DATABASE_URL to a server ` +
      'of your own, or start Rowbeat as an ordinary user.',
  )
}

function footingFor(way: Way, binaries: Binaries, dataDir: string): Omit<Footing, 'major'> {
  const plain = join(dataDir, 'postgres')
  const cluster = existsSync(plain) ? realpathSync(plain) : join(realpathSync(dataDir), 'postgres')
  const footing = { way, binaries, cluster, prefix: [], identity: null, owner: null }
  if (way === 'own') return footing
  const owner = ownerOf(cluster)
  if (way === 'uid') return { ...footing, identity: owner, owner }
  if (way === 'setpriv') return { ...footing, prefix: setpriv(owner), owner }
  if (way === 'unshare') {
    const prefix = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`]
    return { ...footing, prefix, owner: { uid: 0, gid: 0 } }
  }
  return { ...footing, ...copyAside(binaries, dataDir, plain), identity: owner, owner }
}

/**
 * Whoever owns the data already, so that a user who tries Rowbeat once with sudo is not locked out
 * afterwards.
 */
function ownerOf(cluster: string): Identity {
  const found = existsSync(cluster) ? statSync(cluster) : null
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : { uid: NOBODY, gid: NOBODY }
}

/**
 * The securebits keep the kernel from dropping the capability for access(2), which initdb asks before it
 * looks.
 */
function setpriv({ uid, gid }: Identity): string[] {
  const only = '-all,+dac_override'
  return [
    'setpriv',
    '--securebits=+noroot,+no_setuid_fixup',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    `--inh-caps=${only}`,
    `--ambient-caps=${only}`,
  ]
}

function copyAside(
  binaries: Binaries,
  dataDir: string,
  plain: string,
): { binaries: Binaries; cluster: string } {
  if (lstatSync(plain, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ConfigError(`the data in ${plain} cannot be reached by any user but root`)
  }
  const base = '/var/lib/rowbeat'
  const home = join(base, createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 12))
  const { version } = JSON.parse(readFileSync(join(binaries.native, '..', 'package.json'), 'utf8'))
  const native = join(home, `native-${version}`)
  for (const folder of [base, home]) {
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, 0o711)
  }
  if (!existsSync(native)) {
    const half = `${native}.${process.pid}`
    cpSync(binaries.native, half, { recursive: true, verbatimSymlinks: true })
    renameSync(half, native)
  }
  return { binaries: binariesAt(native), cluster: join(home, 'postgres') }
}

async function postgresMajor(footing: Omit<Footing, 'major'>, folder: string): Promise<number> {
  const [program = '', ...words] = [
    ...footing.prefix,
    '/bin/sh',
    '-c',
    'cd "$1" && exec "$2" --version',
    'sh',
  ]
  const { stdout } = await run(program, [...words, folder, footing.binaries.postgres], {
    cwd: '/',
    env: ENVIRONMENT,
    ...footing.identity,
  })
  return Number(/(\d+)/.exec(stdout)?.[1])
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}
