/**
 * What the command line says and how it ends. Data goes to stdout, words to stderr, so that a pipe gets only what was
 * asked for; with `--json` stdout is exactly one document, of an error too. Exit codes are part of the contract:
 *
 *   0 done    1 the run failed or was not found    2 usage or configuration    3 database unreachable    4 timed out
 */
import { writeSync } from 'node:fs'
import { explainDatabaseError } from '../db/connect.ts'
import { RowbeatError, StoreError } from '../errors.ts'

export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3, timedOut: 4 } as const

/** Codes that do not say "mend the call or the configuration". */
const EXIT_OF: Record<string, number> = {
  RB_DB_UNREACHABLE: EXIT.unreachable,
  RB_RESULT_TIMEOUT: EXIT.timedOut,
  RB_RUN_NOT_FOUND: EXIT.failed,
  RB_RUN_LIVE: EXIT.failed,
  RB_RUN_STATE: EXIT.failed,
  RB_OPERATION_NOT_FOUND: EXIT.failed,
  RB_RUN_DUPLICATE: EXIT.failed,
  RB_SCHEDULE_NOT_FOUND: EXIT.failed,
  RB_SCHEDULE_DUPLICATE: EXIT.failed,
  RB_SCHEDULE_CHANGED: EXIT.failed,
  RB_SCHEDULE_UNDECLARED: EXIT.failed,
  RB_WORKER_NOT_FOUND: EXIT.failed,
  RB_COMMAND_NOT_FOUND: EXIT.failed,
  RB_QUEUE_NOT_FOUND: EXIT.failed,
  RB_QUEUE_IN_USE: EXIT.failed,
  RB_QUEUE_PAUSED: EXIT.failed,
  RB_TASK_NOT_FOUND: EXIT.failed,
  RB_KEY_NOT_FOUND: EXIT.failed,
  RB_USER_NOT_FOUND: EXIT.failed,
  RB_USER_DUPLICATE: EXIT.failed,
  RB_LAST_ADMIN: EXIT.failed,
  RB_WEBHOOK_NOT_FOUND: EXIT.failed,
  RB_WEBHOOK_DUPLICATE: EXIT.failed,
  RB_WEBHOOK_CHANGED: EXIT.failed,
  RB_RUN_FAILED: EXIT.failed,
  RB_RUN_REVOKED: EXIT.failed,
  RB_RUN_TIMED_OUT: EXIT.failed,
  RB_ATTEMPTS_EXHAUSTED: EXIT.failed,
  RB_WORKER_LOST: EXIT.failed,
  RB_INVARIANT: EXIT.failed,
  RB_PROCESS_ENDED: EXIT.failed,
}

export function exitCodeOf(error: RowbeatError): number {
  return EXIT_OF[error.code] ?? EXIT.usage
}

/** One value to stdout: a document with `--json`, otherwise as a person reads it. */
export function say(value: unknown): void {
  write(1, typeof value === 'string' ? `${value}\n` : `${JSON.stringify(value, null, 2)}\n`)
}

/** A sentence to stderr. */
export function tell(words: string): void {
  write(2, `${words}\n`)
}

/** Says what went wrong and answers the exit code. */
export function tellError(thrown: unknown, options: { json: boolean; debug: boolean }): number {
  const error = asRowbeatError(thrown)
  tell(`rowbeat: ${oneLine(error.message)}`)
  if (options.debug) tell(stackOf(thrown))
  if (options.json) say({ error: error.toJSON() })
  return exitCodeOf(error)
}

/** Any error as one of ours: what PostgreSQL says about a store that was never made gets its cure. */
export function asRowbeatError(thrown: unknown): RowbeatError {
  const error = explainDatabaseError(thrown)
  if (error instanceof RowbeatError) return error
  const { code, message } = (error ?? {}) as { code?: string; message?: string }
  if (['3F000', '42P01', '42883'].includes(code ?? '')) {
    return new StoreError(
      'RB_SCHEMA_BEHIND',
      'The database is not at the schema of this release: run `rowbeat migrate`.',
      { cause: thrown },
    )
  }
  return new RowbeatError(
    'RB_INVARIANT',
    `${message || String(error)} (unexpected; ROWBEAT_LOG_LEVEL=debug shows where)`,
    { cause: thrown },
  )
}

function stackOf(thrown: unknown): string {
  const { stack, cause } = (thrown ?? {}) as { stack?: string; cause?: unknown }
  return `${stack ?? String(thrown)}${cause ? `\ncaused by ${stackOf(cause)}` : ''}`
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ')
}

/** Synchronous, so that nothing is lost when the process ends next; a reader that left (`| head`) is no error. */
function write(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
    }
  }
}
