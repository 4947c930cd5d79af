/**
 * A task as a row of rowbeat.tasks, from which SQL takes defaults and the panel its forms.
 */
import { durationMs, type Duration } from '../duration.ts'
import type { QueueRow } from '../db/statements/queues.ts'
import type { TaskRow } from '../db/statements/workers.ts'
import type { ConcurrencyLimit, RateLimit } from '../tasks/options.ts'
import type { QueueDefinition } from '../tasks/queue.ts'
import { storePolicy } from '../tasks/retry.ts'
import type { Routed } from '../tasks/route.ts'
import type { Task } from '../tasks/task.ts'

/** `routed`: what the application's routes say of it, which comes before what it says itself. */
export function describeTask({ name, options, input }: Task, routed: Routed | null = null): TaskRow {
  const concurrency = limitOf<ConcurrencyLimit>(options.concurrency)
  const rate = limitOf<RateLimit>(options.rate)
  return {
    name,
    queue: routed?.queue ?? options.queue ?? null,
    priority: routed?.priority ?? options.priority ?? null,
    attempts_max:
      typeof options.attemptsMax === 'number'
        ? options.attemptsMax
        : options.retry && !options.attemptsMax
          ? 5
          : null,
    retry: storePolicy(options.retry),
    time_limit: seconds(options.timeLimit),
    soft_time_limit: seconds(options.softTimeLimit),
    retention: seconds(options.retention),
    ignore_result: options.ignoreResult ?? false,
    concurrency: concurrency?.limit ?? null,
    concurrency_strategy: concurrency?.strategy ?? 'wait',
    rate: rate ? String(rate.limit).trim() : null,
    rate_burst: rate?.burst ?? null,
    input_schema: input?.jsonSchema ?? null,
  }
}

export function describeQueue({ name, options }: QueueDefinition): QueueRow {
  const { concurrency = null, rate, burst = null } = options
  return { name, concurrency, rate: rate === undefined ? null : String(rate).trim(), rate_burst: burst }
}

function limitOf<Limit extends { readonly limit: unknown }>(
  given: Limit | Limit['limit'] | undefined,
): Limit | null {
  if (given === undefined) return null
  return (typeof given === 'object' ? given : { limit: given }) as Limit
}

function seconds(duration: Duration | undefined): number | null {
  return duration === undefined ? null : durationMs(duration, 'a duration of a task') / 1000
}
