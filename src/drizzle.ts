/**
 * Rowbeat's tables as drizzle values, the package entry `rowbeat/drizzle`: query `runs` with the builder you
 * use for your own tables, and join it to them.
 *
 *   const failed = await db.select().from(runs).where(eq(runs.state, 'FAILURE')).orderBy(desc(runs.id))
 */
export { rowbeatSchema } from './db/schema/rowbeat.ts'
export { attempts, logs, parked, progress, results, revocations, runs, uniqueKeys } from './db/schema/runs.ts'
export { gates, knocks, permits, queues, tasks } from './db/schema/definitions.ts'
export { firings, schedules } from './db/schema/schedules.ts'
export {
  commands,
  migrations,
  replies,
  taskSettings,
  upkeep,
  workerSettings,
  workers,
} from './db/schema/processes.ts'
export {
  apiKeys,
  auditLog,
  loginFailures,
  refreshTokens,
  secrets,
  sessions,
  users,
} from './db/schema/access.ts'
export { failureCounts, failureGroups, failuresRead, failuresSeen } from './db/schema/failures.ts'
export { rolled, rollups } from './db/schema/rollups.ts'
export { operations } from './db/schema/operations.ts'
export { deliveries, webhookSecrets, webhooks } from './db/schema/webhooks.ts'
