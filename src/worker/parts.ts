/**
 * The parts of a worker and how they know each other. What begins and ends with its life (heart, dispatcher) they reach
 * through `life`, for a part may be asked before it is there and after it is gone.
 */
import type { Dispatcher } from '../dispatcher/dispatcher.ts'
import { createCleanupTask } from '../dispatcher/cleanup.ts'
import type { Queryable } from '../db/handle.ts'
import { durationMs, type Duration } from '../duration.ts'
import { ConfigError } from '../errors.ts'
import { createHttpTask } from '../outbound/http-task.ts'
import { readPolicy } from '../outbound/policy.ts'
import { createRegistry, type Registry } from '../tasks/registry.ts'
import type { Task } from '../tasks/task.ts'
import { createWebhookTask } from '../webhooks/deliver.ts'
import { createLane } from './engine.ts'
import { createEvents, type RunEvents } from './events.ts'
import { createFlusher, type Flusher } from './flusher.ts'
import type { Heartbeat } from './heartbeat.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { logEvents } from './log.ts'
import { createMembership, type Membership } from './membership.ts'
import { limitsGiven, readOptions, type Given, type WorkerOptions } from './options.ts'
import { createPerformer, type Performer } from './perform.ts'
import { openPools, type Pools } from './pools.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { createRevocations, type Revocations } from './revocations.ts'
import { createStanding, type Standing } from './standing.ts'
import { createTally } from './tally.ts'

export interface Life {
  phase: 'new' | 'running' | 'stopping' | 'stopped'
  heart: Heartbeat | null
  dispatcher: Dispatcher | null
  stop(options: { grace?: Duration }): Promise<void>
}

export interface Parts {
  readonly given: Given
  readonly registry: Registry
  readonly events: RunEvents
  readonly pools: Pools
  readonly flusher: Flusher
  readonly recorder: Recorder
  readonly performer: Performer
  readonly membership: Membership
  readonly lanes: Lanes
  readonly standing: Standing
  readonly revocations: Revocations
}

const NO_TASK =
  'this worker knows no task: pass tasks, or point ROWBEAT_TASKS at the modules that export them.'

export function assemble(options: WorkerOptions, life: Life): Parts {
  const given = readOptions(options)
  const { name, base, keep } = given
  const own = ownTasks(options, keep, () => pools.db)
  const registry = createRegistry([options.tasks, own])
  if (registry.size === own.length) throw new ConfigError(NO_TASK)
  const events = createEvents()
  if (options.logger) logEvents(events, options.logger)
  const tally = createTally({ events, maxRuns: given.maxRuns, maxMemory: given.maxMemory })
  const pools = openPoolsFor(options, registry, base.queues, events)
  const { db } = pools
  const heart = (): Heartbeat => life.heart!
  const flusher = createFlusher(db, name, events, () => life.dispatcher?.wake())
  const recorder = createRecorder(db, events)
  const performer = createPerformer({
    worker: name,
    registry,
    middleware: options.middleware,
    db: pools.tasks,
    keep,
    limits: {
      hardMs: durationMs(options.timeLimit ?? 0, 'timeLimit'),
      softMs: durationMs(options.softTimeLimit ?? 0, 'softTimeLimit'),
    },
    overrideOf: (task) => standing.overrideOf(task),
    threads: options.threads,
    events,
    recorder,
    flusher,
    announce: (run) => heart().announce(run),
    unannounce: (run) => heart().forget(run),
    listSoon: () => heart().push(),
    isOurs: (poolId) => life.phase === 'running' && lanes.pools().includes(poolId),
    revocationOf: (job) => revocations.of(job),
  })
  const membership = createMembership({
    db,
    name,
    queues: () => standing.queues(),
    limits: limitsGiven(options, given),
    registry,
    events,
    phase: () => life.phase,
    pools: () => lanes.pools(),
    onDeath(why) {
      for (const running of performer.active.values()) running.abort(why)
      lanes.renew()
    },
    onReturn: () => life.heart?.rename(membership.id),
  })
  const owned = { given, registry, events, pools, flusher, performer, membership }
  const lanes = openLanes(options, owned, heart)
  const { stop } = life
  const standing = createStanding({ ...owned, options, db, lanes, tally, heart, stop })
  const revocations = createRevocations(db, events, () => {
    performer.heedRevocations()
    const dropped = lanes.drop((job) => revocations.of(job) !== undefined)
    for (const { job, pool } of dropped) performer.refuse(job, pool)
  })
  return { ...owned, recorder, lanes, standing, revocations }
}

/** What every worker brings along. */
function ownTasks(options: WorkerOptions, keep: number, db: () => Queryable): Task[] {
  const policy = readPolicy(options.outbound)
  return [
    createCleanupTask(options.databaseUrl, options.prepare ?? true, keep),
    createWebhookTask({ db, policy }),
    ...(options.httpTask === false ? [] : [createHttpTask(policy)]),
  ]
}

type Owned = Omit<Parts, 'recorder' | 'lanes' | 'standing' | 'revocations'>

function openLanes(
  options: WorkerOptions,
  { given, registry, events, pools, flusher, performer, membership }: Owned,
  heart: () => Heartbeat,
): Lanes {
  const { db, pool } = pools
  const shared = {
    db,
    tasks: [...registry.keys()],
    events,
    unflushed: () => flusher.jobs(),
    admit: membership.admit,
  }
  return createLanes({
    ...shared,
    known: Object.keys(given.base.queues),
    keepAliveMs: given.keepAliveMs,
    open: (queue, slots, capacity) =>
      createLane({
        ...shared,
        queue,
        slots,
        capacity,
        prefetch: options.prefetch ?? null,
        prepare: options.prepare ?? true,
        pool,
        run: performer.run,
        pressure: () => flusher.room(),
        staleMs: () => heart().staleMs(),
      }),
    onChange: () => heart().push(),
  })
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
