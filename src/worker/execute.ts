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
import { IsolateLost, RowbeatError } from '../errors.ts'
import type { EndedTry } from '../tasks/middleware.ts'
import type { Checked } from '../tasks/schema.ts'
import { Discard, Retry, Snooze } from '../tasks/signals.ts'
import { attemptsOf, type Task } from '../tasks/task.ts'
import { Active } from './active.ts'
import { callHandler } from './handle.ts'
import type { ClaimedJob } from './job.ts'
import { Cut, UnstorableResult, type Isolation } from './isolate/isolation.ts'
import { expired, fail, lost, refuseInput, revoked, succeed, unstorable, type Outcome } from './outcome.ts'
import { startLimits, type Trying, type Workshop } from './trying.ts'

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

/** `stored`: the outcome is durable already (transactional), or refused (null row). Neither: it did not end and is to go back, uncounted. */
export type Executed = { row: FinishRow; stored: boolean } | { row: null; stored: boolean }

export function execute(
  shop: Workshop,
  task: Task,
  job: ClaimedJob,
  pool: string,
): Executed | Promise<Executed> {
  const { payload } = job
  const trying = tryOf(shop, task, job, pool)
  if (hasExpired(trying)) return { row: unstarted(trying, expired), stored: false }
  if (!task.input) return perform(trying, payload.input)
  const checked = checkInput(task, payload.input)
  return checked instanceof Promise ? checked.then((done) => accept(trying, done)) : accept(trying, checked)
}

function hasExpired({ job, startedMs }: Trying): boolean {
  const { expires_at: expires } = job.payload
  return expires !== undefined && Date.parse(expires) <= startedMs
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

/** The row of a run that is over, though its handler is not: it is not waited for. */
export function abandon(shop: Workshop, task: Task, running: Active, outcome: Outcome): FinishRow {
  shop.surround?.ended(running, outcome)
  const { job, pool, attempt, allowed, startedMs } = running
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
  if (trying.task.options.isolate && trying.shop.isolation)
    return performIsolated(trying, trying.shop.isolation, input)
  const active = beginTry(trying, null)
  try {
    const returned = callHandler(trying, input, active)
    if (!(returned instanceof Promise)) return ended(trying, active, succeeded(trying, returned))
    return returned.then(
      (value) => ended(trying, active, succeeded(trying, value)),
      (thrown: unknown) => failed(trying, active, thrown),
    )
  } catch (thrown) {
    return failed(trying, active, thrown)
  }
}

/** Starts when it has a thread or process; until then it is a claimed run like those in the lane's hand. */
async function performIsolated(claimed: Trying, isolation: Isolation, input: unknown): Promise<Executed> {
  const { shop, job, pool } = claimed
  const seat = await isolation.seat(job, pool)
  const trying: Trying = { ...claimed, startedMs: nowMs(), seat: seat ?? undefined }
  const revocation = shop.revocationOf(job)
  try {
    if (revocation) return { row: unstarted(trying, revoked(revocation.reason, 'revoked')), stored: false }
    if (!seat) return { row: null, stored: false }
    if (hasExpired(trying)) return { row: unstarted(trying, expired), stored: false }
    const active = beginTry(trying, null)
    try {
      return ended(trying, active, succeeded(trying, await callHandler(trying, input, active)))
    } catch (thrown) {
      return thrown instanceof Cut ? { row: null, stored: false } : failed(trying, active, thrown)
    }
  } finally {
    seat?.leave()
  }
}

async function performInTransaction(trying: Trying, input: unknown): Promise<Executed> {
  const { shop, job } = trying
  let active: Active | undefined
  let row: FinishRow | undefined
  try {
    await begin(shop.db, async (tx) => {
      active = beginTry(trying, tx)
      // Revoked while the transaction began.
      const revocation = shop.revocationOf(job)
      if (revocation) active.revoke(revocation)
      active.throwIfAborted()
      const value = await untilConcluded(active, callHandler(trying, input, active))
      active.stopLimits()
      const outcome = succeeded(trying, value)
      row = toRow(trying, outcome, active)
      if (outcome.state !== 'SUCCESS') throw new Unstorable()
      const { ours } = await finishRuns(toQueryable(tx), shop.worker, [trying.pool], [row])
      if (ours.length === 0) throw new LeaseLost(job.key)
    })
    tellHooks(trying, active, row!)
    return { row: row!, stored: true }
  } catch (thrown) {
    if (thrown instanceof LeaseLost) return { row: null, stored: true }
    if (thrown instanceof Unstorable) {
      tellHooks(trying, active, row!)
      return { row: row!, stored: false }
    }
    // COMMIT may have happened with its answer lost: then the job row is gone, this outcome finds nothing, and the result stands.
    if (row && isTransient(thrown))
      return ended(trying, active, { state: 'PARK', reason: 'retry', delay: 0 }, thrown)
    // No transaction could be begun, so no try was made: as soon as the database answers again.
    if (!active && isConnectionLoss(thrown))
      return ended(trying, active, { state: 'PARK', reason: 'retry', delay: 1 })
    return failed(trying, active, thrown)
  } finally {
    active?.stopLimits()
  }
}

/** What the handler answers; a run that is concluded before loses its lease, so that its transaction is rolled back at once. */
function untilConcluded(active: Active, answer: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    active.onConcluded(() => reject(new LeaseLost(active.job.key)))
    Promise.resolve(answer).then(resolve, reject)
  })
}

function beginTry(trying: Trying, tx: DatabaseHandle | null): Active {
  const { shop, job, pool, task, attempt, allowed, startedMs } = trying
  const active = new Active(shop, job, pool, task.name, attempt, allowed, startedMs, tx)
  shop.onStart(active)
  if (!trying.seat) startLimits(trying, active)
  return active
}

/** What is not to be kept is not looked at, so it may be anything; a run enqueued by SQL leaves it to the task. */
function succeeded({ task, job }: Trying, value: unknown): Outcome {
  const isIgnored = job.payload.ignore_result ?? task.options.ignoreResult
  return succeed(isIgnored ? null : value)
}

/** What is thrown after the worker asked to stop says nothing about the run, unless it is a signal of the handler's own. */
function failed(trying: Trying, active: Active | undefined, thrown: unknown): Executed {
  active?.stopLimits()
  if (active?.revocation && !(thrown instanceof Discard)) {
    const cause = active.isObeying(thrown) ? undefined : thrown
    return ended(trying, active, revoked(active.revocation.reason, 'revoked', cause), thrown)
  }
  const meant = thrown instanceof Retry || thrown instanceof Snooze || thrown instanceof Discard
  if (active?.isStopping && !meant) return { row: null, stored: false }
  if (thrown instanceof UnstorableResult) return ended(trying, active, unstorable(thrown.fault))
  if (thrown instanceof IsolateLost)
    return ended(trying, active, lost(thrown, trying.job.payload.redeliveries ?? 0))
  const failure = active?.softLimited(thrown) ?? thrown
  return ended(trying, active, fail(failure, toTry(trying), trying.shop.random), thrown)
}

function ended(trying: Trying, active: Active | undefined, outcome: Outcome, thrown?: unknown): Executed {
  active?.stopLimits()
  tellHooks(trying, active, outcome, thrown)
  return { row: toRow(trying, outcome, active), stored: false }
}

/** Of a run that was concluded before its handler ended, they were told then. */
function tellHooks({ shop }: Trying, active: Active | undefined, ended: EndedTry, thrown?: unknown): void {
  if (active && !active.isConcluded) shop.surround?.ended(active, ended, thrown)
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
    started: active?.startedMs ?? startedMs,
    keep: shop.keepOf(task),
    gated: job.payload.gated,
    progress: active?.reported,
    ...outcome,
  }
}

function toTry({ task, attempt, allowed, job }: Trying): Parameters<typeof fail>[1] {
  return { task, attempt, allowed, retry: job.payload.retry }
}
