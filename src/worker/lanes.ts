/**
 * The set of a worker's lanes, which changes while it runs: queues are added and cancelled, paused and resumed, grow and
 * shrink. A cancelled lane leaves in its own time: it claims nothing and hands back what it holds, its runs go on, and its
 * pools stay in the registry until they have ended, or a crash would leave rows that nobody sweeps.
 */
import { monotonicMs, sleep } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { countHot, makeIdentifiers } from '../db/statements/jobs.ts'
import { handBack } from '../db/statements/recovery.ts'
import { registerQueues } from '../db/statements/workers.ts'
import { rescale } from './autoscale.ts'
import type { Dropped, Lane } from './engine.ts'
import type { RunEvents } from './events.ts'
import type { ClaimedJob } from './job.ts'
import type { LanePlan } from './settings.ts'

/** How often a lane that scales is looked at. */
const SCALE_MS = 250
const LEAVE_MS = 250

export interface LanesOptions {
  db: Queryable
  tasks: readonly string[]
  /** Queues that the store knows with these tasks already. */
  known: readonly string[]
  events: RunEvents
  /** How long a lane has more slots than it needs before it shrinks. */
  keepAliveMs: number
  /** Makes a lane that claims: its queue is known to the store. */
  open(queue: string, slots: number, capacity: number): Lane
  /** Jobs whose outcome is on its way to the store. */
  unflushed(): readonly string[]
  /** Makes the pools of all lanes durable in the registry. */
  admit(): Promise<void>
  /** What the registry tells of the lanes is different now. */
  onChange(): void
}

export interface Lanes {
  /** What the registry tells: queue -> runs at once, and where they scale. */
  facts(): { queues: Record<string, number>; autoscale: Record<string, { max: number; min: number }> }
  pools(): string[]
  running(): number
  /** Claimed runs that have not started. */
  held(): ClaimedJob[]
  /** Makes the lanes what the plan says. What is to hold does so at once, before anything that may fail. */
  apply(plan: ReadonlyMap<string, LanePlan>): Promise<void>
  /** New work may be there; null is any queue. */
  wake(queue: string | null): void
  check(): Promise<void>
  drop(picks: (job: ClaimedJob) => boolean): Dropped[]
  renew(): void
  /** No lane claims any more, and none is changed. */
  quiet(): void
  /** Resolves when no claim is on its way. */
  settled(): Promise<void>
}

interface Entry {
  readonly lane: Lane
  plan: LanePlan
  /** When it last needed all its slots. */
  fullMs: number
}

export function createLanes(options: LanesOptions): Lanes {
  const { db, events, keepAliveMs, onChange } = options
  const serving = new Map<string, Entry>()
  const leaving = new Set<Lane>()
  const known = new Set(options.known)
  let timer: NodeJS.Timeout | null = null
  let isScaling = false
  let quieted = false

  const all = (): Lane[] => [...[...serving.values()].map(({ lane }) => lane), ...leaving]
  const open = (queue: string, plan: LanePlan): void => {
    const { scale, slots } = plan
    const lane = options.open(queue, scale?.min ?? slots, scale?.max ?? slots)
    lane.hold(plan.holds)
    serving.set(queue, { lane, plan, fullMs: monotonicMs() })
  }
  const change = (entry: Entry, plan: LanePlan): void => {
    const { lane } = entry
    const { slots } = lane.load()
    const { scale } = plan
    entry.plan = plan
    const wanted = scale ? Math.min(scale.max, Math.max(scale.min, slots)) : plan.slots
    lane.resize(wanted, scale?.max ?? wanted)
    lane.hold(plan.holds)
  }
  const leave = async (lane: Lane): Promise<void> => {
    leaving.add(lane)
    await lane.quiet()
    while (!quieted) {
      try {
        if (lane.running() === 0 && options.unflushed().length === 0) {
          await lane.settled()
          await handBack(db, lane.pools())
          break
        }
      } catch (error) {
        events.emit('worker:trouble', { what: `leaving queue ${lane.queue}`, error })
      }
      await sleep(LEAVE_MS)
    }
    leaving.delete(lane)
    if (!quieted) await options.admit()
  }
  const scaleOne = async (queue: string, entry: Entry): Promise<void> => {
    const { lane, plan } = entry
    if (!plan.scale) return
    const { slots, need } = lane.load()
    const isFull = need >= slots && slots < plan.scale.max && !plan.holds
    const waiting = isFull ? await countHot(db, queue, plan.scale.max) : 0
    const decision = rescale(plan.scale, keepAliveMs, entry.fullMs, {
      slots,
      need,
      waiting,
      nowMs: monotonicMs(),
    })
    entry.fullMs = decision.fullMs
    if (decision.slots === slots || entry.plan !== plan) return
    lane.resize(decision.slots, plan.scale.max)
    onChange()
  }
  const scaleAll = async (): Promise<void> => {
    if (isScaling || quieted) return
    isScaling = true
    try {
      for (const [queue, entry] of serving) await scaleOne(queue, entry)
    } catch (error) {
      events.emit('worker:trouble', { what: 'looking at backlogs', error })
    }
    isScaling = false
  }
  const keepScaling = (): void => {
    const scales = [...serving.values()].some(({ plan }) => plan.scale)
    if (scales && !quieted) timer ??= setInterval(() => void scaleAll(), SCALE_MS).unref()
    else if (timer) {
      clearInterval(timer)
      timer = null
    }
  }
  const introduce = async (queues: readonly string[]): Promise<void> => {
    await registerQueues(db, queues)
    await makeIdentifiers(
      db,
      queues.flatMap((queue) => options.tasks.map((task) => `${queue}:${task}`)),
    )
    for (const queue of queues) known.add(queue)
  }

  return {
    facts: () => ({
      queues: Object.fromEntries([...serving].map(([queue, { lane }]) => [queue, lane.load().slots])),
      autoscale: Object.fromEntries(
        [...serving].flatMap(([queue, { plan }]) => (plan.scale ? [[queue, plan.scale]] : [])),
      ),
    }),
    pools: () => all().flatMap((lane) => lane.pools()),
    running: () => all().reduce((total, lane) => total + lane.running(), 0),
    held: () => all().flatMap((lane) => lane.held()),
    async apply(plan) {
      if (quieted) return
      for (const [queue, entry] of serving) {
        const next = plan.get(queue)
        if (next) {
          change(entry, next)
          continue
        }
        serving.delete(queue)
        void leave(entry.lane)
      }
      const missing = [...plan.keys()].filter((queue) => !serving.has(queue))
      const unknown = missing.filter((queue) => !known.has(queue))
      for (const queue of missing) if (known.has(queue)) open(queue, plan.get(queue)!)
      if (unknown.length > 0) await introduce(unknown)
      if (quieted) return
      for (const queue of unknown) open(queue, plan.get(queue)!)
      keepScaling()
      onChange()
    },
    wake(queue) {
      if (queue !== null) return serving.get(queue)?.lane.nudge()
      for (const { lane } of serving.values()) lane.nudge()
    },
    check: async () => void (await Promise.all(all().map((lane) => lane.check()))),
    drop: (picks) => all().flatMap((lane) => lane.drop(picks)),
    renew() {
      for (const lane of all()) lane.renew()
    },
    quiet() {
      quieted = true
      keepScaling()
      for (const lane of all()) void lane.quiet()
    },
    async settled() {
      await Promise.all(all().map((lane) => lane.settled()))
    },
  }
}
