/**
 * The handle of a run: an id and the questions one may ask about it. Waiting is LISTEN with a poll under it and a
 * deadline over it. A finished run never changes, so it is remembered in this process and asked for once.
 */
import { monotonicMs, sleep } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { listen, type Listener } from '../db/listen.ts'
import { forgetRun, readRun } from '../db/statements/runs.ts'
import { durationMs, type Duration } from '../duration.ts'
import {
  AttemptsExhausted,
  ResultError,
  RunFailed,
  RunRevoked,
  RunTimedOut,
  StoreError,
  WorkerLost,
  type RunError,
} from '../errors.ts'
import { revoke, type RevokeOptions } from './revoke.ts'
import { isFinished, parseRun, toRun, type Run, type RunDocument, type RunState } from './run.ts'
import type { RescheduleTime, RetryOptions, RunVerbs } from './verbs.ts'

export interface RunHandle<Result = unknown> {
  readonly id: string
  /** False when the run stood already: a known id, or a unique key that was held. */
  readonly created: boolean
  /** The run as it is now; null when the id is unknown (never enqueued, rolled back, or its result expired). */
  get(): Promise<Run<Result> | null>
  /** Throws RB_RUN_NOT_FOUND for an unknown id. */
  state(): Promise<RunState>
  /**
   * Waits for the outcome: what the task returned, as JSON gives it back. Throws RunFailed, AttemptsExhausted, RunTimedOut,
   * WorkerLost or RunRevoked with the stored error as data; ResultError RB_RESULT_TIMEOUT after `timeout` (default 1 minute).
   */
  result(options?: { timeout?: Duration }): Promise<Result>
  /** The run now, then at each change, ending with its finished state. */
  watch(options?: { signal?: AbortSignal }): AsyncGenerator<Run<Result>, void, void>
  /** Revokes the run and answers its state after: REVOKED at once while it waits, told to stop while it runs. Throws RB_RUN_NOT_FOUND. */
  revoke(options?: RevokeOptions): Promise<RunState>
  /**
   * Repeats the finished run, with another input if one is given, and answers the new run; releases a parked one now, and
   * answers this. Throws RB_RUN_STATE while it is queued or running, RB_RUN_DUPLICATE when its unique key is held.
   */
  retry(options?: RetryOptions): Promise<RunHandle<Result>>
  /** Moves a run that waits to another time, and answers its state after. Throws RB_RUN_STATE when a worker has it or it has finished. */
  reschedule(time: RescheduleTime): Promise<RunState>
  /** Deletes the finished run's row and what belongs to it. Throws RB_RUN_LIVE while it has not finished. */
  forget(): Promise<void>
}

const REMEMBERED_MAX = 1000
const REMEMBERED_LENGTH = 16_384
/** NOTIFY is the hint, this is the net. */
const POLL_MS = 500

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Hints that a run changed. They are kept from `follow` on, so that nothing is missed between a look and the wait. */
export interface Hints {
  /** Resolves at a hint, at the latest after `ms` or the poll interval. */
  next(ms?: number, signal?: AbortSignal): Promise<void>
  close(): void
}

/** What handles of one rowbeat share: the connection, one LISTEN for all who wait, and the finished runs seen. */
export interface RunReader extends RunVerbs {
  read(id: string): Promise<RunDocument | null>
  follow(id: string): Hints
  revoke(id: string, options?: RevokeOptions): Promise<RunState>
  forget(id: string): Promise<boolean>
  close(): Promise<void>
}

export function createRunReader(handle: DatabaseHandle, verbs: RunVerbs): RunReader {
  const db = toQueryable(handle)
  // As text, so that each reader gets a document of its own to do with as it likes.
  const remembered = new Map<string, string>()
  const followed = new Map<string, Set<() => void>>()
  let listener: Listener | null | undefined

  const hint = (ids: Iterable<string>): void => {
    for (const id of ids) for (const tell of followed.get(id) ?? []) tell()
  }
  const startListening = (): void => {
    listener ??= listen(handle, {
      channels: ['rowbeat_runs'],
      onNotify: (_, payload) => hint(payload === '*' ? followed.keys() : payload.split(',')),
      // What changed before LISTEN stood was told to nobody.
      onReady: () => hint(followed.keys()),
    })
  }
  return {
    ...verbs,
    async read(id) {
      const known = remembered.get(id)
      if (known) return parseRun(known)
      if (!UUID.test(id)) return null
      const text = await readRun(db, id).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
      if (text === null) return null
      const run = parseRun(text)
      if (isFinished(run.state) && text.length <= REMEMBERED_LENGTH) {
        if (remembered.size >= REMEMBERED_MAX) remembered.delete(remembered.keys().next().value!)
        remembered.set(id, text)
      }
      return run
    },
    follow(id) {
      let told = false
      let wake = new AbortController()
      const tell = (): void => {
        told = true
        wake.abort()
      }
      const entry = followed.get(id) ?? new Set()
      followed.set(id, entry.add(tell))
      return {
        async next(ms = POLL_MS, signal) {
          startListening()
          if (!told)
            await sleep(Math.min(ms, POLL_MS), signal ? AbortSignal.any([wake.signal, signal]) : wake.signal)
          told = false
          wake = new AbortController()
        },
        close() {
          entry.delete(tell)
          if (entry.size === 0 && followed.get(id) === entry) followed.delete(id)
        },
      }
    },
    revoke: (id, options) => revoke(db, id, options),
    async forget(id) {
      remembered.delete(id)
      return UUID.test(id) && (await forgetRun(db, id))
    },
    async close() {
      await listener?.close()
    },
  }
}

export function createRunHandle<Result>(reader: RunReader, id: string, created: boolean): RunHandle<Result> {
  return new Handle<Result>(reader, id, created)
}

/** A class, not a record of closures: ten thousand are made a second, and most are asked for their id only. */
class Handle<Result> implements RunHandle<Result> {
  readonly id: string
  readonly created: boolean
  readonly #reader: RunReader

  constructor(reader: RunReader, id: string, created: boolean) {
    // As PostgreSQL writes it: notifications name runs so.
    this.id = String(id).toLowerCase()
    this.created = created
    this.#reader = reader
  }

  async get(): Promise<Run<Result> | null> {
    const run = await this.#reader.read(this.id)
    return run && toRun<Result>(run)
  }

  async state(): Promise<RunState> {
    return (await this.#require()).state
  }

  async result({ timeout = '1 minute' }: { timeout?: Duration } = {}): Promise<Result> {
    const timeoutMs = durationMs(timeout, 'timeout')
    const deadline = monotonicMs() + timeoutMs
    const hints = this.#reader.follow(this.id)
    try {
      for (let run: RunDocument | null = null; ;) {
        run = await this.#lookAgain(run)
        if (run.state === 'SUCCESS') return run.result as Result
        if (isFinished(run.state)) throw rebuildError(run)
        const left = deadline - monotonicMs()
        if (left <= 0) {
          throw new ResultError(
            'RB_RESULT_TIMEOUT',
            `run ${this.id} is ${run.state} and had no result within ${timeoutMs / 1000} s: wait longer, or look at it later.`,
          )
        }
        await hints.next(Math.ceil(left))
      }
    } finally {
      hints.close()
    }
  }

  async *watch({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<Run<Result>, void, void> {
    const hints = this.#reader.follow(this.id)
    try {
      for (let run: RunDocument | null = null, last = ''; !signal?.aborted;) {
        run = await this.#lookAgain(run)
        const text = JSON.stringify(run)
        if (text !== last) yield toRun<Result>(run)
        last = text
        if (isFinished(run.state)) return
        await hints.next(POLL_MS, signal)
      }
    } finally {
      hints.close()
    }
  }

  revoke(options?: RevokeOptions): Promise<RunState> {
    return this.#reader.revoke(this.id, options)
  }

  async retry(options?: RetryOptions): Promise<RunHandle<Result>> {
    const id = await this.#reader.retry(this.id, options)
    return createRunHandle<Result>(this.#reader, id, id !== this.id)
  }

  reschedule(time: RescheduleTime): Promise<RunState> {
    return this.#reader.reschedule(this.id, time)
  }

  async forget(): Promise<void> {
    if (await this.#reader.forget(this.id)) return
    const run = await this.#require()
    throw new ResultError(
      'RB_RUN_LIVE',
      `run ${this.id} is ${run.state}: only a finished run can be forgotten.`,
    )
  }

  async #require(): Promise<RunDocument> {
    const run = await this.#reader.read(this.id)
    if (run) return run
    throw new ResultError(
      'RB_RUN_NOT_FOUND',
      `run ${this.id} is unknown: it was never enqueued, was rolled back, or its result expired.`,
    )
  }

  /** Who waits does not mind a server that restarts: after a first good look, a lost connection is no news. */
  async #lookAgain(last: RunDocument | null): Promise<RunDocument> {
    try {
      return await this.#require()
    } catch (error) {
      if (last && error instanceof StoreError) return last
      throw error
    }
  }
}

/** The stored error as an error of ours: its name, message and stack are data, no class is ever revived by name. */
function rebuildError(run: RunDocument): RunError {
  const reason = run.reason ?? 'error'
  if (run.state === 'REVOKED') return new RunRevoked('RB_RUN_REVOKED', run.id, reason, run.error)
  if (reason === 'worker_lost') return new WorkerLost('RB_WORKER_LOST', run.id, reason, run.error)
  if (reason === 'time_limit') return new RunTimedOut('RB_RUN_TIMED_OUT', run.id, reason, run.error)
  if (reason === 'attempts_exhausted')
    return new AttemptsExhausted('RB_ATTEMPTS_EXHAUSTED', run.id, reason, run.error)
  return new RunFailed('RB_RUN_FAILED', run.id, reason, run.error)
}
