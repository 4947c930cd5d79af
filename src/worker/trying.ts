/**
 * A try under way, and what every run of a worker is executed in: the values that the pipeline of execute.ts hands from
 * step to step.
 */
import type { DatabaseHandle } from '../db/handle.ts'
import type { Revocation } from '../db/statements/revocations.ts'
import type { Surround } from '../tasks/middleware.ts'
import type { Task } from '../tasks/task.ts'
import type { Active, Surroundings } from './active.ts'
import type { ClaimedJob } from './job.ts'
import type { Isolation } from './isolate/isolation.ts'
import type { Seat } from './isolate/seats.ts'
import type { Limits } from './limits.ts'

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
  /** Its time limits, or null when it has none. */
  limitsOf(job: ClaimedJob, task: Task): Limits | null
  /** Middleware and hooks. */
  readonly surround: Surround | null
  /** Where isolated tasks run; without it (in tests of tasks) they run as others do. */
  readonly isolation?: Isolation
  onStart(active: Active): void
  /** It reached its time limit. */
  onTimeLimit(active: Active, limitMs: number): void
}

/** The try under way: who, how often, since when. */
export interface Trying {
  readonly shop: Workshop
  readonly task: Task
  readonly job: ClaimedJob
  readonly pool: string
  readonly attempt: number
  readonly allowed: number
  readonly startedMs: number
  /** Of an isolated run. */
  readonly seat?: Seat
}

/** Its time runs from now on. */
export function startLimits({ shop, job, task }: Trying, active: Active): void {
  const limits = shop.limitsOf(job, task)
  if (limits) active.startLimits(limits, () => shop.onTimeLimit(active, limits.hardMs))
}
