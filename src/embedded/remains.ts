/**
 * What an earlier life may have left behind, and how it is cleared without risking the data.
 *
 *   a postmaster still running    its parent was killed and its guard too: stop it, then start with a guard
 *   backends without postmaster   the postmaster was killed with -9: they notice and end within moments: wait
 *   postmaster.pid alone          PostgreSQL clears it itself, unless its number now belongs to some other
 *                                 process (usual after a container restart): then it would refuse for ever,
 *                                 so the file goes, once it is proved that no process of this cluster lives
 *
 * Who belongs to a cluster is read from the command lines: the postmaster's names `-D <cluster>`, its
 * children carry the cluster's name in their title. Both can be read by any user, unlike /proc/<pid>/cwd.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { monotonicMs, sleep } from '../clock.ts'
import { StoreError } from '../errors.ts'
import type { Logger } from '../log.ts'

interface ClusterProcess {
  readonly pid: number
  readonly role: 'postmaster' | 'child'
}

const PATIENCE_MS = 10_000

/** PostgreSQL's `cluster_name`: put into the title of each of its processes. */
export function clusterName(cluster: string): string {
  return `rowbeat-${createHash('sha256').update(cluster).digest('hex').slice(0, 12)}`
}

/**
 * Stops or waits out whatever still runs on this cluster and removes a pid file that would block it for ever.
 */
export async function clearRemains(cluster: string, log?: Logger): Promise<void> {
  const left = clusterProcesses(cluster)
  if (left.length > 0) {
    log?.warn(
      { pids: left.map(({ pid }) => pid) },
      'a PostgreSQL left by an earlier start still runs: stopping it',
    )
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
      const postmasters = clusterProcesses(cluster).filter(({ role }) => role === 'postmaster')
      for (const { pid } of postmasters) signalIfAlive(pid, signal)
      if (await gone(cluster, PATIENCE_MS)) break
    }
  }
  const stubborn = clusterProcesses(cluster)[0]
  if (stubborn) {
    throw new StoreError(
      'RB_DB_UNREACHABLE',
      `PostgreSQL process ${stubborn.pid} still uses ${cluster} and does not stop: end it, then start again.`,
    )
  }
  removeForeignPid(join(cluster, 'postmaster.pid'))
}

/** Only where /proc shows every process is it certain that none of this cluster lives. */
function removeForeignPid(file: string): void {
  const written = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0
  const isForeign = written > 0 && birthOf(written) !== null
  if (isForeign && existsSync('/proc/self/cmdline')) rmSync(file, { force: true })
}

async function gone(cluster: string, patienceMs: number): Promise<boolean> {
  const deadline = monotonicMs() + patienceMs
  while (clusterProcesses(cluster).length > 0) {
    if (monotonicMs() > deadline) return false
    await sleep(20)
  }
  return true
}

export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 0) return
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself meanwhile: what we wanted.
  }
}

function clusterProcesses(cluster: string): ClusterProcess[] {
  const title = `postgres: ${clusterName(cluster)}: `
  return commandLines().flatMap(({ pid, words }): ClusterProcess[] => {
    const command = words.join(' ')
    if (command.startsWith(title)) return [{ pid, role: 'child' }]
    const isPostmaster = /(^|\/)postgres$/.test(words[0] ?? '') && words[1] === '-D' && words[2] === cluster
    return isPostmaster ? [{ pid, role: 'postmaster' }] : []
  })
}

/**
 * Every process that can be seen; /proc where there is one, else ps (macOS), whose words cannot hold a space.
 */
function commandLines(): { pid: number; words: string[] }[] {
  if (!existsSync('/proc/self/cmdline')) {
    const text = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' })
    return text.split('\n').map((line) => {
      const [pid, ...words] = line.trim().split(' ')
      return { pid: Number(pid), words }
    })
  }
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    return [{ pid: Number(entry), words: readOr(`/proc/${entry}/cmdline`, '').split('\0') }]
  })
}

/**
 * When a process was born, in whatever unit this system counts; null when it is dead (or a zombie). A pid
 * with its birth names one process for ever, a pid alone may be given to another.
 */
export function birthOf(pid: number): string | null {
  try {
    if (existsSync('/proc/self/stat')) {
      // The second field is the name in brackets, which may hold anything: count from behind it.
      const [state, ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
      return state === 'Z' || state === 'X' ? null : (fields[18] ?? null)
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null
  } catch {
    return null
  }
}

function readOr(file: string, fallback: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return fallback
  }
}
