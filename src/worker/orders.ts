/**
 * What this worker is told: settings that hold, questions to be answered once, queues that are paused. It looks when it is
 * notified, and when its heartbeat answers with another digest than its last look had, so that a lost notification costs a
 * second; while nothing is told it asks nothing. A look that failed, or whose settings could not be applied, leaves the old
 * digest, and the next heartbeat asks again.
 *
 * Questions that stood before this worker began are not for it: its first look only notes them.
 */
import type { Queryable } from '../db/handle.ts'
import {
  readOrders,
  writeReply,
  type Command,
  type Orders,
  type TaskSetting,
} from '../db/statements/control.ts'
import type { RunEvents } from './events.ts'
import type { LimitOverride } from './limits.ts'

export interface OrderBook {
  /** There may be something new; resolves when it was looked at and applied. */
  look(): Promise<void>
  /** What a heartbeat answered. */
  beat(digest: string | null): void
  /** What stands in for a task's time limits. */
  overrideOf(task: string): LimitOverride | undefined
  close(): void
}

export interface OrdersOptions {
  db: Queryable
  worker: string
  events: RunEvents
  /** Makes the worker what it is to be; once more does no harm. */
  apply(orders: Orders): Promise<void>
  /** Answers a command, which is applied already; null: somebody else answers. A throw is the answer too. */
  answer(command: Command): Promise<unknown>
  /** Its answer is written. */
  onAnswered(command: Command): void
}

export function createOrders({ db, worker, events, apply, answer, onAnswered }: OrdersOptions): OrderBook {
  let seen: Set<string> | null = null
  /** Of the last look; undefined before the first. */
  let digest: string | null | undefined
  let overrides: ReadonlyMap<string, TaskSetting> = new Map()
  let looking: Promise<void> | null = null
  let again = false
  let closed = false

  const heed = async (command: Command): Promise<void> => {
    let reply: unknown
    let ok = true
    try {
      reply = await answer(command)
    } catch (error) {
      ok = false
      reply = { error: (error as Error).message }
    }
    if (reply === null) return
    await writeReply(db, command.id, worker, ok, reply)
    if (ok) onAnswered(command)
  }
  const lookOnce = async (): Promise<void> => {
    const orders = await readOrders(db, worker)
    overrides = new Map(orders.tasks.map((setting) => [setting.task, setting]))
    await apply(orders)
    const fresh = seen ? orders.commands.filter(({ id }) => !seen!.has(id)) : []
    seen = new Set(orders.commands.map(({ id }) => id))
    digest = orders.digest
    for (const command of fresh) await heed(command)
  }
  const lookUntilSeen = async (): Promise<void> => {
    while (again && !closed) {
      again = false
      try {
        await lookOnce()
      } catch (error) {
        if (!closed) events.emit('worker:trouble', { what: 'reading what workers are told', error })
      }
    }
    looking = null
  }
  const look = (): Promise<void> => {
    again = true
    return (looking ??= lookUntilSeen())
  }
  return {
    look,
    beat(told) {
      if (told !== digest && !looking) void look()
    },
    overrideOf(task) {
      const setting = overrides.get(task)
      return setting && { timeLimit: setting.time_limit, softTimeLimit: setting.soft_time_limit }
    },
    close() {
      closed = true
    },
  }
}
