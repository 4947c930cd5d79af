/**
 * A run as it is told: `RunDocument` is what REST answers and SQL shows (snake_case, contract.md), `Run` the same in
 * TypeScript's words. Both come from rowbeat.run_json_v1, so that there is one place that decides what a run looks like.
 */
import type { ErrorData } from '../errors.ts'

export type RunState =
  'PENDING' | 'SCHEDULED' | 'STARTED' | 'PROGRESS' | 'RETRY' | 'SUCCESS' | 'FAILURE' | 'REVOKED'

export const RUN_STATES: readonly RunState[] = [
  'PENDING',
  'SCHEDULED',
  'STARTED',
  'PROGRESS',
  'RETRY',
  'SUCCESS',
  'FAILURE',
  'REVOKED',
]
export const FINISHED_STATES: readonly RunState[] = ['SUCCESS', 'FAILURE', 'REVOKED']

export interface Progress {
  current: number
  total: number | null
  percent: number | null
  meta: unknown
  at: string
}

/** All keys are always present; instants are RFC 3339 UTC with milliseconds, durations seconds. */
export interface RunDocument {
  id: string
  task: string
  queue: string
  state: RunState
  reason: string | null
  priority: number
  input: unknown
  result: unknown
  error: ErrorData | null
  progress: Progress | null
  attempt: number
  attempts_max: number
  redeliveries: number
  worker: string | null
  created_at: string
  run_at: string
  started_at: string | null
  finished_at: string | null
  expires_at: string | null
  time_limit: number | null
  soft_time_limit: number | null
  unique_key: string | null
  tags: string[]
  headers: Record<string, unknown>
  parent: string | null
  retry_of: string | null
  schedule: string | null
  due_at: string | null
}

type CamelCase<S> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}` : S
type Facts = { [K in keyof Omit<RunDocument, 'state' | 'result' | 'error'> as CamelCase<K>]: RunDocument[K] }

/** A run; `result` exists only where `state` is SUCCESS, `error` only where it is FAILURE or REVOKED. */
export type Run<Result = unknown> = Readonly<
  Facts &
    (
      | { state: 'SUCCESS'; result: Result; error: null }
      | { state: 'FAILURE' | 'REVOKED'; result: null; error: ErrorData | null }
      | { state: Exclude<RunState, 'SUCCESS' | 'FAILURE' | 'REVOKED'>; result: null; error: null }
    )
>

export function toRun<Result>(document: RunDocument): Run<Result> {
  const run: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(document)) {
    run[key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] = value
  }
  return Object.freeze(run) as unknown as Run<Result>
}

export function isFinished(state: RunState): boolean {
  return FINISHED_STATES.includes(state)
}

/** Order in which run documents list their keys. */
const KEYS: readonly (keyof RunDocument)[] = [
  'id',
  'task',
  'queue',
  'state',
  'reason',
  'priority',
  'input',
  'result',
  'error',
  'progress',
  'attempt',
  'attempts_max',
  'redeliveries',
  'worker',
  'created_at',
  'run_at',
  'started_at',
  'finished_at',
  'expires_at',
  'time_limit',
  'soft_time_limit',
  'unique_key',
  'tags',
  'headers',
  'parent',
  'retry_of',
  'schedule',
  'due_at',
]

/** Parses the text of rowbeat.run_json_v1, keys in the documented order. */
export function parseRun(text: string): RunDocument {
  const raw = JSON.parse(text) as Record<string, unknown>
  return Object.fromEntries(KEYS.map((key) => [key, raw[key] ?? null])) as unknown as RunDocument
}
