/**
 * What a handler throws to tell the worker what to do next. They are not errors of the task: a Retry counts as a try
 * and waits, a Snooze waits without counting, a Discard ends the run at once with no further try.
 */
import { durationMs, type Duration } from '../duration.ts'

/** Try again: `in` a duration, else by the task's backoff. Counts as a try; after the last one the run fails. */
export class Retry extends Error {
  readonly delayMs: number | null
  constructor(options: { in?: Duration; message?: string; cause?: unknown } = {}) {
    super(options.message ?? 'asked to be tried again', { cause: options.cause })
    this.name = 'Retry'
    this.delayMs = options.in === undefined ? null : durationMs(options.in, 'Retry in')
  }
}

/** Not yet: run again after `duration`. Does not count as a try. */
export class Snooze extends Error {
  readonly delayMs: number
  constructor(duration: Duration, message = 'asked to be run later') {
    super(message)
    this.name = 'Snooze'
    this.delayMs = durationMs(duration, 'Snooze')
  }
}

/** Give up now: the run ends as FAILURE with reason `discarded`, however many tries are left. */
export class Discard extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'Discard'
  }
}
