/**
 * A run as it is told: `RunDocument` is what REST answers and SQL shows (snake_case, contract.md), `Run` the same in
 * TypeScript's words. Both come from the view rowbeat.runs, which alone decides what a run looks like;
 * rowbeat.run_json_v1 makes the same document for SQL users.
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
export const RUN_KEYS: readonly (keyof RunDocument)[] = [
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

const INSTANTS = ['created_at', 'run_at', 'started_at', 'finished_at', 'expires_at', 'due_at'] as const

/** Parses a row of rowbeat.runs as JSON text: keys in the documented order, instants in RFC 3339 UTC. */
export function parseRun(text: string): RunDocument {
  const raw = JSON.parse(text) as Record<string, unknown>
  const run: Record<string, unknown> = {}
  for (const key of RUN_KEYS) run[key] = raw[key] ?? null
  for (const key of INSTANTS) {
    const at = run[key] as string | null
    if (at !== null && at.length !== 24) run[key] = new Date(at).toISOString()
  }
  return run as unknown as RunDocument
}
