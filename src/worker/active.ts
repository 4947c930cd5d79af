/**
 * A run while it runs: what its handler sees (the context) and what the worker does with it (abort, list as running).
 * One object of one class, and the parts that most handlers never touch are made when they are first asked for: at
 * 30,000 runs a second the objects and closures made for each run are most of what the garbage collector does.
 */
import { nowMs } from '../clock.ts'
import type { DatabaseHandle } from '../db/handle.ts'
import type { Revocation } from '../db/statements/revocations.ts'
import type { ProgressRow } from '../db/statements/workers.ts'
import { ConfigError, RowbeatError, RunRevoked, SoftTimeLimit } from '../errors.ts'
import { storableValue } from '../json.ts'
import type { Context, RunInfo, RunLog } from '../tasks/context.ts'
import type { RunEvents } from './events.ts'
import type { ClaimedJob } from './job.ts'
import { after, type Limits } from './limits.ts'
import { revokedError } from './outcome.ts'
import { LINES_MAX, type Recorder } from './recorder.ts'

/** Why the signal of a run aborts when its worker stops. */
export class Stopping extends RowbeatError {
  constructor() {
    super(
      'RB_WORKER_STOPPING',
      'the worker is shutting down; the run will be handed back and start elsewhere.',
    )
  }
}

/** What all runs of a worker share. */
export interface Surroundings {
  readonly recorder: Recorder
  readonly events: RunEvents
  /** A run reported progress for the first time: it should be listed as running by the time that is seen. */
  onFirstProgress(): void
}

export class Active implements Context {
  readonly job: ClaimedJob
  /** Under which it was claimed. */
  readonly pool: string
  readonly task: string
  readonly attempt: number
  readonly allowed: number
  startedMs: number
  readonly #around: Surroundings
  readonly #tx: DatabaseHandle | null
  #controller: AbortController | null = null
  #aborted: Error | null = null
  #revocation: Revocation | null = null
  #muted = false
  #soft: { stop(): void } | null = null
  #hard: { stop(): void } | null = null
  #onConcluded: (() => void) | null = null
  #last: ProgressRow | null = null
  #info: RunInfo | null = null
  #log: RunLog | null = null
  #lines = 0

  constructor(
    around: Surroundings,
    job: ClaimedJob,
    pool: string,
    task: string,
    attempt: number,
    allowed: number,
    startedMs: number,
    tx: DatabaseHandle | null,
  ) {
    this.#around = around
    this.job = job
    this.pool = pool
    this.task = task
    this.attempt = attempt
    this.allowed = allowed
    this.startedMs = startedMs
    this.#tx = tx
    // Handlers take it apart: `({ orderId }, { progress }) => ...`.
    this.progress = this.progress.bind(this)
  }

  get run(): RunInfo {
    return (this.#info ??= describeRun(this))
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }

  get log(): RunLog {
    return (this.#log ??= {
      debug: (message, data) => this.#say('debug', message, data),
      info: (message, data) => this.#say('info', message, data),
      warn: (message, data) => this.#say('warn', message, data),
      error: (message, data) => this.#say('error', message, data),
    })
  }

  get tx(): DatabaseHandle {
    if (this.#tx) return this.#tx
    throw new ConfigError(
      `task ${this.task} has no transaction: declare it with { transactional: true } to use context.tx.`,
    )
  }

  progress(current: number, total: number | null = null, meta: unknown = null): void {
    if (this.#muted || !Number.isFinite(current)) return
    if (!this.#last) this.#around.onFirstProgress()
    const whole = Number.isFinite(total) ? total : null
    this.#last = { run: this.job.key, current, total: whole, meta: storableValue(meta) }
    this.#around.recorder.progress(this.#last)
  }

  /** The last progress it told, as its result keeps it; undefined when it never did. */
  get reported(): object | undefined {
    if (!this.#last) return undefined
    const { current, total, meta } = this.#last
    const percent = total ? Math.round((1000 * current) / total) / 10 : null
    return { current, total, percent, meta, at: new Date(nowMs()).toISOString() }
  }

  /** It was asked to stop because its worker stops. */
  get isStopping(): boolean {
    return this.#aborted instanceof Stopping
  }

  /** Its handler is called now, elsewhere: what came before was the start of a thread or process. */
  restart(): void {
    this.startedMs = nowMs()
  }

  /** From now on its time runs: at the soft limit it is asked to stop, at the hard one `end` is called. */
  startLimits({ softMs, hardMs }: Limits, end: () => void): void {
    if (softMs > 0 && (hardMs === 0 || softMs < hardMs))
      this.#soft = after(softMs, () => this.abort(new SoftTimeLimit(softMs)))
    if (hardMs > 0) this.#hard = after(hardMs, end)
  }

  stopLimits(): void {
    this.#soft?.stop()
    this.#hard?.stop()
    this.#soft = this.#hard = null
  }

  /** What a handler failed of that was asked to stop at its soft limit and did; undefined when that is not so. */
  softLimited(thrown: unknown): SoftTimeLimit | undefined {
    const asked = this.#aborted
    if (!(asked instanceof SoftTimeLimit) || !this.isObeying(thrown)) return undefined
    return thrown === asked ? asked : new SoftTimeLimit(asked.limitMs, { cause: thrown })
  }

  /** Asks the handler to stop; the reason is what its signal says. */
  abort(reason: Error): void {
    this.#aborted ??= reason
    this.#controller?.abort(reason)
  }

  /** For what comes before its handler starts. */
  throwIfAborted(): void {
    if (this.#aborted) throw this.#aborted
  }

  get revocation(): Revocation | null {
    return this.#revocation
  }

  /** Tells the handler, once; from then on it is not tried again. */
  revoke(revocation: Revocation): void {
    if (!this.#revocation) {
      const data = revokedError(revocation.reason, null)
      this.abort(new RunRevoked('RB_RUN_REVOKED', this.job.key, 'revoked', data))
    }
    this.#revocation = revocation
  }

  /** What its handler threw is its answer to the signal, and says nothing else. */
  isObeying(thrown: unknown): boolean {
    if (thrown === this.#aborted) return true
    return thrown instanceof Error && thrown.name === 'AbortError'
  }

  /** Its outcome is recorded, though its handler has not ended: what it reports is not written any more, and its transaction, thread or process ends. */
  conclude(): void {
    this.#muted = true
    this.stopLimits()
    this.#onConcluded?.()
  }

  get isConcluded(): boolean {
    return this.#muted
  }

  onConcluded(act: () => void): void {
    this.#onConcluded = act
  }

  #say(level: string, message: string, data: unknown): void {
    const { key } = this.job
    this.#around.events.emit('run:log', { run: key, task: this.task, level, message, data })
    if (this.#lines++ < LINES_MAX) {
      this.#around.recorder.line({ run: key, attempt: this.attempt, level, message: String(message), data })
    }
  }
}

function describeRun({ job, task, attempt, allowed }: Active): RunInfo {
  const { payload } = job
  return Object.freeze({
    id: job.key,
    task,
    queue: job.task_identifier.slice(0, job.task_identifier.indexOf(':')),
    priority: job.priority,
    attempt,
    attemptsMax: allowed,
    redeliveries: payload.redeliveries ?? 0,
    tags: payload.tags ?? [],
    headers: payload.headers ?? {},
    parent: payload.parent ?? null,
    retryOf: payload.retry_of ?? null,
    schedule: payload.schedule ?? null,
    dueAt: payload.due_at ?? null,
    createdAt: new Date(job.created_at).toISOString(),
    expiresAt: payload.expires_at ?? null,
  })
}
