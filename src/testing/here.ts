/**
 * Runs a body here and now, without a database: the same pipeline as in a worker (expiry, schema, middleware, handler,
 * outcome), around a job that was never claimed. Tries follow one another at once, whatever delay they ask for. Isolated
 * tasks run in this process, and a transactional one gets its transaction from `db`.
 */
import { randomUUID } from 'node:crypto'
import { nowMs } from '../clock.ts'
import { begin, type DatabaseHandle } from '../db/handle.ts'
import type { FinishRow } from '../db/statements/finish.ts'
import { durationMs, type Duration } from '../duration.ts'
import { ConfigError, TimeLimitExceeded, type ErrorData } from '../errors.ts'
import type { RunBody } from '../queue/enqueue.ts'
import type { Progress, RunDocument } from '../results/run.ts'
import type { Context } from '../tasks/context.ts'
import { runAs } from '../tasks/current.ts'
import { createSurround, type HookFailure, type MiddlewareList } from '../tasks/middleware.ts'
import type { Task } from '../tasks/task.ts'
import type { Active } from '../worker/active.ts'
import { createEvents } from '../worker/events.ts'
import { execute } from '../worker/execute.ts'
import type { ClaimedJob, Payload } from '../worker/job.ts'
import { limitsOf } from '../worker/limits.ts'
import { timedOut, type Outcome } from '../worker/outcome.ts'
import type { Recorder } from '../worker/recorder.ts'
import type { Workshop } from '../worker/trying.ts'

export interface Surroundings {
  middleware?: MiddlewareList
  /** Where a transactional task gets its transaction: a database, or a transaction that is rolled back later. */
  db?: DatabaseHandle
  /** Aborts the run's signal. */
  signal?: AbortSignal
  /** Hears what the handler reports. */
  onProgress?(progress: { current: number; total: number | null; meta: unknown }): void
  onLog?(line: { level: string; message: string; data: unknown }): void
  /** Hears what a hook threw; by default nobody does. */
  onHookFailure?(failure: HookFailure): void
}

export interface RanHere {
  /** As the store would have it. */
  run: RunDocument
  /** What the handler threw at its last try; undefined where nothing was thrown. */
  thrown: unknown
}

/** Tries, and snoozes, that nobody means. */
const TRIES_MAX = 1000

/** Runs the body to its end; with `follow` false, no further than its first try. */
export async function runHere(
  task: Task,
  body: RunBody,
  around: Surroundings,
  follow: boolean,
): Promise<RanHere> {
  const run = newDocument(task, body)
  let thrown: unknown
  const middleware = [
    async (_: Context, next: () => Promise<unknown>) => {
      thrown = undefined
      return await next().catch((error: unknown) => {
        thrown = error
        throw error
      })
    },
    ...(around.middleware ?? []),
  ]
  const payload = toPayload(task, body, run)
  for (let tries = 0; ; tries++) {
    if (tries === TRIES_MAX)
      throw new ConfigError(
        `task ${task.name} was tried ${TRIES_MAX} times: it retries or snoozes without end.`,
      )
    const row = await tryHere(localTask(task, around.db), toJob(run, payload), middleware, around)
    take(run, row)
    if (row.state !== 'PARK' || !follow) return { run, thrown }
    Object.assign(payload, row.patch)
  }
}

async function tryHere(
  task: Task,
  job: ClaimedJob,
  middleware: MiddlewareList,
  around: Surroundings,
): Promise<FinishRow> {
  let end: (row: FinishRow) => void = () => {}
  const ended = new Promise<FinishRow>((resolve) => (end = resolve))
  let active: Active | undefined
  const obey = (): void => active?.abort(around.signal!.reason as Error)
  // A time limit keeps no process alive by itself; who waits for one here does.
  const alive = setInterval(() => {}, 60_000)
  const shop: Workshop = {
    worker: 'testing',
    recorder: recorderOf(around),
    events: createEvents(),
    // Never asked for: localTask sees to both.
    db: null as never,
    isolation: null as never,
    random: () => 0,
    surround: createSurround(middleware, (failure) => around.onHookFailure?.(failure)),
    keepOf: () => 0,
    revocationOf: () => undefined,
    limitsOf: (given, of) => limitsOf(given.payload, of, { softMs: 0, hardMs: 0 }),
    onFirstProgress() {},
    onStart(started) {
      active = started
      if (around.signal?.aborted) obey()
    },
    onTimeLimit(running, limitMs) {
      running.conclude()
      running.abort(new TimeLimitExceeded(limitMs))
      end(toRow(running, timedOut(limitMs, null)))
    },
  }
  around.signal?.addEventListener('abort', obey)
  try {
    const executed = await Promise.race([execute(shop, task, job, 'testing'), ended])
    return 'row' in executed ? executed.row! : executed
  } finally {
    clearInterval(alive)
    around.signal?.removeEventListener('abort', obey)
  }
}

function toRow({ job, attempt, allowed, startedMs: started }: Active, outcome: Outcome): FinishRow {
  return { job: job.id, claims: 1, attempt, allowed, started, ...outcome }
}

/** What the pipeline would see to in other ways. */
const NOT_HERE = ['transactional', 'isolate', 'module', 'memoryLimit', 'recycleAfter'] as const

/** The task as it is run here. */
function localTask(task: Task, db: DatabaseHandle | undefined): Task {
  const options = { ...task.options }
  for (const key of NOT_HERE) delete options[key]
  if (!task.options.transactional) return { ...task, options }
  const handler = async (input: any, context: Context): Promise<unknown> => {
    if (!db)
      throw new ConfigError(
        `task ${task.name} is transactional and there is no database: give one, as in { db: sql } or { db: tx }.`,
      )
    return await begin(db, async (tx) => {
      const own = withTransaction(context, tx)
      return await runAs(own, task.handler, input, own)
    })
  }
  return { ...task, options, handler }
}

function withTransaction(context: Context, tx: DatabaseHandle): Context {
  return new Proxy(context, {
    get: (target, key) => (key === 'tx' ? tx : (Reflect.get(target, key, target) as unknown)),
  })
}

function newDocument(task: Task, { fields, input }: RunBody): RunDocument {
  const given = fields as Record<string, any>
  const at = new Date(nowMs()).toISOString()
  return {
    id: given.id ?? randomUUID(),
    task: task.name,
    queue: given.queue ?? 'default',
    state: 'PENDING',
    reason: null,
    priority: given.priority ?? 0,
    input: JSON.parse(input ?? '{}'),
    result: null,
    error: null,
    progress: null,
    attempt: 0,
    attempts_max: given.attempts_max ?? 1,
    redeliveries: 0,
    worker: null,
    created_at: at,
    run_at: at,
    started_at: null,
    finished_at: null,
    expires_at: expiryOf(given.expires),
    time_limit: given.time_limit ?? null,
    soft_time_limit: given.soft_time_limit ?? null,
    unique_key: given.unique_key ?? null,
    tags: given.tags ?? [],
    headers: given.headers ?? {},
    parent: given.parent ?? null,
    retry_of: null,
    schedule: null,
    due_at: null,
  }
}

function expiryOf(expires: string | number | undefined): string | null {
  if (expires === undefined) return null
  const isInstant = typeof expires === 'string' && expires.includes('T')
  const atMs = isInstant ? Date.parse(expires) : nowMs() + durationMs(expires as Duration, 'expires')
  return new Date(atMs).toISOString()
}

/** A copy of the input for each run: a handler may change what it is given. */
function toPayload(task: Task, { fields, input }: RunBody, run: RunDocument): Payload {
  const { retry, attempts_max, time_limit, soft_time_limit, tags, headers, parent, ignore_result } =
    fields as Record<string, any>
  const payload = {
    retry,
    attempts_max,
    time_limit,
    soft_time_limit,
    tags,
    headers,
    parent,
    ignore_result: ignore_result ?? task.options.ignoreResult,
    expires_at: run.expires_at ?? undefined,
  }
  return { ...JSON.parse(JSON.stringify(payload)), input: JSON.parse(input ?? '{}') }
}

function toJob(run: RunDocument, payload: Payload): ClaimedJob {
  return {
    id: '0',
    payload: { ...payload, input: structuredClone(payload.input) },
    priority: run.priority,
    attempts: 1,
    key: run.id,
    created_at: run.created_at,
    task_identifier: `${run.queue}:${run.task}`,
  }
}

/** What a try left, as the finish statement would store it. */
function take(run: RunDocument, row: FinishRow): void {
  const at = new Date(nowMs()).toISOString()
  const isParked = row.state === 'PARK'
  run.state = row.state !== 'PARK' ? row.state : row.reason === 'retry' ? 'RETRY' : 'SCHEDULED'
  run.reason = row.reason ?? null
  run.attempt = row.reason === 'snooze' ? row.attempt - 1 : row.attempt
  run.attempts_max = row.allowed
  run.worker = 'testing'
  run.started_at = row.started === undefined ? null : new Date(row.started).toISOString()
  run.finished_at = isParked ? null : at
  run.result = row.state === 'SUCCESS' ? JSON.parse(JSON.stringify(row.result ?? null)) : null
  run.error = isParked ? null : ((row.error as ErrorData | undefined) ?? null)
  run.progress = (row.progress as Progress | undefined) ?? run.progress
}

function recorderOf({ onProgress, onLog }: Surroundings): Recorder {
  return {
    progress: ({ current, total, meta }) => onProgress?.({ current, total, meta }),
    line: ({ level, message, data }) => onLog?.({ level, message, data }),
    forget() {},
    async flush() {},
  }
}
