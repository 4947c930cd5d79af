/**
 * What a worker is to be, made of what it was started with and what it was told since: pure. What was said to its own name
 * wins over what was said to all (`*`), and both over its options.
 */
import type { WorkerSetting } from '../db/statements/control.ts'
import type { Scale } from './autoscale.ts'

/** As it was started. */
export interface Base {
  /** Queue -> runs at once. */
  readonly queues: Readonly<Record<string, number>>
  /** Of a queue that is added. */
  readonly concurrency: number
  readonly autoscale: Scale | null
}

export interface LanePlan {
  /** Runs at once, where it does not scale. */
  readonly slots: number
  readonly scale: Scale | null
  /** It claims nothing. */
  readonly holds: boolean
}

export interface Plan {
  readonly quiet: boolean
  readonly lanes: ReadonlyMap<string, LanePlan>
}

export function planOf(
  base: Base,
  settings: Readonly<Record<string, WorkerSetting>>,
  name: string,
  paused: readonly string[],
): Plan {
  const all = settings['*'] ?? {}
  const own = settings[name] ?? {}
  const quiet = own.quiet ?? all.quiet ?? false
  const told = own.concurrency ?? all.concurrency
  const scale = scaleOf(base, all, own)
  const lanes = new Map<string, LanePlan>()
  const queues = new Set([
    ...Object.keys(base.queues),
    ...Object.keys(all.queues ?? {}),
    ...Object.keys(own.queues ?? {}),
  ])
  for (const queue of queues) {
    const said = { ...all.queues?.[queue], ...own.queues?.[queue] }
    const serves = said.serve ?? Object.hasOwn(base.queues, queue)
    if (!serves) continue
    lanes.set(queue, {
      slots: said.concurrency ?? told ?? base.queues[queue] ?? base.concurrency,
      scale: said.concurrency === undefined ? scale : null,
      holds: quiet || paused.includes(queue),
    })
  }
  return { quiet, lanes }
}

/** Concurrency and autoscale answer one question, so who said either last for itself is not overruled by the other from all. */
function scaleOf({ autoscale }: Base, all: WorkerSetting, own: WorkerSetting): Scale | null {
  const said = own.autoscale ?? (own.concurrency == null ? all.autoscale : false)
  if (said === false) return null
  return said ?? autoscale
}
