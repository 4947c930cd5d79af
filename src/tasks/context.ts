/**
 * What a handler is given beside its input: who it is, when to stop, and how to speak.
 */
import type { DatabaseHandleLike } from './task.ts'

/** The run as its handler sees it. Instants are RFC 3339 UTC. */
export interface RunInfo {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly priority: number
  /** 1 on the first try. */
  readonly attempt: number
  readonly attemptsMax: number
  /** Crashes of a worker that hit this run while it ran. */
  readonly redeliveries: number
  readonly tags: readonly string[]
  readonly headers: Readonly<Record<string, unknown>>
  readonly parent: string | null
  readonly retryOf: string | null
  readonly schedule: string | null
  readonly dueAt: string | null
  readonly createdAt: string
  readonly expiresAt: string | null
}

/** Lines kept in rowbeat.logs, at most 1,000 a run; also written to the worker's logger. */
export interface RunLog {
  debug(message: string, data?: unknown): void
  info(message: string, data?: unknown): void
  warn(message: string, data?: unknown): void
  error(message: string, data?: unknown): void
}

export interface Context<Tx = DatabaseHandleLike> {
  readonly run: RunInfo
  /** Aborts when the run must stop: shutdown, the lease was lost, a soft limit, a revoke. */
  readonly signal: AbortSignal
  /** Tells how far it is: kept as the latest, written at most every 200 ms, free to call in a tight loop. */
  progress(current: number, total?: number | null, meta?: unknown): void
  readonly log: RunLog
  /** For a `transactional` task: the transaction that the outcome commits with, of the kind of handle given as `db`. */
  readonly tx: Tx
}
