/**
 * One claimed run from its start to its outcome: a pipeline of small steps over one value, each of which may end it.
 *
 *   expired? -> input accepted? -> handler -> outcome
 *
 * It never throws and never touches the store, with one exception: a transactional task's outcome is written inside its
 * own transaction, so that its effects and its result commit together or not at all. When that finish finds the lease
 * gone, the transaction is rolled back and the run belongs to whoever holds it now.
 */
import { nowMs } from '../clock.ts'
import { begin, isTransient, toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { finishRuns, type FinishRow } from '../db/statements/jobs.ts'
import { RowbeatError } from '../errors.ts'
import { attemptsOf, type Task } from '../tasks/task.ts'
import { createActive, type Active, type ActiveOptions } from './active.ts'
import { expired, fail, refuseInput, succeed, type Outcome } from './outcome.ts'

/** Thrown inside a transactional run to roll it back: somebody else owns it now. */
class LeaseLost extends RowbeatError {
  constructor(run: string) {
    super(
      'RB_LEASE_LOST',
      `the lease of run ${run} was lost while it ran, so its transaction was rolled back.`,
    )
  }
}

export interface ExecuteOptions extends Omit<ActiveOptions, 'attempt' | 'allowed' | 'startedMs' | 'task'> {
  task: Task
  /** Where transactional tasks get their transaction. */
  db: DatabaseHandle
  worker: string
  random: () => number
  /** Seconds to keep a result whose task says nothing. */
  keep: number
  onStart(active: Active): void
}

/** `stored`: the outcome is durable already (transactional), or refused (null row). */
export type Executed = { row: FinishRow; stored: boolean } | { row: null; stored: true }

export async function execute(options: ExecuteOptions): Promise<Executed> {
  const { job, task } = options
  const attempt = (job.payload.attempt ?? 0) + 1
  const allowed = job.payload.attempts_max ?? attemptsOf(task.options, job.payload.input)
  const active = { ...options, task: task.name, attempt, allowed, startedMs: nowMs() }
  const finish = (outcome: Outcome, progress: object | null = null): FinishRow => ({
    job: job.id,
    claims: job.attempts,
    attempt,
    allowed,
    started: active.startedMs,
    keep: options.keep,
    progress: progress ?? undefined,
    ...outcome,
  })

  if (job.payload.expires_at && Date.parse(job.payload.expires_at) <= active.startedMs) {
    return { row: { ...finish(expired), attempt: attempt - 1, started: undefined }, stored: false }
  }
  const input = await acceptInput(task, job.payload.input)
  if ('refused' in input) return { row: finish(input.refused), stored: false }
  const tried = { task, attempt, allowed, retry: job.payload.retry }

  if (task.options.transactional) {
    return await executeInTransaction(options, active, input.value, finish, (thrown) =>
      fail(thrown, tried, options.random),
    )
  }
  const running = createActive(active, null)
  options.onStart(running)
  try {
    const returned = task.handler(input.value, running.context)
    const value = returned instanceof Promise ? await returned : returned
    return { row: finish(succeed(value), running.progress()), stored: false }
  } catch (thrown) {
    return { row: finish(fail(thrown, tried, options.random), running.progress()), stored: false }
  }
}

async function acceptInput(task: Task, value: unknown): Promise<{ value: unknown } | { refused: Outcome }> {
  if (!task.input) return { value }
  try {
    const pending = task.input.check(value)
    const checked = pending instanceof Promise ? await pending : pending
    if ('value' in checked) return checked
    return {
      refused: refuseInput(checked.faults.map((fault) => `${fault.pointer} ${fault.detail}`).join('; ')),
    }
  } catch (error) {
    return { refused: refuseInput(`the schema of ${task.name} threw: ${(error as Error).message}`) }
  }
}

async function executeInTransaction(
  options: ExecuteOptions,
  active: ActiveOptions,
  input: unknown,
  finish: (outcome: Outcome, progress?: object | null) => FinishRow,
  toFailure: (thrown: unknown) => Outcome,
): Promise<Executed> {
  let running: Active | undefined
  let row: FinishRow | undefined
  try {
    await begin(options.db, async (tx) => {
      running = createActive(active, tx)
      options.onStart(running)
      const value = await options.task.handler(input, running.context)
      row = finish(succeed(value), running.progress())
      const ours = await finishRuns(toQueryable(tx), options.worker, [options.pool], [row])
      if (ours.length === 0) throw new LeaseLost(options.job.key)
    })
    return { row: row!, stored: true }
  } catch (thrown) {
    if (thrown instanceof LeaseLost) return { row: null, stored: true }
    // COMMIT may have happened with its answer lost: then the job row is gone, this outcome finds nothing, and the result stands.
    const lostCommit = row !== undefined && isTransient(thrown)
    return {
      row: finish(
        lostCommit ? { state: 'PARK', reason: 'retry', delay: 0 } : toFailure(thrown),
        running?.progress(),
      ),
      stored: false,
    }
  }
}
