/**
 * The public surface. Importing it loads no fastify, adminjs, drizzle-orm and, until a worker starts, no graphile-worker.
 */
export { task, type Task, type TaskOptions, type InputOf, type OutputOf } from './tasks/task.ts'
export type { ConcurrencyLimit, RateLimit } from './tasks/options.ts'
export type { Context, RunInfo, RunLog } from './tasks/context.ts'
export { defineQueue, type QueueDefinition, type QueueOptions } from './tasks/queue.ts'
export type { Route, RouteFunction, Routes } from './tasks/route.ts'
export type { Middleware, RunHooks, TryOutcome } from './tasks/middleware.ts'
export { currentRun } from './tasks/current.ts'
export type { RetryPolicy } from './tasks/retry.ts'
export { Retry, Snooze, Discard } from './tasks/signals.ts'
export { discoverTasks } from './queue/discover.ts'
export type { TaskTree } from './tasks/registry.ts'
export {
  createRowbeat,
  type Rowbeat,
  type RowbeatOptions,
  type Enqueuer,
  type EnqueueItem,
} from './queue/rowbeat.ts'
export type { EnqueueOptions } from './queue/options.ts'
export {
  schedule,
  every,
  cron,
  solar,
  at,
  type Schedule,
  type ScheduleOptions,
  type ScheduleTree,
} from './schedules/schedule.ts'
export { createBeat, type Beat, type BeatOptions } from './beat/beat.ts'
export { createWorker, type Worker, type WorkerOptions } from './worker/worker.ts'
export type { RunHandle } from './results/handle.ts'
export type { RevokeOptions } from './results/revoke.ts'
export type { RescheduleTime, RetryOptions } from './results/verbs.ts'
export type {
  OperationDocument,
  OperationFilter,
  OperationHandle,
  OperationOptions,
} from './queue/operation.ts'
export type { Run, RunState, Progress } from './results/run.ts'
export type { DatabaseHandle } from './db/handle.ts'
export type { Duration } from './duration.ts'
export { migrate } from './db/migrate.ts'
export {
  RowbeatError,
  ConfigError,
  DefinitionError,
  EnqueueError,
  ScheduleError,
  QueueError,
  ControlError,
  RunError,
  RunFailed,
  AttemptsExhausted,
  RunTimedOut,
  WorkerLost,
  RunRevoked,
  SoftTimeLimit,
  TimeLimitExceeded,
  ResultError,
  StoreError,
  AccessError,
  type ErrorData,
  type Fault,
} from './errors.ts'
