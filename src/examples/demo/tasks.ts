/**
 * Four tasks to try things with: one that adds, one that takes its time, one that fails as often as it is
 * told, one that gives back what it got; and a schedule for the first. They need no database and no other service.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { cron, schedule, task } from '../../index.ts'

const TICK_MS = 100

export const add = task(
  'demo.add',
  { input: z.object({ x: z.number(), y: z.number() }) },
  ({ x, y }) => x + y,
)

/** Tells its progress each tenth of a second and ends at once when its signal aborts. */
export const sleep = task(
  'demo.sleep',
  { input: z.object({ seconds: z.number().min(0).max(86_400) }) },
  async ({ seconds }, { progress, signal }) => {
    const total = Math.round((seconds * 1000) / TICK_MS)
    const start = performance.now()
    for (let tick = 1; tick <= total; tick++) {
      // Each tick aims at its own instant, so that a late timer does not make the whole sleep longer.
      await wait(Math.max(0, start + tick * TICK_MS - performance.now()), undefined, { signal })
      progress(tick, total)
    }
    await wait(Math.max(0, start + seconds * 1000 - performance.now()), undefined, { signal })
    return { slept: seconds }
  },
)

/** Its name is stored with the run's error: errors are data, and this one is told from any other. */
class DemoFailure extends Error {
  override readonly name = 'DemoFailure'
}

/**
 * Fails `times` times, a tenth of a second apart, then returns the number of the try that went well. A call
 * that gives fewer `attemptsMax` of its own sees the run fail for good.
 */
export const fail = task(
  'demo.fail',
  {
    input: z.object({ times: z.int().min(0).max(999), message: z.string().default('failed on purpose') }),
    attemptsMax: ({ times }: { times: number }) => times + 1,
    retry: { backoff: 'constant', base: '100ms' },
  },
  ({ times, message }, { run }) => {
    if (run.attempt <= times) throw new DemoFailure(message)
    return run.attempt
  },
)

/** Takes any object; its schema is JSON Schema, as another way to say what a task accepts. */
export const echo = task(
  'demo.echo',
  { input: { type: 'object' } },
  (input: Record<string, unknown>) => input,
)

/** A schedule to look at: in the registry of schedules, it may be edited, paused, run now. */
export const everyHour = schedule(
  'demo: add every hour',
  cron('0 * * * *'),
  add,
  { x: 1, y: 2 },
  { description: 'Declared by the examples; edit it and it is yours.' },
)
