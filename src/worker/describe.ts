/**
 * A task as a row of rowbeat.tasks, from which SQL takes defaults and the panel its forms.
 */
import { durationMs, type Duration } from '../duration.ts'
import type { TaskRow } from '../db/statements/workers.ts'
import { storePolicy } from '../tasks/retry.ts'
import type { Task } from '../tasks/task.ts'

export function describeTask({ name, options, input }: Task): TaskRow {
  return {
    name,
    queue: options.queue ?? null,
    priority: options.priority ?? null,
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
    input_schema: input?.jsonSchema ?? null,
  }
}

function seconds(duration: Duration | undefined): number | null {
  return duration === undefined ? null : durationMs(duration, 'a duration of a task') / 1000
}
