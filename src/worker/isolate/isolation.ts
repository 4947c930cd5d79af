/**
 * Runs of isolated tasks: found where they are defined, seated when a thread or process is free, held while they run, cut
 * when they must end. What they say is said by their Active, as if their handler were here.
 *
 * A thread or process that dies is a crash of the one run in it: the promise of its handler is rejected with IsolateLost.
 */
import { availableParallelism } from 'node:os'
import { ConfigError, InvariantError, IsolateLost, RowbeatError } from '../../errors.ts'
import { parseMegabytes } from '../../tasks/options.ts'
import type { Registry } from '../../tasks/registry.ts'
import type { Task } from '../../tasks/task.ts'
import type { Active } from '../active.ts'
import type { ClaimedJob } from '../job.ts'
import { after } from '../limits.ts'
import { startLimits, type Trying } from '../trying.ts'
import { locateIsolated } from './modules.ts'
import type { Needs, Place } from './place.ts'
import { createProcesses } from './processes.ts'
import { fromThrown, toAbort, type Answer, type FromIsolate } from './protocol.ts'
import { createSeats, type Seat } from './seats.ts'
import { createThreads } from './threads.ts'

/** How long a module may take to load: before its handler is called no limit of the task's runs. */
const LOAD_MS = 30_000

/** Thrown in place of a handler that was cut: its run is concluded already, or goes back. */
export class Cut extends RowbeatError {
  constructor(run: string) {
    super('RB_RUN_CUT', `run ${run} was ended from outside.`)
  }
}

/** What an isolated handler returned cannot be stored; it was looked at where it is. */
export class UnstorableResult extends RowbeatError {
  readonly fault: Extract<Answer, { kind: 'unstorable' }>['fault']
  constructor(fault: UnstorableResult['fault']) {
    super('RB_RESULT_INVALID', `the result cannot be stored: ${fault.detail}.`)
    this.fault = fault
  }
}

export interface IsolationOptions {
  readonly registry: Registry
  /** Isolated runs at once, threads and processes together; default the number of processors. */
  readonly threads?: number
  /** False for a run that was revoked, or that is somebody else's by now. */
  isWanted(job: ClaimedJob, pool: string): boolean
  onProblem(error: Error): void
}

export interface Isolation {
  /** Finds the modules of all isolated tasks. Throws ConfigError. */
  prepare(): Promise<void>
  /** Waits for a thread or process; null when the run is not wanted any more. */
  seat(job: ClaimedJob, pool: string): Promise<Seat | null>
  /** As a call of the handler, for a run that has a seat. */
  call(trying: Trying, input: unknown, active: Active): Promise<unknown>
  /** Lets waiting runs go that are not wanted any more. */
  review(): void
  /** Kills what still runs. */
  end(): Promise<void>
}

export function createIsolation(options: IsolationOptions): Isolation {
  const { registry, threads: size = availableParallelism(), onProblem } = options
  if (!Number.isInteger(size) || size < 1)
    throw new ConfigError(`threads is ${JSON.stringify(size)}; give a whole number of at least 1.`)
  const seats = createSeats(size, options.isWanted)
  const places: { thread?: Place; process?: Place } = {}
  let modules: ReadonlyMap<string, string> = new Map()

  const prepare = async (): Promise<void> => {
    modules = await locateIsolated(registry)
    const kinds = new Set([...registry.values()].map((task) => task.options.isolate))
    if (kinds.has('process')) places.process = createProcesses()
    if (kinds.has('thread')) {
      const { Piscina: pool } = await import('piscina')
      places.thread = createThreads({ pool, size, onProblem })
    }
  }

  const call = (trying: Trying, input: unknown, active: Active): Promise<unknown> => {
    const { task, job, seat } = trying
    const place = places[task.options.isolate!]
    const module = modules.get(task.name)
    if (!place || !module || !seat) throw new InvariantError(`isolated task ${task.name} was not prepared.`)
    if (active.isConcluded) throw new Cut(job.key)
    const keepsResult = !(job.payload.ignore_result ?? task.options.ignoreResult)
    return new Promise((resolve, reject) => {
      let loading: { stop(): void } | null = null
      const hear = (message: FromIsolate): void => {
        if (message.kind === 'taken') loading = after(LOAD_MS, giveUp)
        else if (message.kind === 'started') {
          loading?.stop()
          active.restart()
          startLimits(trying, active)
        } else if (message.kind === 'progress') active.progress(message.current, message.total, message.meta)
        else if (message.kind === 'log') active.log[message.level](message.message, message.data)
        else settle(message, active, resolve, reject)
      }
      const giveUp = (): void => {
        reject(new IsolateLost(task.options.isolate!, `its module did not load in ${LOAD_MS / 1000} s`))
        hold.kill()
      }
      const order = { module, task: task.name, input, run: active.run, keepsResult }
      const hold = place.begin(order, needsOf(task), hear)
      const { signal } = active
      const abort = (): void => hold.tell(toAbort(signal.reason))
      seat.busy = hold.over
      if (signal.aborted) abort()
      signal.addEventListener('abort', abort, { once: true })
      active.onConcluded(hold.kill)
      void hold.over
        .then((died) => reject(died ?? new Cut(job.key)), reject)
        .finally(() => {
          loading?.stop()
          signal.removeEventListener('abort', abort)
        })
    })
  }

  return {
    prepare,
    seat: (job, pool) => seats.take(job, pool),
    call,
    review: () => seats.review(),
    async end() {
      await Promise.all([places.thread?.end(), places.process?.end()])
    },
  }
}

function settle(
  answer: Answer,
  active: Active,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): void {
  if (answer.kind === 'returned') resolve(JSON.parse(answer.text))
  else if (answer.kind === 'unstorable') reject(new UnstorableResult(answer.fault))
  else reject(fromThrown(answer.thrown, active.signal.reason))
}

function needsOf({ options: { memoryLimit, recycleAfter } }: Task): Needs {
  return {
    memory: memoryLimit === undefined ? null : parseMegabytes(memoryLimit),
    recycleAfter: recycleAfter ?? null,
  }
}
