/**
 * One claimed run from its start to its outcome: a pipeline of small steps over one value, each of which may end it.
 *
 *   expired? -> input accepted? -> revoked? -> handler -> outcome
 *
 * It never throws and never touches the store, with one exception: a transactional task's outcome is written inside its
 * own transaction, so that its effects and its result commit together or not at all. When that finish finds the lease
 * gone, the transaction is rolled back and the run belongs to whoever holds it now.
 *
 * A handler that answers at once is answered at once: no promise is made that nobody needs.
 */
import { nowMs } from '../clock.ts'
import { begin, isConnectionLoss, isTransient, toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { finishRuns, type FinishRow } from '../db/statements/finish.ts'
import type { Revocation } from '../db/statements/revocations.ts'
import { RowbeatError } from '../errors.ts'
import type { Checked } from '../tasks/schema.ts'
import { Discard, Retry, Snooze } from '../tasks/signals.ts'
import { attemptsOf, type Task } from '../tasks/task.ts'
import { Active, type Surroundings } from './active.ts'
import type { ClaimedJob } from './job.ts'
import { expired, fail, refuseInput, revoked, succeed, type Outcome } from './outcome.ts'

/** Thrown inside a transactional run to roll it back: somebody else owns it now. */
class LeaseLost extends RowbeatError {
  constructor(run: string) {
    super(
      'RB_LEASE_LOST',
      `the lease of run ${run} was lost while it ran, so its transaction was rolled back.`,
    )
  }
}

/** Thrown inside a transactional run whose result cannot be stored: a run that fails leaves no effects. */
class Unstorable extends RowbeatError {
  constructor() {
    super('RB_RESULT_INVALID', 'the result cannot be stored, so the transaction was rolled back.')
  }
}

/** What every run of a worker is executed in. */
export interface Workshop extends Surroundings {
  readonly worker: string
  /** Where transactional tasks get their transaction. */
  readonly db: DatabaseHandle
  readonly random: () => number
  /** Seconds to keep a result whose run says nothing. */
  keepOf(task: Task): number
  /** The revocation that stands against a run. */
  revocationOf(job: ClaimedJob): Revocation | undefined
  onStart(active: Active): void
}

/** `stored`: the outcome is durable already (transactional), or refused (null row). Neither: it did not end and is to go back, uncounted. */
export type Executed = { row: FinishRow; stored: boolean } | { row: null; stored: boolean }

/** The try under way: who, how often, since when. */
interface Trying {
  readonly shop: Workshop
  readonly task: Task
  readonly job: ClaimedJob
  readonly pool: string
  readonly attempt: number
  readonly allowed: number
  readonly startedMs: number
}

export function execute(
  shop: Workshop,
  task: Task,
  job: ClaimedJob,
  pool: string,
): Executed | Promise<Executed> {
  const { payload } = job
  const trying = tryOf(shop, task, job, pool)
  if (payload.expires_at && Date.parse(payload.expires_at) <= trying.startedMs) {
    return { row: unstarted(trying, expired), stored: false }
  }
  if (!task.input) return perform(trying, payload.input)
  const checked = checkInput(task, payload.input)
  return checked instanceof Promise ? checked.then((done) => accept(trying, done)) : accept(trying, checked)
}

/** The outcome of a revoked run that this worker has and that did not start. */
export function refuse(
  shop: Workshop,
  task: Task,
  job: ClaimedJob,
  pool: string,
  { reason }: Revocation,
): FinishRow {
  return unstarted(tryOf(shop, task, job, pool), revoked(reason, 'revoked'))
}

/** The outcome of a revoked run whose handler is not waited for. */
export function abandon(
  shop: Workshop,
  task: Task,
  running: Active,
  reason: 'revoked' | 'terminated',
): FinishRow {
  const { job, pool, attempt, allowed, startedMs, revocation } = running
  const outcome = revoked(revocation?.reason ?? null, reason)
  return toRow({ shop, task, job, pool, attempt, allowed, startedMs }, outcome, running)
}

function tryOf(shop: Workshop, task: Task, job: ClaimedJob, pool: string): Trying {
  const { payload } = job
  const attempt = (payload.attempt ?? 0) + 1
  const allowed = payload.attempts_max ?? countAllowed(task, payload.input)
  return { shop, task, job, pool, attempt, allowed, startedMs: nowMs() }
}

/** `attemptsMax` may be the user's function, and an input from SQL came unchecked. */
function countAllowed(task: Task, input: unknown): number {
  try {
    return attemptsOf(task.options, input)
  } catch {
    return 1
  }
}

function checkInput(task: Task, value: unknown): Checked | Promise<Checked> {
  const refuse = (error: unknown): Checked => ({
    faults: [{ pointer: '/input', detail: `made the schema throw: ${(error as Error).message}` }],
  })
  try {
    const checked = task.input!.check(value)
    return checked instanceof Promise ? checked.catch(refuse) : checked
  } catch (error) {
    return refuse(error)
  }
}

function accept(trying: Trying, checked: Checked): Executed | Promise<Executed> {
  if ('value' in checked) return perform(trying, checked.value)
  const why = checked.faults.map((fault) => `${fault.pointer} ${fault.detail}`).join('; ')
  return { row: toRow(trying, refuseInput(why)), stored: false }
}

function perform(trying: Trying, input: unknown): Executed | Promise<Executed> {
  const revocation = trying.shop.revocationOf(trying.job)
  if (revocation) return { row: unstarted(trying, revoked(revocation.reason, 'revoked')), stored: false }
  if (trying.task.options.transactional) return performInTransaction(trying, input)
  const active = beginTry(trying, null)
  try {
    const returned = trying.task.handler(input, active)
    if (!(returned instanceof Promise)) return ended(trying, active, succeeded(trying, returned))
    return returned.then(
      (value) => ended(trying, active, succeeded(trying, value)),
      (thrown: unknown) => failed(trying, active, thrown),
    )
  } catch (thrown) {
    return failed(trying, active, thrown)
  }
}

async function performInTransaction(trying: Trying, input: unknown): Promise<Executed> {
  const { shop, task, job } = trying
  let active: Active | undefined
  let row: FinishRow | undefined
  try {
    await begin(shop.db, async (tx) => {
      active = beginTry(trying, tx)
      // Revoked while the transaction began.
      const revocation = shop.revocationOf(job)
      if (revocation) active.revoke(revocation)
      active.throwIfAborted()
      const value = await task.handler(input, active)
      const outcome = succeeded(trying, value)
      row = toRow(trying, outcome, active)
      if (outcome.state !== 'SUCCESS') throw new Unstorable()
      const { ours } = await finishRuns(toQueryable(tx), shop.worker, [trying.pool], [row])
      if (ours.length === 0) throw new LeaseLost(job.key)
    })
    return { row: row!, stored: true }
  } catch (thrown) {
    if (thrown instanceof LeaseLost) return { row: null, stored: true }
    if (thrown instanceof Unstorable) return { row: row!, stored: false }
    // COMMIT may have happened with its answer lost: then the job row is gone, this outcome finds nothing, and the result stands.
    if (row && isTransient(thrown)) return ended(trying, active, { state: 'PARK', reason: 'retry', delay: 0 })
    // No transaction could be begun, so no try was made: as soon as the database answers again.
    if (!active && isConnectionLoss(thrown))
      return ended(trying, active, { state: 'PARK', reason: 'retry', delay: 1 })
    return failed(trying, active, thrown)
  }
}

function beginTry(
  { shop, job, pool, task, attempt, allowed, startedMs }: Trying,
  tx: DatabaseHandle | null,
): Active {
  const active = new Active(shop, job, pool, task.name, attempt, allowed, startedMs, tx)
  shop.onStart(active)
  return active
}

/** What is not to be kept is not looked at, so it may be anything; a run enqueued by SQL leaves it to the task. */
function succeeded({ task, job }: Trying, value: unknown): Outcome {
  const isIgnored = job.payload.ignore_result ?? task.options.ignoreResult
  return succeed(isIgnored ? null : value)
}

/** What is thrown after the worker asked to stop says nothing about the run, unless it is a signal of the handler's own. */
function failed(trying: Trying, active: Active | undefined, thrown: unknown): Executed {
  if (active?.revocation && !(thrown instanceof Discard)) {
    const cause = active.isObeying(thrown) ? undefined : thrown
    return ended(trying, active, revoked(active.revocation.reason, 'revoked', cause))
  }
  const meant = thrown instanceof Retry || thrown instanceof Snooze || thrown instanceof Discard
  if (active?.isStopping && !meant) return { row: null, stored: false }
  return ended(trying, active, fail(thrown, toTry(trying), trying.shop.random))
}

function ended(trying: Trying, active: Active | undefined, outcome: Outcome): Executed {
  return { row: toRow(trying, outcome, active), stored: false }
}

/** The row of a run whose try was not started. */
function unstarted(trying: Trying, outcome: Outcome): FinishRow {
  return { ...toRow(trying, outcome), attempt: trying.attempt - 1, started: undefined }
}

function toRow(
  { shop, task, job, attempt, allowed, startedMs }: Trying,
  outcome: Outcome,
  active?: Active,
): FinishRow {
  return {
    job: job.id,
    claims: job.attempts,
    attempt,
    allowed,
    started: startedMs,
    keep: shop.keepOf(task),
    progress: active?.reported,
    ...outcome,
  }
}

function toTry({ task, attempt, allowed, job }: Trying): Parameters<typeof fail>[1] {
  return { task, attempt, allowed, retry: job.payload.retry }
}
