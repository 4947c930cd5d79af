/**
 * createWorker: a process's share of the work. It owns a pool of node-postgres connections for runners and outcomes, a
 * heart (a thread that says it is alive), a lane per queue, a dispatcher, and one LISTEN for all of them.
 *
 * Its life: register -> run -> quiet (claim nothing) -> drain (let runs end, then ask them to, within the grace) -> hand
 * back what is left, uncounted -> leave. If another process declares it dead, everything it holds belongs to others:
 * running handlers are told by their signals, what they return is refused by the store, and it goes on with a new identity.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { monotonicMs, sleep } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { DatabaseHandle } from '../db/handle.ts'
import { listen, type Listener } from '../db/listen.ts'
import { requireMigrated } from '../db/migrate.ts'
import { checkQueue, makeIdentifiers } from '../db/statements/jobs.ts'
import { handBack } from '../db/statements/recovery.ts'
import { recordHandedBack, registerQueues, registerTasks, removeWorker } from '../db/statements/workers.ts'
import { createCleanupTask } from '../dispatcher/cleanup.ts'
import { startDispatcher, type Dispatcher } from '../dispatcher/dispatcher.ts'
import { durationMs, type Duration } from '../duration.ts'
import { ConfigError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createRegistry, type Registry, type TaskTree } from '../tasks/registry.ts'
import { QUEUE_NAME } from '../tasks/task.ts'
import { Stopping, type Active } from './active.ts'
import { choresOf } from './chores.ts'
import { createLane, type Lane } from './engine.ts'
import { createEvents, type RunEvents } from './events.ts'
import { createFlusher } from './flusher.ts'
import { createHeartbeat, type Heartbeat } from './heartbeat.ts'
import { logEvents } from './log.ts'
import { createMembership } from './membership.ts'
import { createPerformer, toListed } from './perform.ts'
import { openPools, type Pools } from './pools.ts'
import { createRecorder } from './recorder.ts'
import { createRevocations } from './revocations.ts'
import { describeTask } from './describe.ts'

export interface WorkerOptions {
  databaseUrl: string
  tasks: TaskTree
  /** Queue -> runs at once; default `{ default: concurrency, high: concurrency }`. */
  queues?: Readonly<Record<string, number>>
  /** Default 10. */
  concurrency?: number
  /** Runs to hold ahead of free slots, instead of the 10 ms that are measured. */
  prefetch?: number
  /** For transactional tasks: the handle whose kind of transaction `context.tx` is; default a postgres.js sql. */
  db?: DatabaseHandle
  /** Shown as the worker of a run; default host-pid-random. */
  name?: string
  logger?: Logger
  prepare?: boolean
  /** How long results are kept when neither task nor call says; default 30 days. */
  retention?: Duration
}

export interface Worker {
  readonly name: string
  readonly events: RunEvents
  /** Resolves when runs are being claimed. Throws StoreError: RB_DB_UNREACHABLE, RB_SCHEMA_BEHIND, RB_QUEUE_UNKNOWN_VERSION. */
  start(): Promise<void>
  /** Drains for at most `grace` (default 25 s), then asks runs to stop and hands back the rest. A second call may shorten the grace. */
  stop(options?: { grace?: Duration }): Promise<void>
  /** Runs in progress. */
  readonly running: number
}

/** How long a run that was asked to stop may still take before it is handed back. */
const LAST_WORDS_MS = 500
/** After the grace: for the last outcomes to be stored, and what did not end to be handed back. */
const LEAVE_MS = 3000

export function createWorker(options: WorkerOptions): Worker {
  const { prepare = true } = options
  const keep = durationMs(options.retention ?? '30 days', 'retention') / 1000
  const cleanup = createCleanupTask(options.databaseUrl, prepare, keep)
  const registry = createRegistry([options.tasks, cleanup])
  const queues = queuesOf(options, registry.size - 1)
  const name = options.name ?? makeName()
  const events = createEvents()
  if (options.logger) logEvents(events, options.logger)

  const pools = openPoolsFor(options, registry, queues, events)
  const { pool, db } = pools
  const flusher = createFlusher(db, name, events, () => dispatcher?.wake())
  const recorder = createRecorder(db, events)
  const performer = createPerformer({
    worker: name,
    registry,
    db: pools.tasks,
    keep,
    events,
    recorder,
    flusher,
    announce: (run) => heart!.announce(run),
    unannounce: (run) => heart!.forget(run),
    listSoon: () => heart!.push(),
    isOurs: (poolId) => state.phase === 'running' && lanes.some((lane) => lane.pools().includes(poolId)),
    revocationOf: (job) => revocations.of(job),
  })
  const { active } = performer
  const state = {
    phase: 'new' as 'new' | 'running' | 'stopping' | 'stopped',
    /** Until when a stopping worker lets runs end; a second stop() may bring it nearer. */
    deadline: Infinity,
  }
  let lanes: Lane[] = []
  let heart: Heartbeat | null = null
  let dispatcher: Dispatcher | null = null
  let listener: Listener | null = null
  let started: Promise<void> | null = null
  let stopped: Promise<void> | null = null

  const membership = createMembership({
    db,
    name,
    queues,
    registry,
    events,
    phase: () => state.phase,
    pools: () => lanes.flatMap((lane) => lane.pools()),
    onDeath(why) {
      for (const running of active.values()) running.abort(why)
      for (const lane of lanes) lane.renew()
    },
    onReturn: () => heart?.rename(membership.id),
  })
  const revocations = createRevocations(db, events, () => {
    performer.heedRevocations()
    const dropped = lanes.flatMap((lane) => lane.drop((job) => revocations.of(job) !== undefined))
    for (const { job, pool: poolId } of dropped) performer.refuse(job, poolId)
  })

  const start = async (): Promise<void> => {
    try {
      await requireMigrated(options.databaseUrl, 'worker', prepare)
      await checkQueue(db)
      await pools.prepare()
      await registerQueues(db, Object.keys(queues))
      await registerTasks(db, [...registry.values()].map(describeTask))
      await makeIdentifiers(
        db,
        Object.keys(queues).flatMap((queue) => [...registry.keys()].map((task) => `${queue}:${task}`)),
      )
      await membership.enter()
    } catch (error) {
      state.phase = 'stopped'
      await pools.end()
      throw explainDatabaseError(error, options.databaseUrl)
    }
    state.phase = 'running'
    await revocations.look()
    heart = createHeartbeat({
      url: options.databaseUrl,
      id: membership.id,
      running: performer.listed,
      isStopping: () => state.phase !== 'running',
      events,
      onDead: () => void membership.declareDead(),
      onRevoked: revocations.beat,
    })
    lanes = Object.entries(queues).map(([queue, slots]) =>
      createLane({
        queue,
        tasks: [...registry.keys()],
        concurrency: slots,
        prefetch: options.prefetch ?? null,
        prepare,
        pool,
        db,
        events,
        run: performer.run,
        pressure: () => flusher.room(),
        unflushed: () => flusher.jobs(),
        staleMs: () => heart!.staleMs(),
        admit: membership.admit,
      }),
    )
    const wake = (queue: string | null): void => {
      for (const lane of lanes) if (queue === null || lane.queue === queue) lane.nudge()
    }
    dispatcher = startDispatcher({
      db,
      onReleased: wake,
      onProblem: (error) => events.emit('worker:trouble', { what: 'the dispatcher', error }),
      chores: choresOf({
        db,
        databaseUrl: options.databaseUrl,
        prepare,
        events,
        lanes,
        keep,
        steadyMs: () => heart!.steadyMs(),
      }),
    })
    listener = listen(pool, {
      channels: ['rowbeat_queue', 'rowbeat_parked', 'rowbeat_control'],
      onNotify(channel, payload) {
        if (channel === 'rowbeat_queue') wake(payload)
        else if (channel === 'rowbeat_parked') dispatcher?.wake()
        else void revocations.look()
      },
      onReady() {
        wake(null)
        void revocations.look()
      },
      onProblem: (error) => events.emit('worker:trouble', { what: 'listening', error }),
    })
    heart.push()
    events.emit('worker:started', { name, queues: { ...queues }, tasks: registry.size })
  }

  const shutDown = async (): Promise<void> => {
    // Asked while it starts: what is half made cannot be taken down.
    await started?.catch(() => {})
    if (state.phase === 'stopped') return
    if (state.phase === 'new') {
      state.phase = 'stopped'
      await pools.end()
      return
    }
    state.phase = 'stopping'
    events.emit('worker:stopping', { name, running: active.size })
    for (const lane of lanes) lane.quiet()
    heart!.push()
    const busy = (): number => lanes.reduce((total, lane) => total + lane.running(), 0)
    while (busy() > 0 && monotonicMs() < state.deadline) await sleep(20)
    for (const running of active.values()) running.abort(new Stopping())
    const lastWords = monotonicMs() + LAST_WORDS_MS
    while (busy() > 0 && monotonicMs() < lastWords) await sleep(20)
    performer.endRevoked()
    // A database that does not answer must not keep the process: the rest is swept when its heart has stopped.
    const patience = new AbortController()
    const handedBack = await Promise.race([
      leave(),
      sleep(Math.max(LEAVE_MS, state.deadline - monotonicMs()), patience.signal).then(() => 0),
    ])
    patience.abort()
    state.phase = 'stopped'
    revocations.close()
    await Promise.all([heart!.end(), listener?.close(), pools.end()])
    events.emit('worker:stopped', { name, handedBack })
  }
  /** Stores what is not yet stored and gives back what did not end; answers how many runs that were. */
  const leave = async (): Promise<number> => {
    try {
      await Promise.all([flusher.drained(), dispatcher!.stop()])
      await recorder.flush()
      return await giveBack([...active.values()])
    } catch (error) {
      events.emit('worker:trouble', { what: 'handing back runs', error })
      return 0
    }
  }
  const giveBack = async (left: Active[]): Promise<number> => {
    const count = await handBack(
      db,
      lanes.flatMap((lane) => lane.pools()),
    )
    if (left.length > 0)
      await recordHandedBack(
        db,
        name,
        left.map(({ job, startedMs }) => toListed(job, startedMs)),
      )
    await removeWorker(db, membership.id)
    return count
  }

  return {
    name,
    events,
    async start() {
      if (started || stopped)
        throw new ConfigError('this worker was started already: make another with createWorker.')
      await (started = start())
    },
    stop({ grace = '25s' }: { grace?: Duration } = {}) {
      state.deadline = Math.min(state.deadline, monotonicMs() + durationMs(grace, 'grace'))
      return (stopped ??= shutDown())
    },
    get running() {
      return lanes.reduce((total, lane) => total + lane.running(), 0)
    },
  }
}

function queuesOf(
  { queues, concurrency = 10 }: WorkerOptions,
  tasks: number,
): Readonly<Record<string, number>> {
  const served = queues ?? { default: concurrency, high: concurrency }
  checkOptions(served, tasks)
  return served
}

function makeName(): string {
  return `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`
}

function checkOptions(queues: Readonly<Record<string, number>>, tasks: number): void {
  if (tasks === 0)
    throw new ConfigError(
      'this worker knows no task: pass tasks, or point ROWBEAT_TASKS at the modules that export them.',
    )
  for (const [queue, slots] of Object.entries(queues)) {
    if (!QUEUE_NAME.test(queue)) throw new ConfigError(`queue "${queue}" must match ${QUEUE_NAME.source}.`)
    if (!Number.isInteger(slots) || slots < 1)
      throw new ConfigError(`queue "${queue}": its concurrency must be a whole number of at least 1.`)
  }
}

function openPoolsFor(
  options: WorkerOptions,
  registry: Registry,
  queues: Readonly<Record<string, number>>,
  events: RunEvents,
): Pools {
  const transactional = [...registry.values()].some((task) => task.options.transactional)
  return openPools({
    databaseUrl: options.databaseUrl,
    prepare: options.prepare ?? true,
    lanes: Object.keys(queues).length,
    transactional,
    db: options.db,
    onError: (error) => events.emit('worker:trouble', { what: 'an idle connection', error }),
  })
}
