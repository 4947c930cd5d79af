/**
 * How long to wait before try n + 1. The formula is Celery's, max(0, min(cap, base * 2^(n - 1))), with full jitter (any
 * delay from 0 to it, uniformly) unless jitter is false, so that a thousand runs that failed together do not come
 * back together. Fractions are kept as given; Celery cut 1.9 to 1.
 */
import { durationMs, parseDuration, type Duration } from '../duration.ts'
import { DefinitionError } from '../errors.ts'

export interface RetryPolicy {
  /** constant: base; linear: base * n; exponential (default): base * 2^(n-1); a list: its n-th (the last repeats); a function of n, the try that failed. */
  backoff?: 'constant' | 'linear' | 'exponential' | readonly Duration[] | ((attempt: number) => Duration)
  /** Default 1 second. */
  base?: Duration
  /** Never longer than this; default 10 minutes. */
  cap?: Duration
  /** Full jitter; default true for linear and exponential, false for constant, lists and functions. */
  jitter?: boolean
  /** Which errors are worth another try; default all. */
  when?: (error: unknown) => boolean
}

/** The policy as JSON, for rowbeat.tasks and for `retry` of a single call; functions cannot travel. */
export interface StoredRetryPolicy {
  backoff?: string | readonly (number | string)[]
  base?: number | string
  cap?: number | string
  jitter?: boolean
}

/** Milliseconds to wait after try `attempt` (1 is the first) failed. `random` is in [0, 1). */
export function backoffMs(
  policy: RetryPolicy | StoredRetryPolicy,
  attempt: number,
  random: () => number,
): number {
  const cap = durationMs(policy.cap ?? '10 minutes', 'retry.cap')
  const delay = Math.max(0, Math.min(cap, plainMs(policy, attempt)))
  const jitter =
    policy.jitter ??
    (policy.backoff === undefined || policy.backoff === 'linear' || policy.backoff === 'exponential')
  return jitter ? Math.round(random() * delay) : delay
}

function plainMs(policy: RetryPolicy | StoredRetryPolicy, attempt: number): number {
  const { backoff = 'exponential' } = policy
  const base = durationMs(policy.base ?? '1s', 'retry.base')
  if (typeof backoff === 'function') return durationMs(backoff(attempt), 'what retry.backoff returned')
  if (Array.isArray(backoff))
    return durationMs(backoff[Math.min(attempt, backoff.length) - 1] ?? 0, 'retry.backoff')
  if (backoff === 'constant') return base
  if (backoff === 'linear') return base * attempt
  return base * 2 ** Math.min(attempt - 1, 52)
}

/** Says what is wrong with a policy, or null. */
export function explainRetryPolicy(policy: unknown): string | null {
  if (typeof policy !== 'object' || policy === null || Array.isArray(policy))
    return 'must be an object with backoff, base, cap, jitter'
  const { backoff, base, cap, jitter, when, ...rest } = policy as Record<string, unknown>
  const extra = Object.keys(rest)[0]
  if (extra) return `has "${extra}", which is no part of a retry policy (backoff, base, cap, jitter, when)`
  if (base !== undefined && parseDuration(base) === null) return 'base must be a duration such as "2s"'
  if (cap !== undefined && parseDuration(cap) === null) return 'cap must be a duration such as "10m"'
  if (jitter !== undefined && typeof jitter !== 'boolean') return 'jitter must be true or false'
  if (when !== undefined && typeof when !== 'function') return 'when must be a function of the error'
  if (
    backoff === undefined ||
    typeof backoff === 'function' ||
    ['constant', 'linear', 'exponential'].includes(backoff as string)
  )
    return null
  if (Array.isArray(backoff) && backoff.length > 0 && backoff.every((step) => parseDuration(step) !== null))
    return null
  return 'backoff must be constant, linear, exponential, a list of durations or a function'
}

/** The part of a policy that can be stored. */
export function storePolicy(policy: RetryPolicy | undefined): StoredRetryPolicy | null {
  if (!policy) return null
  const { backoff, base, cap, jitter } = policy
  return { ...(typeof backoff === 'function' ? {} : { backoff }), base, cap, jitter } as StoredRetryPolicy
}

export function checkRetryPolicy(policy: unknown, what: string): void {
  const why = policy === undefined ? null : explainRetryPolicy(policy)
  if (why) throw new DefinitionError('RB_TASK_INVALID', `${what}: retry ${why}.`)
}
