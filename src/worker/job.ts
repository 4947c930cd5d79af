/**
 * A claimed run as graphile-worker hands it over: the columns of its jobs table, and our payload in it.
 */
import type { StoredRetryPolicy } from '../tasks/retry.ts'

/** What a run carries in `payload`, wherever it is; only what differs from a default is there. */
export interface Payload {
  input: unknown
  /** Tries started before this claim. */
  attempt?: number
  attempts_max?: number
  retry?: StoredRetryPolicy
  redeliveries?: number
  expires_at?: string
  time_limit?: number
  soft_time_limit?: number
  tags?: string[]
  headers?: Record<string, unknown>
  parent?: string
  retry_of?: string
  schedule?: string
  due_at?: string
  unique_key?: string
  retention?: number
  ignore_result?: boolean
  /** It passed a limit over all workers, and holds a permit perhaps. */
  gated?: boolean
}

export interface ClaimedJob {
  /** bigint as text. */
  readonly id: string
  readonly payload: Payload
  readonly priority: number
  /** Claims, this one included: above 1 somebody else held it before. */
  readonly attempts: number
  /** The run's id. */
  readonly key: string
  /** As Postgres writes it: facade.ts does not parse timestamps. */
  readonly created_at: string
  /** `queue:task`. */
  readonly task_identifier: string
}
