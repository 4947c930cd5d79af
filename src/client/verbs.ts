/**
 * What the client can do, typed by the documents that the server itself answers with. Each verb is an operationId: first the
 * parts of its address, then what it takes (the parameters of a GET, the body of the rest), then the words of the call.
 */
import type { MeDocument } from '../api/documents/access.ts'
import type { Problem } from '../api/problem.ts'
import type { Backfill } from '../control/backfill.ts'
import type { FailureDocument, FailuresDocument } from '../control/failures.ts'
import type { NewKeyDocument } from '../control/keys.ts'
import type { TroubleDocument } from '../control/problems.ts'
import type { RunCounts } from '../control/run-counts.ts'
import type { BatchedRun } from '../control/run-batch.ts'
import type { FiringFeedDocument } from '../control/firings.ts'
import type { FiringDocument, ScheduleDocument } from '../control/schedule-document.ts'
import type { Imported, ScheduleFile } from '../control/schedule-exchange.ts'
import type { DryRun, RecentFiring, ScheduleVersion } from '../control/schedule-outlook.ts'
import type { Timeline } from '../control/schedule-timeline.ts'
import type { TokenDocument } from '../control/sessions.ts'
import type { StatsDocument } from '../control/stats.ts'
import type { TaskStats } from '../control/task-reading.ts'
import type { NewUserDocument } from '../control/users.ts'
import type { DeliveryDocument, WebhookDocument, WebhookWithSecret } from '../control/webhooks.ts'
import type { AuditDocument } from '../db/statements/audit.ts'
import type { CommandRecord, Inspected, WorkerDocument } from '../db/statements/control.ts'
import type { KeyDocument } from '../db/statements/keys.ts'
import type { QueueDocument } from '../db/statements/queue-figures.ts'
import type { AttemptDocument, LogDocument } from '../db/statements/run-parts.ts'
import type { TaskDocument } from '../db/statements/task-list.ts'
import type { UserDocument } from '../db/statements/users.ts'
import type { WebhookFields } from '../db/statements/webhooks.ts'
import type { Duration } from '../duration.ts'
import type { OperationDocument } from '../queue/operation.ts'
import type { RunDocument } from '../results/run.ts'
import type { Preview } from '../schedules/preview.ts'
import type { CallOptions, Query } from './call.ts'
import type { WatchOptions } from './events.ts'
import type { LiveEvent } from './live.ts'
import type {
  DryRunDraftRequest,
  DryRunRequest,
  OperationRequest,
  PreviewRequest,
  QueueLimits,
  RunByHandRequest,
  RunRequest,
  ScheduleChanges,
  ScheduleRequest,
} from './requests.ts'

export type {
  AttemptDocument,
  AuditDocument,
  FailureDocument,
  FiringDocument,
  FiringFeedDocument,
  KeyDocument,
  LogDocument,
  OperationDocument,
  Problem,
  QueueDocument,
  RunDocument,
  ScheduleDocument,
  TaskDocument,
  UserDocument,
  WebhookDocument,
  WorkerDocument,
}

/** `next` is the cursor of the page behind, or null. */
export interface Page<Item> {
  items: Item[]
  next: string | null
}

type Get<Answer> = (options?: CallOptions) => Promise<Answer>
type List<Item> = (query?: Query, options?: CallOptions) => Promise<Page<Item>>
type GetOne<Answer> = (name: string, options?: CallOptions) => Promise<Answer>
type Look<Answer> = (name: string, query?: Query, options?: CallOptions) => Promise<Answer>
/** A verb on one thing; the body may be left out where no field of it is needed. */
type Act<Answer, Body = Record<never, never>> = (
  name: string,
  ...given: Partial<Body> extends Body
    ? [body?: Body | null, options?: CallOptions]
    : [body: Body, options?: CallOptions]
) => Promise<Answer>
type Make<Answer, Body> = (body: Body, options?: CallOptions) => Promise<Answer>
type Remove<Answer = null> = (name: string, options?: CallOptions) => Promise<Answer>

export interface RunVerbs {
  enqueueRun: Make<RunDocument, RunRequest>
  /** At most 1,000, all or none. */
  enqueueRuns: Make<{ items: BatchedRun[] }, { runs: readonly RunRequest[] }>
  listRuns: List<RunDocument>
  /** The file as it comes: `response.body`, or `await response.text()`. */
  exportRuns: (query?: Query, options?: CallOptions) => Promise<Response>
  getRun: GetOne<RunDocument>
  /** As it is now, or after `wait` seconds. */
  getResult: GetOne<RunDocument>
  /** The run as it is, then each change of it, until it has finished. */
  watchRun: (id: string, options?: WatchOptions) => AsyncGenerator<RunDocument, void, undefined>
  /** How many there are in each state; the filters are those of `listRuns`. */
  countRuns: (query?: Query, options?: CallOptions) => Promise<RunCounts>
  /** What failed in a period, by what it has in common. */
  listFailures: (query?: Query, options?: CallOptions) => Promise<FailuresDocument>
  /** What it said, and says, line by line, until it has ended. */
  followLogs: (id: string, options?: WatchOptions) => AsyncGenerator<LogDocument, void, undefined>
  listLogs: Look<Page<LogDocument>>
  listAttempts: GetOne<Page<AttemptDocument>>
  revokeRun: Act<RunDocument, { terminate?: boolean; reason?: string }>
  retryRun: Act<RunDocument, { input?: unknown }>
  rescheduleRun: Act<RunDocument, { eta?: string; delay?: Duration }>
  deleteRun: Remove

  beginOperation: Make<OperationDocument, OperationRequest>
  listOperations: List<OperationDocument>
  getOperation: GetOne<OperationDocument>
  stopOperation: Act<OperationDocument>
}

export interface ScheduleVerbs {
  listSchedules: List<ScheduleDocument>
  createSchedule: Make<ScheduleDocument, ScheduleRequest>
  getSchedule: GetOne<ScheduleDocument>
  /** Needs `ifMatch`, as `editSchedule` and `deleteSchedule` do. */
  replaceSchedule: Act<ScheduleDocument, ScheduleRequest>
  editSchedule: Act<ScheduleDocument, ScheduleChanges>
  /** A note where code declares it, and makes it again. */
  deleteSchedule: Remove<{ note: string } | null>
  runSchedule: Act<RunDocument, RunByHandRequest>
  pauseSchedule: Act<ScheduleDocument, { reason?: string; until?: string | Duration }>
  resumeSchedule: Act<ScheduleDocument>
  /** To what its code declares, or to a version it had. */
  revertSchedule: Act<ScheduleDocument, { version?: number | null; reason?: string | null }>
  listVersions: Look<Page<ScheduleVersion>>
  dryRunSchedule: Act<DryRun, DryRunRequest>
  dryRunDefinition: Make<DryRun, DryRunDraftRequest>
  listRecentFirings: (
    query: Query,
    options?: CallOptions,
  ) => Promise<{ items: { schedule_id: string; firings: RecentFiring[] }[] }>
  getTimeline: (query?: Query, options?: CallOptions) => Promise<Timeline>
  backfillSchedule: Act<Backfill, { from: string; to: string; dry_run?: boolean }>
  listFirings: Look<Page<FiringDocument>>
  /** Of all schedules. */
  listAllFirings: List<FiringFeedDocument>
  previewSchedule: Look<Preview>
  previewTiming: Make<Preview, PreviewRequest>
  exportSchedules: (query?: Query, options?: CallOptions) => Promise<ScheduleFile>
  importSchedules: Make<Imported, ScheduleFile | { rowbeat: 1; schedules: readonly ScheduleRequest[] }>
}

export interface QueueVerbs {
  listQueues: Get<Page<QueueDocument>>
  getQueue: GetOne<QueueDocument>
  defineQueue: Act<QueueDocument, QueueLimits>
  editQueue: Act<QueueDocument, QueueLimits>
  deleteQueue: Remove
  pauseQueue: Act<QueueDocument, { reason?: string; resume_at?: string; for?: Duration }>
  resumeQueue: Act<QueueDocument>
  drainQueue: Act<QueueDocument>
  purgeQueue: Act<OperationDocument, { reason?: string; throttle?: number }>
  moveQueue: Act<OperationDocument, { to: string; throttle?: number }>

  listWorkers: Get<Page<WorkerDocument>>
  getWorker: GetOne<WorkerDocument>
  inspectWorkers: Look<{ items: Inspected[] }>
  /** The arguments of the command, and beside them `workers`: names, or null for all. */
  controlWorkers: Act<CommandRecord, { workers?: readonly string[] | null; [argument: string]: unknown }>

  listTasks: Get<Page<TaskDocument>>
  getTask: Look<TaskDocument & { stats: TaskStats }>
  listProblems: Get<Page<TroubleDocument>>
  getStats: (query?: Query, options?: CallOptions) => Promise<StatsDocument>
  /** The figures each second and the runs that change, without an end; `open` each time the stream stands anew. */
  watchLive: (options?: WatchOptions) => AsyncGenerator<LiveEvent, void, undefined>
}

type WebhookRequest = Pick<WebhookFields, 'name' | 'url'> & Partial<WebhookFields>

export interface AccessVerbs {
  listWebhooks: List<WebhookDocument>
  createWebhook: Make<WebhookWithSecret, WebhookRequest>
  getWebhook: GetOne<WebhookDocument>
  editWebhook: Act<WebhookDocument, Partial<WebhookFields>>
  deleteWebhook: Remove
  testWebhook: Act<RunDocument>
  rotateWebhookSecret: Act<WebhookWithSecret, { keep?: Duration }>
  listDeliveries: Look<Page<DeliveryDocument>>

  listKeys: List<KeyDocument>
  /** The key itself is told once, here. */
  createKey: Make<
    NewKeyDocument,
    { name: string; scopes: readonly string[]; expires_at?: string; expires_in?: Duration }
  >
  getKey: GetOne<KeyDocument>
  revokeKey: Remove
  listUsers: List<UserDocument>
  createUser: Make<NewUserDocument, { email: string; role: string; password?: string }>
  getUser: GetOne<UserDocument>
  editUser: Act<UserDocument, { role?: string; password?: string; disabled?: boolean }>
  deleteUser: Remove
  signIn: Make<TokenDocument, { email: string; password: string }>
  refreshTokens: Make<TokenDocument, { refresh_token: string }>
  signOut: Make<null, { refresh_token: string }>
  getMe: Get<MeDocument>
  listAudit: List<AuditDocument>

  getHealth: Get<{ status: 'ok'; version: string }>
  getReadiness: Get<{ status: 'ready' }>
  getOpenApi: Get<Record<string, unknown>>
}
