/**
 * createWorker: a process's share of the work. It owns a pool of node-postgres connections for runners and outcomes, a
 * heart (a thread that says it is alive), a lane per queue, a dispatcher, and one LISTEN for all of them.
 *
 * Its life: register -> run -> quiet (claim nothing) -> drain (let runs end, then ask them to, within the grace) -> hand
 * back what is left, uncounted -> leave. If another process declares it dead, everything it holds belongs to others:
 * running handlers are told by their signals, what they return is refused by the store, and it goes on with a new identity.
 */
import { monotonicMs } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { listen, type Listener } from '../db/listen.ts'
import { requireMigrated } from '../db/migrate.ts'
import { checkQueue, makeIdentifiers } from '../db/statements/jobs.ts'
import { defineQueues } from '../db/statements/queues.ts'
import { registerQueues, registerTasks } from '../db/statements/workers.ts'
import { startDispatcher } from '../dispatcher/dispatcher.ts'
import { durationMs, type Duration } from '../duration.ts'
import { ConfigError } from '../errors.ts'
import { listQueues } from '../tasks/queue.ts'
import { createRouter } from '../tasks/route.ts'
import { choresOf } from './chores.ts'
import type { RunEvents } from './events.ts'
import { createHeartbeat } from './heartbeat.ts'
import { leave } from './leave.ts'
import type { WorkerOptions } from './options.ts'
import { assemble, type Life } from './parts.ts'
import { describeQueue, describeTask } from './describe.ts'

export type { WorkerOptions } from './options.ts'

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

const RUN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-/

export function createWorker(options: WorkerOptions): Worker {
  const { prepare = true } = options
  const router = options.routes ? createRouter(options.routes) : null
  const definitions = listQueues(options.queueDefinitions)
  const life: Life = {
    phase: 'new',
    heart: null,
    dispatcher: null,
    stop: (how) => stop(how),
  }
  /** Until when a stopping worker lets runs end; a second stop() may bring it nearer. */
  let deadline = Infinity
  let listener: Listener | null = null
  let started: Promise<void> | null = null
  let stopped: Promise<void> | null = null
  const parts = assemble(options, life)
  const { registry, events, pools, lanes, standing, revocations, performer, membership } = parts
  const { name, base, keep } = parts.given
  const { pool, db } = pools

  /** A run's id tells of its revocation and of nothing else. */
  const heed = (payload: string): void => {
    void revocations.look()
    if (!RUN_ID.test(payload)) void standing.look()
  }

  const start = async (): Promise<void> => {
    try {
      await performer.prepare()
      await requireMigrated(options.databaseUrl, 'worker', prepare)
      await checkQueue(db)
      await pools.prepare()
      await registerQueues(db, Object.keys(base.queues))
      await defineQueues(db, definitions.map(describeQueue))
      await registerTasks(
        db,
        [...registry.values()].map((task) => describeTask(task, router?.routeName(task.name))),
      )
      await makeIdentifiers(
        db,
        Object.keys(base.queues).flatMap((queue) => [...registry.keys()].map((task) => `${queue}:${task}`)),
      )
      await membership.enter()
    } catch (error) {
      life.phase = 'stopped'
      await pools.end()
      throw explainDatabaseError(error, options.databaseUrl)
    }
    life.phase = 'running'
    await revocations.look()
    const heart = createHeartbeat({
      url: options.databaseUrl,
      id: membership.id,
      running: performer.listed,
      isStopping: () => life.phase !== 'running',
      facts() {
        const facts = standing.facts()
        return facts && { ...facts, listening: listener?.isHeard?.() ?? null }
      },
      events,
      onDead: () => void membership.declareDead(),
      onRevoked: revocations.beat,
      onDigest: standing.beat,
    })
    life.heart = heart
    await standing.look()
    life.dispatcher = startDispatcher({
      db,
      onReleased: lanes.wake,
      onProblem: (error) => events.emit('worker:trouble', { what: 'the dispatcher', error }),
      chores: choresOf({
        db,
        databaseUrl: options.databaseUrl,
        prepare,
        events,
        lanes,
        keep,
        steadyMs: () => heart.steadyMs(),
      }),
    })
    listener = listen(pool, {
      channels: ['rowbeat_queue', 'rowbeat_parked', 'rowbeat_control'],
      onNotify(channel, payload) {
        if (channel === 'rowbeat_queue') lanes.wake(payload)
        else if (channel === 'rowbeat_parked') life.dispatcher?.wake()
        else heed(payload)
      },
      onReady() {
        lanes.wake(null)
        heed('')
      },
      onProblem: (error) => events.emit('worker:trouble', { what: 'listening', error }),
    })
    heart.push()
    events.emit('worker:started', { name, queues: { ...base.queues }, tasks: registry.size })
  }

  const shutDown = async (): Promise<void> => {
    // Asked while it starts: what is half made cannot be taken down.
    await started?.catch(() => {})
    if (life.phase === 'stopped') return
    if (life.phase === 'new') {
      life.phase = 'stopped'
      await pools.end()
      return
    }
    life.phase = 'stopping'
    events.emit('worker:stopping', { name, running: performer.active.size })
    const handedBack = await leave({
      ...parts,
      db,
      name,
      id: membership.id,
      dispatcher: life.dispatcher!,
      deadline: () => deadline,
      onQuiet: () => life.heart!.push(),
    })
    life.phase = 'stopped'
    revocations.close()
    standing.close()
    await Promise.all([life.heart!.end(), listener?.close(), pools.end()])
    events.emit('worker:stopped', { name, handedBack })
  }
  const stop = ({ grace = '25s' }: { grace?: Duration } = {}): Promise<void> => {
    deadline = Math.min(deadline, monotonicMs() + durationMs(grace, 'grace'))
    return (stopped ??= shutDown())
  }

  return {
    name,
    events,
    async start() {
      if (started || stopped)
        throw new ConfigError('this worker was started already: make another with createWorker.')
      await (started = start())
    },
    stop,
    get running() {
      return lanes.running()
    },
  }
}
