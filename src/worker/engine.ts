/**
 * A lane: one queue's runner, with graphile-worker behind it and behind this file only. The lane supervises its runner:
 * whatever ends it (a fatal error, a runner that resolved by itself, a claim loop that has not moved), its pool's rows
 * are handed back and a new one starts, with backoff. graphile-worker itself is told little: our facade claims when
 * there is room, our finish statement completes, its logger is silent below a warning.
 */
import { EventEmitter } from 'node:events'
import type { WorkerEvents, WorkerPool } from 'graphile-worker'
import type pg from 'pg'
import { monotonicMs, sleep } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { QUEUE_SCHEMA } from '../db/statements/jobs.ts'
import { handBack, handBackJobs, keepOwned, reclaimUnreceived } from '../db/statements/recovery.ts'
import { createDoorbell } from './doorbell.ts'
import type { RunEvents } from './events.ts'
import { createFacade } from './facade.ts'
import type { ClaimedJob } from './job.ts'
import { createPace } from './pace.ts'

const POLL_MS = 500
/** Claimed runs that no slot took in so long go back to the queue, uncounted. */
const HOLD_MS = 500
/** A claim loop that asked for nothing for so long, with slots free, is stuck. */
const STUCK_MS = 30_000
const STALE_MS = 5_000
/** After a claim whose answer was lost: until its rows are old enough to be told from those of a claim under way. */
const DOUBT_MS = 10_000

export interface LaneOptions {
  queue: string
  tasks: readonly string[]
  concurrency: number
  prefetch: number | null
  prepare: boolean
  pool: pg.Pool
  db: Queryable
  events: RunEvents
  /** Runs one claimed job to the end; never throws. */
  run(job: ClaimedJob, pool: string): void | Promise<void>
  /** null: go on; else wait: too many outcomes are not yet durable. */
  pressure(): Promise<void> | null
  /** Jobs whose outcome is on its way to the store: ended, and still ours. */
  unflushed(): readonly string[]
  /** Milliseconds since the last confirmed heartbeat. */
  staleMs(): number
  /** Makes the lane's pools durable in the registry: before that nothing is claimed, or a crash would leave rows nobody sweeps. */
  admit(): Promise<void>
}

export interface Dropped {
  readonly job: ClaimedJob
  readonly pool: string
}

export interface Lane {
  readonly queue: string
  /** Every pool this lane has claimed under; runs of an earlier one may still be running. */
  pools(): readonly string[]
  running(): number
  /** New work may be there. */
  nudge(): void
  /** Once in a while: claims that never reached us, and a loop that stands still. */
  check(): Promise<void>
  /** Gives up runs that are held and have not started, those that `picks` picks; they will not start here. */
  drop(picks: (job: ClaimedJob) => boolean): Dropped[]
  /** Throws away what is held and starts under a new pool id: this worker was declared dead. */
  renew(): void
  /** Claims nothing any more; what has not started goes back, runs in progress go on. */
  quiet(): void
}

export function createLane(options: LaneOptions): Lane {
  const { queue, concurrency, events, db } = options
  const pace = createPace(concurrency, options.prefetch)
  const held = new Map<string, ClaimedJob>()
  const known = new Set<string>()
  let pool: WorkerPool | null = null
  let busy = 0
  let quieted = false
  let movedAt = monotonicMs()
  let roomWaiters: (() => void)[] = []
  let doubtUntil = 0
  let admitted: Promise<void> | null = null
  const pools: string[] = []
  let checkingOwned: Promise<void> | null = null
  let replace = (): void => {}

  const nudge = (): void => void pool?.nudge(1)
  const doorbell = createDoorbell(db, queue, nudge, events)
  const openRoom = (): void => {
    const ready = roomWaiters
    roomWaiters = []
    for (const go of ready) go()
  }
  const hooks = {
    async room(poolId: string): Promise<number> {
      await admitted
      for (;;) {
        movedAt = monotonicMs()
        if (quieted || !pools.includes(poolId)) return 0
        const pressed = options.pressure()
        if (pressed) {
          await pressed
          continue
        }
        const free = concurrency - busy - held.size
        if (free > 0) return pace.size(free)
        await new Promise<void>((go) => roomWaiters.push(go))
      }
    },
    claimed(jobs: readonly ClaimedJob[]): void {
      movedAt = monotonicMs()
      for (const job of jobs) {
        held.set(job.id, job)
        known.add(job.id)
      }
      doorbell.claimed(jobs.length)
    },
    ahead: () => (quieted || options.prefetch !== null || options.pressure() ? 0 : pace.ahead()),
    unwanted(jobs: readonly ClaimedJob[]): void {
      const ids = jobs.map((job) => job.id).filter((id) => held.delete(id))
      for (const id of ids) known.delete(id)
      // What cannot be handed back now is taken back as never received, at the next check.
      if (ids.length > 0) handBackJobs(db, pools, ids).catch(hooks.claimFailed)
    },
    claimFailed(): void {
      doubtUntil = monotonicMs() + DOUBT_MS
    },
    returned(ids: readonly string[]): void {
      for (const id of ids) {
        held.delete(id)
        known.delete(id)
      }
    },
  }
  /** After a pause of ours (SIGSTOP, a blocked loop) others may own what we hold: ask before starting any of it. */
  const confirmOwned = async (poolId: string): Promise<void> => {
    checkingOwned ??= (async () => {
      const ids = [...held.keys()]
      const owned = await keepOwned(db, poolId, ids).catch(() => new Set(ids))
      for (const id of ids) if (!owned.has(id)) held.delete(id)
    })().finally(() => {
      checkingOwned = null
    })
    await checkingOwned
  }
  const ended = (job: ClaimedJob, started: number): void => {
    busy--
    known.delete(job.id)
    pace.took(monotonicMs() - started)
    if (roomWaiters.length > 0) openRoom()
  }
  const begin = (job: ClaimedJob, poolId: string): void | Promise<void> => {
    // Handed back, returned or given away in the meantime: somebody else's now.
    if (!held.delete(job.id)) return void known.delete(job.id)
    busy++
    const started = monotonicMs()
    const running = options.run(job, poolId)
    if (running) return running.finally(() => ended(job, started))
    ended(job, started)
  }
  const handle = (job: ClaimedJob, poolId: string): void | Promise<void> => {
    if (options.staleMs() <= STALE_MS) return begin(job, poolId)
    return confirmOwned(poolId).then(() => begin(job, poolId))
  }
  /** In a box, because a WorkerPool is itself a thenable: awaiting it would wait for its end. */
  const start = async (): Promise<{ started: WorkerPool }> => {
    const { runTaskList, Logger } = await import('graphile-worker')
    const box: { id: string } = { id: '' }
    const list = Object.fromEntries(
      options.tasks.map((task) => [
        `${queue}:${task}`,
        (_: unknown, helpers: { job: unknown }) => handle(helpers.job as ClaimedJob, box.id),
      ]),
    )
    const started = runTaskList(
      {
        schema: QUEUE_SCHEMA,
        concurrency,
        pollInterval: POLL_MS,
        noHandleSignals: true,
        noPreparedStatements: !options.prepare,
        logger: new Logger(() => (level, message, meta) => {
          if (level === 'error')
            events.emit('worker:trouble', { what: `queue ${queue}: ${message}`, error: meta?.error ?? null })
        }),
        events: new EventEmitter() as unknown as WorkerEvents,
        preset: { worker: { localQueue: { size: 1, ttl: HOLD_MS } } },
      },
      list,
      createFacade(options.pool, { ...hooks, room: () => hooks.room(box.id) }),
    )
    box.id = started.id
    pools.push(started.id)
    admitted = options.admit()
    movedAt = monotonicMs()
    return { started }
  }
  /** Runs runners one after another until quieted; a runner that ends by itself is replaced. */
  const supervise = async (): Promise<void> => {
    for (let failures = 0; !quieted; failures++) {
      let error: unknown = null
      let id = ''
      const began = monotonicMs()
      try {
        const { started } = await start()
        pool = started
        id = started.id
        if (quieted) shutDown(started)
        const replaced = new Promise<void>((go) => (replace = go))
        await Promise.race([started.promise, replaced])
      } catch (reason) {
        error = reason
      }
      for (const id of held.keys()) known.delete(id)
      held.clear()
      if (quieted) break
      events.emit('lane:restarted', { queue, error })
      // When that fails, check() finds them.
      if (id) await handBack(db, [id], [...known, ...options.unflushed()]).catch(() => {})
      if (monotonicMs() - began > 30_000) failures = 0
      await sleep(Math.min(5000, 100 * 2 ** Math.min(failures, 6)) * (0.5 + Math.random()))
    }
  }
  /** It waits for running handlers; only its first act, no more claims, matters here. */
  const shutDown = (ending: WorkerPool): void => {
    if (!ending._shuttingDown) void Promise.resolve(ending.gracefulShutdown()).catch(() => {})
  }
  void supervise()
  const endRunner = (): void => {
    openRoom()
    if (!pool || pool._shuttingDown) return
    shutDown(pool)
    replace()
  }

  return {
    queue,
    pools: () => pools,
    running: () => busy,
    nudge,
    async check() {
      if (!pool || quieted) return
      if (monotonicMs() < doubtUntil || Math.random() < 0.1) {
        const runs = await reclaimUnreceived(db, pools, [...known, ...options.unflushed()])
        if (runs > 0) {
          events.emit('worker:reclaimed', { runs })
          nudge()
        }
      }
      if (busy + held.size < concurrency && monotonicMs() - movedAt > STUCK_MS) endRunner()
    },
    drop(picks) {
      // What graphile has not asked for yet has no name yet; it is looked at again when it is about to start.
      const picked = [...held.values()].filter((job) => job.task_identifier && picks(job))
      for (const job of picked) held.delete(job.id)
      return picked.map((job) => ({ job, pool: pools.at(-1)! }))
    },
    renew() {
      held.clear()
      known.clear()
      pools.length = 0
      endRunner()
    },
    quiet() {
      quieted = true
      doorbell.stop()
      openRoom()
      if (pool) shutDown(pool)
    },
  }
}
