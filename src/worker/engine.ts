/**
 * A lane: one queue's runner, with graphile-worker behind it and behind this file only. The lane supervises its runner:
 * whatever ends it (a fatal error, a runner that resolved by itself, a claim loop that has not moved), its pool's rows
 * are handed back and a new one starts, with backoff. graphile-worker itself is told little: our facade claims when
 * there is room, our finish statement completes, its logger is silent below a warning.
 *
 * A runner's concurrency is fixed when it starts, a lane's is not: a runner starts with as much as the lane may need, and
 * `slots` says how many runs there may be at the moment. Only to grow beyond the runner is another one started; the runs of
 * the old one go on under its pool, which stays in the registry until they have ended.
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
import { createTransit } from './transit.ts'
import { createTurns } from './turns.ts'

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
  /** Runs at once, to begin with. */
  slots: number
  /** What `slots` may grow to without another runner. */
  capacity: number
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
  /** Every pool this lane has runs under; those of an earlier runner may still be running. */
  pools(): readonly string[]
  running(): number
  /** Runs at once, and how many it has: running, and claimed for the slots. */
  load(): { readonly slots: number; readonly need: number }
  /** Claimed runs that have not started. */
  held(): readonly ClaimedJob[]
  /** New work may be there. */
  nudge(): void
  /** Once in a while: claims that never reached us, and a loop that stands still. */
  check(): Promise<void>
  /** Gives up runs that are held and have not started, those that `picks` picks; they will not start here. */
  drop(picks: (job: ClaimedJob) => boolean): Dropped[]
  /** Throws away what is held and starts under a new pool id: this worker was declared dead. */
  renew(): void
  /** So many runs at once; above `capacity` another runner takes over. */
  resize(slots: number, capacity: number): void
  /** While held it claims nothing; what has not started goes back at once, runs in progress go on. */
  hold(holds: boolean): void
  /** Claims nothing any more; what has not started goes back, runs in progress go on. Resolves when its runner has ended. */
  quiet(): Promise<void>
  /** Resolves when no claim is on its way to the store, and nothing on its way back: from then on rows tell what it has. */
  settled(): Promise<void>
}

/** A runner's identity in the store, and how many runs it has. In a box, for its id is known only when it has started. */
interface Pool {
  id: string
  busy: number
  /** When another one took over. */
  retiredAt: number
}

export function createLane(options: LaneOptions): Lane {
  const { queue, events, db } = options
  let { slots, capacity } = options
  const pace = createPace(slots, options.prefetch)
  const held = new Map<string, ClaimedJob>()
  const known = new Set<string>()
  let runner: WorkerPool | null = null
  let busy = 0
  let quieted = false
  let holding = false
  let movedAt = monotonicMs()
  let roomWaiters: (() => void)[] = []
  let admitted: Promise<void> | null = null
  let pools: Pool[] = []
  /** The runner that may claim, and its concurrency. */
  let current: Pool | null = null
  let taken = 0
  let isGrowing = false
  let checkingOwned: Promise<void> | null = null
  let replace = (): void => {}
  const transit = createTransit(DOUBT_MS)
  const nudge = (): void => void runner?.nudge(1)
  const doorbell = createDoorbell(db, queue, nudge, events)
  const openRoom = (): void => {
    const ready = roomWaiters
    roomWaiters = []
    for (const go of ready) go()
  }
  const poolIds = (): string[] => pools.map(({ id }) => id)
  /** What cannot be handed back now is taken back as never received, at the next check. */
  const giveBack = (ids: readonly string[]): void => {
    for (const id of ids) {
      held.delete(id)
      known.delete(id)
    }
    if (ids.length > 0) transit.follow(handBackJobs(db, poolIds(), ids))
  }
  const turns = createTurns(HOLD_MS, (jobs) => giveBack(jobs.map(({ id }) => id)))
  const hooks = {
    async room(pool: Pool): Promise<number> {
      await admitted
      for (;;) {
        movedAt = monotonicMs()
        if (quieted || pool !== current) return 0
        const pressed = options.pressure()
        if (pressed) {
          await pressed
          continue
        }
        const free = slots - busy - held.size
        if (free > 0 && !holding) return transit.ask(pace.size(free))
        await new Promise<void>((go) => roomWaiters.push(go))
      }
    },
    claimed(jobs: readonly ClaimedJob[]): void {
      transit.answered()
      movedAt = monotonicMs()
      // Claimed before it was told to hold or to end, answered after: graphile is given them, and none starts.
      if (holding || quieted) return giveBack(jobs.map(({ id }) => id))
      for (const job of jobs) {
        held.set(job.id, job)
        known.add(job.id)
      }
      doorbell.claimed(jobs.length)
    },
    ahead: () => transit.ask(quieted || holding || options.pressure() ? 0 : pace.ahead()),
    unwanted: (jobs: readonly ClaimedJob[]): void =>
      giveBack(jobs.map(({ id }) => id).filter((id) => held.has(id))),
    claimFailed: transit.failed,
    returned(ids: readonly string[]): readonly string[] {
      const ours = ids.filter((id) => held.delete(id))
      for (const id of ids) known.delete(id)
      return ours
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
  const ended = (job: ClaimedJob, pool: Pool, started: number): void => {
    busy--
    pool.busy--
    known.delete(job.id)
    pace.took(monotonicMs() - started)
    if (turns.waiting > 0 && busy < slots) turns.next(slots - busy)
    if (roomWaiters.length > 0) openRoom()
  }
  const run = (job: ClaimedJob, pool: Pool): void | Promise<void> => {
    // Handed back, returned or given away in the meantime: somebody else's now, or about to be.
    if (quieted || !held.delete(job.id)) return void known.delete(job.id)
    busy++
    pool.busy++
    const started = monotonicMs()
    const running = options.run(job, pool.id)
    if (running) return running.finally(() => ended(job, pool, started))
    ended(job, pool, started)
  }
  const begin = (job: ClaimedJob, pool: Pool): void | Promise<void> =>
    busy < slots || !held.has(job.id) ? run(job, pool) : turns.wait(job, () => run(job, pool))
  const handle = (job: ClaimedJob, pool: Pool): void | Promise<void> => {
    if (options.staleMs() <= STALE_MS) return begin(job, pool)
    return confirmOwned(pool.id).then(() => begin(job, pool))
  }
  /** In a box, because a WorkerPool is itself a thenable: awaiting it would wait for its end. */
  const start = async (): Promise<{ started: WorkerPool }> => {
    const { runTaskList, Logger } = await import('graphile-worker')
    const pool: Pool = { id: '', busy: 0, retiredAt: Infinity }
    const list = Object.fromEntries(
      options.tasks.map((task) => [
        `${queue}:${task}`,
        (_: unknown, helpers: { job: unknown }) => handle(helpers.job as ClaimedJob, pool),
      ]),
    )
    taken = capacity
    const started = runTaskList(
      {
        schema: QUEUE_SCHEMA,
        concurrency: capacity,
        pollInterval: POLL_MS,
        noHandleSignals: true,
        noPreparedStatements: !options.prepare,
        logger: new Logger(() => (level, message, meta) => {
          // A runner that is told to end may still ask once, of a pool that has ended: nobody's trouble.
          if (level === 'error' && !quieted)
            events.emit('worker:trouble', { what: `queue ${queue}: ${message}`, error: meta?.error ?? null })
        }),
        events: new EventEmitter() as unknown as WorkerEvents,
        preset: { worker: { localQueue: { size: 1, ttl: HOLD_MS } } },
      },
      list,
      createFacade(options.pool, { ...hooks, room: () => hooks.room(pool) }),
    )
    pool.id = started.id
    if (current) current.retiredAt = monotonicMs()
    pools.push(pool)
    current = pool
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
        runner = started
        id = started.id
        const replaced = new Promise<void>((go) => (replace = go))
        if (quieted) shutDown(started)
        await Promise.race([started.promise, replaced])
      } catch (reason) {
        error = reason
      }
      turns.clear()
      for (const id of held.keys()) known.delete(id)
      held.clear()
      if (quieted) break
      if (!isGrowing) events.emit('lane:restarted', { queue, error })
      // When that fails, check() finds them.
      if (id) await handBack(db, [id], [...known, ...options.unflushed()]).catch(() => {})
      if (monotonicMs() - began > 30_000 || isGrowing) failures = 0
      if (!isGrowing) await sleep(Math.min(5000, 100 * 2 ** Math.min(failures, 6)) * (0.5 + Math.random()))
      isGrowing = false
    }
  }
  /** It waits for running handlers; only its first act, no more claims, matters here. */
  const shutDown = (ending: WorkerPool): void => {
    if (!ending._shuttingDown) void Promise.resolve(ending.gracefulShutdown()).catch(() => {})
  }
  const endRunner = (): void => {
    if (current) current.retiredAt = monotonicMs()
    current = null
    openRoom()
    if (!runner || runner._shuttingDown) return
    shutDown(runner)
    replace()
  }
  const grow = (): void => {
    if (quieted || !current || !runner || runner.id !== current.id) return
    isGrowing = true
    endRunner()
  }
  /** Forgets pools of earlier runners that have no run any more; a claim under way and an outcome may be of any pool. */
  const retire = async (): Promise<void> => {
    const before = monotonicMs() - DOUBT_MS
    const over = pools.filter((pool) => pool !== current && pool.busy === 0 && pool.retiredAt < before)
    if (over.length === 0 || options.unflushed().length > 0) return
    await handBack(
      db,
      over.map(({ id }) => id),
    )
    pools = pools.filter((pool) => !over.includes(pool))
    void options.admit()
  }
  const over = supervise()

  return {
    queue,
    pools: poolIds,
    running: () => busy,
    load: () => ({ slots, need: busy + held.size }),
    held: () => [...held.values()],
    nudge,
    async check() {
      if (!runner || quieted) return
      if (capacity > taken) grow()
      if (transit.isInDoubt() || Math.random() < 0.1) {
        const runs = await reclaimUnreceived(db, poolIds(), [...known, ...options.unflushed()])
        if (runs > 0) {
          events.emit('worker:reclaimed', { runs })
          nudge()
        }
      }
      await retire()
      if (!holding && busy + held.size < slots && monotonicMs() - movedAt > STUCK_MS) endRunner()
    },
    drop(picks) {
      // What graphile has not asked for yet has no name yet; it is looked at again when it is about to start.
      const picked = [...held.values()].filter((job) => job.task_identifier && picks(job))
      for (const job of picked) held.delete(job.id)
      return picked.map((job) => ({ job, pool: pools.at(-1)!.id }))
    },
    renew() {
      turns.clear()
      held.clear()
      known.clear()
      pools = []
      endRunner()
    },
    resize(next, most) {
      slots = next
      pace.resize(next)
      capacity = Math.max(next, most)
      if (capacity > taken && taken > 0) grow()
      turns.next(slots - busy)
      openRoom()
    },
    hold(holds) {
      if (holds === holding) return
      holding = holds
      movedAt = monotonicMs()
      if (!holds) return openRoom()
      turns.clear()
      giveBack([...held.keys()])
    },
    quiet() {
      quieted = true
      doorbell.stop()
      openRoom()
      if (runner) shutDown(runner)
      return over
    },
    settled: transit.settled,
  }
}
