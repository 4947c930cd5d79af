/**
 * What a worker is told to be, and is: the plan made of its options and of what it was told, applied to its lanes, and the
 * answers that say so. Until it has looked once it serves nothing, and the registry keeps what it was started with.
 */
import type { Queryable } from '../db/handle.ts'
import type { Command } from '../db/statements/control.ts'
import type { WorkerFacts } from '../db/statements/workers.ts'
import { durationMs, type Duration } from '../duration.ts'
import type { Registry } from '../tasks/registry.ts'
import { createAnswers } from './commands.ts'
import type { RunEvents } from './events.ts'
import type { Flusher } from './flusher.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { Lanes } from './lanes.ts'
import { limitsGiven, type Given, type WorkerOptions } from './options.ts'
import { createOrders, type OrderBook } from './orders.ts'
import { planOf } from './settings.ts'
import type { Tally } from './tally.ts'

/** Commands after which it is as it was. */
const ONLY_LOOKS: readonly string[] = ['ping', 'report', 'reserved', 'stats', 'rate_limit', 'time_limit']

export interface StandingOptions {
  options: WorkerOptions
  given: Given
  db: Queryable
  registry: Registry
  events: RunEvents
  lanes: Lanes
  tally: Tally
  flusher: Flusher
  heart(): Heartbeat
  stop(options: { grace?: Duration }): Promise<void>
}

export interface Standing extends OrderBook {
  /** What the registry shows; undefined before the first look. */
  facts(): WorkerFacts | undefined
  /** What it serves, or is to. */
  queues(): Readonly<Record<string, number>>
}

export function createStanding(parts: StandingOptions): Standing {
  const { options, given, db, registry, events, lanes, tally, flusher } = parts
  const { name, base } = given
  let quiet: boolean | null = null

  const factsNow = (): WorkerFacts => ({
    ...lanes.facts(),
    quiet: quiet === true,
    processed: tally.counts(),
  })
  const orders = createOrders({
    db,
    worker: name,
    events,
    async apply({ settings, paused }) {
      const plan = planOf(base, settings, name, paused)
      quiet = plan.quiet
      await lanes.apply(plan.lanes)
    },
    answer: createAnswers({
      databaseUrl: options.databaseUrl,
      registry,
      lanes,
      heart: parts.heart,
      facts: factsNow,
      unstored: () => flusher.pending,
      config: { ...base, ...limitsGiven(options, given), retention: given.keep },
    }),
    onAnswered({ command, args }: Command) {
      if (ONLY_LOOKS.includes(command)) return
      events.emit('worker:told', { command, args })
      if (command !== 'shutdown') return
      const grace = args.grace as Duration | undefined
      const graceMs = grace === undefined ? null : durationMs(grace, 'grace')
      events.emit('worker:asked-to-stop', { name, graceMs })
      void parts.stop(grace === undefined ? {} : { grace })
    },
  })
  return {
    ...orders,
    facts: () => (quiet === null ? undefined : factsNow()),
    queues: () => (quiet === null ? base.queues : lanes.facts().queues),
  }
}
