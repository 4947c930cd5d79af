/**
 * `rowbeat/testing`: what a team needs to test its tasks, with any test runner. From a handler alone to the real
 * database, in four steps: runNow, createEagerRowbeat, drain, expectEnqueued.
 */
export { runNow, type RunNowOptions } from './run-now.ts'
export { createEagerRowbeat, type EagerOptions, type EagerRowbeat } from './eager.ts'
export { drain, type Drained, type DrainOptions, type DrainTarget } from './drain.ts'
export { expectEnqueued, type Expected, type ExpectTarget } from './expect.ts'
