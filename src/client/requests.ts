/**
 * What operations take, in the words of REST: a test compares the keys with the API's own description. null stands for left out.
 */
import type { Duration } from '../duration.ts'
import type { OperationKind } from '../queue/operation.ts'
import type { ScheduleSpec } from '../schedules/spec.ts'

type Given<Fields> = { readonly [Key in keyof Fields]?: Fields[Key] | null }

interface RunFields {
  input: unknown
  queue: string
  priority: number
  delay: Duration
  /** RFC 3339, as every instant here. */
  eta: string
  expires: string | Duration
  id: string
  unique_key: string
  unique_while: 'queued' | 'unfinished'
  unique_for: Duration
  on_conflict: 'keep' | 'replace' | 'reject'
  debounce: Duration
  debounce_max: Duration
  idempotency_key: string
  idempotency_for: Duration
  concurrency_key: string
  rate_key: string
  tags: readonly string[]
  headers: Readonly<Record<string, unknown>>
  attempts_max: number
  retry: {
    backoff?: 'constant' | 'linear' | 'exponential' | readonly Duration[]
    base?: Duration
    cap?: Duration
    jitter?: boolean
  }
  time_limit: Duration
  soft_time_limit: Duration
  ignore_result: boolean
  retention: Duration
  parent: string
}

export type RunRequest = { readonly task: string } & Given<RunFields>
export type RunByHandRequest = Given<RunFields & { as_of: string }>

export type OperationRequest = {
  readonly kind: OperationKind
  readonly filter: Readonly<Record<string, unknown>>
} & Given<{
  throttle: number
  terminate: boolean
  reason: string
  input: unknown
  eta: string
  delay: Duration
  to: string
}>

interface ScheduleFields {
  enabled: boolean
  queue: string
  priority: number
  tags: readonly string[]
  headers: Readonly<Record<string, unknown>>
  input: unknown
  expires: Duration
  one_off: boolean
  start_at: string
  end_at: string
  jitter: Duration
  overlap: 'allow' | 'skip' | 'buffer_one' | 'cancel_other'
  catch_up: 'skip' | 'last' | 'all'
  catch_up_window: Duration
  firings_max: number
  failures_max: number
  anchor_at: string
  description: string
}

/** A timing as it is taken: what may be left out of a crontab has its default. */
export type Timing =
  | ({ readonly kind: 'crontab' } & Partial<Extract<ScheduleSpec, { kind: 'crontab' }>>)
  | Exclude<ScheduleSpec, { kind: 'crontab' }>

export type ScheduleRequest = {
  readonly name: string
  readonly task: string
  readonly schedule: Timing
} & Given<ScheduleFields>
/** A timing without a kind changes the one that stands. */
export type ScheduleChanges = Given<
  ScheduleFields & { name: string; task: string; schedule: Timing | Omit<Partial<Timing>, 'kind'> }
>
export type PreviewRequest = { readonly schedule: Timing } & Given<{
  after: string
  count: number
  anchor_at: string
  start_at: string
  end_at: string
}>

export type DryRunRequest = Given<{ as_of: string; changes: ScheduleChanges }>
export type DryRunDraftRequest = { readonly definition: ScheduleRequest } & Given<{ as_of: string }>

export type QueueLimits = Given<{
  concurrency: number
  rate: number | string
  rate_burst: number
  hot_limit: number
}>
