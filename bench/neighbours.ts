/**
 * How much of the machine others used during a run, in cores. On a shared machine a figure says little
 * without it. Linux only: all busy time of /proc/stat, less that of our own process tree and of the Postgres
 * we started (a process that ended is in its parent's "children" time, so nothing of ours is lost).
 */
import { readdirSync, readFileSync } from 'node:fs'

export const TICKS_PER_SECOND = 100

interface Times {
  parent: number
  ticks: number
}

function readProcesses(): Map<number, Times> {
  const processes = new Map<number, Times>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
      processes.set(Number(name), { parent: Number(fields[1]), ticks })
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return processes
}

/** Processor time of these processes and all below them. */
export function ticksOfTrees(roots: readonly number[]): number {
  const processes = readProcesses()
  const isOurs = (pid: number): boolean => {
    if (roots.includes(pid)) return true
    const parent = processes.get(pid)?.parent ?? 0
    return parent > 1 && isOurs(parent)
  }
  return [...processes].reduce((sum, [pid, { ticks }]) => (isOurs(pid) ? sum + ticks : sum), 0)
}

function busyTicks(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return user! + nice! + system! + irq! + softirq! + steal!
}

/** Call it to begin; call the answer to learn how many cores others used since. NaN where there is no /proc. */
export function watchNeighbours(roots: readonly number[]): () => number {
  if (process.platform !== 'linux') return () => NaN
  const from = { at: performance.now(), busy: busyTicks(), ours: ticksOfTrees(roots) }
  return () => {
    const seconds = (performance.now() - from.at) / 1000
    const others = busyTicks() - from.busy - (ticksOfTrees(roots) - from.ours)
    return Math.max(0, others / TICKS_PER_SECOND / seconds)
  }
}
