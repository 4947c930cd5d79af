/**
 * Compile-only: options of tasks and of enqueue. Each `@ts-expect-error` is a claim that the line below does not compile.
 */
import { createRowbeat, task, Retry, Snooze, type Duration } from '../../src/index.ts'

const rowbeat = createRowbeat({ databaseUrl: 'postgres://localhost/never' })
const tick = task('o.tick', { timeLimit: '1 minute', retention: '30 days' }, () => null)

// Durations are a number of seconds or "<n> <unit>".
const durations: Duration[] = [5, 0.5, '5s', '5 s', '10 minutes', '1.5 hours', '250ms', '2w', '1 day']
await rowbeat.enqueue(tick, undefined, { delay: durations[0]!, expires: '10m', timeLimit: 3 })
// @ts-expect-error a misspelt unit
await rowbeat.enqueue(tick, undefined, { delay: '5 minuts' })
// @ts-expect-error a number in a text without its unit
await rowbeat.enqueue(tick, undefined, { delay: '5' })
// @ts-expect-error two durations in one
task('o.wrong-limit', { timeLimit: '1h 30m' }, () => null)
// @ts-expect-error no duration at all
void new Snooze('soon')
// @ts-expect-error no duration at all
void new Retry({ in: 'a while' })

// Options are known by name.
// @ts-expect-error Celery's word for delay
await rowbeat.enqueue(tick, undefined, { countdown: 5 })
// @ts-expect-error snake_case is REST's spelling
await rowbeat.enqueue(tick, undefined, { unique_key: 'k' })
// @ts-expect-error an option of enqueue, not of a task
task('o.wrong-option', { uniqueKey: 'k' }, () => null)
// @ts-expect-error none of keep, replace, reject
await rowbeat.enqueue(tick, undefined, { uniqueKey: 'k', onConflict: 'ignore' })
// @ts-expect-error priorities are numbers
await rowbeat.enqueue(tick, undefined, { priority: 'high' })
// @ts-expect-error tags are texts
await rowbeat.enqueue(tick, undefined, { tags: ['a', 1] })

// A retry policy of a task may hold functions; that of a call is stored, so it may not.
task(
  'o.retry',
  { retry: { backoff: (attempt) => attempt * 2, when: (error) => error instanceof TypeError } },
  () => null,
)
task('o.retry-list', { retry: { backoff: ['1s', '10s', '1 minute'], cap: '1h' } }, () => null)
// @ts-expect-error none of constant, linear, exponential
task('o.retry-wrong', { retry: { backoff: 'fibonacci' } }, () => null)
await rowbeat.enqueue(tick, undefined, { retry: { backoff: ['1s', '10s'], jitter: false } })
// @ts-expect-error a function in the policy of a call
await rowbeat.enqueue(tick, undefined, { retry: { backoff: () => '1s' } })
// @ts-expect-error a function in the policy of a call
await rowbeat.enqueue(tick, undefined, { retry: { when: () => true } })

// A task is made of a name, options and a handler; enqueue takes a task or a name.
// @ts-expect-error the handler is missing
task('o.no-handler', {})
// @ts-expect-error a function is no task
await rowbeat.enqueue(() => null)
// @ts-expect-error a handle that is none
rowbeat.in({ select: () => null })

// What is revoked is a handle or an id.
await rowbeat.revoke(await rowbeat.enqueue(tick), { reason: 'enough' })
await rowbeat
  .in({ query: async () => ({ rows: [] }) })
  .revoke('0199c0de-0000-7000-8000-000000000000', { terminate: true })
// @ts-expect-error Celery's option
await rowbeat.revoke('0199c0de-0000-7000-8000-000000000000', { signal: 'SIGKILL' })
// @ts-expect-error a task is not a run
await rowbeat.revoke(tick)
