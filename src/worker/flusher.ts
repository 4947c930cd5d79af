/**
 * Outcomes on their way to the store. While a flush is on its way, what ends meanwhile is the next batch (two in
 * flight at most), so a lone run is stored at once and ten thousand a second share a few dozen commits.
 *
 * A run is not finished until its flush committed: a lost connection is tried again for ever. An outcome that
 * Postgres refuses must not fail its batch: the batch is halved until the bad one stands alone, and that one ends as
 * FAILURE. What comes back as "not ours" is looked up before it is called refused, for the answer to an earlier try
 * may simply have been lost.
 */
import { sleep } from '../clock.ts'
import { isTransient, type Queryable } from '../db/handle.ts'
import { finishRuns, finishUnstorable, type Finished, type FinishRow } from '../db/statements/finish.ts'
import { findStored } from '../db/statements/workers.ts'
import type { RunEvents } from './events.ts'

export interface Ended {
  run: string
  task: string
  pool: string
  row: FinishRow
}

export interface Flusher {
  push(ended: Ended): void
  /** Outcomes not yet durable. */
  readonly pending: number
  /** Resolves once fewer than the bound are pending: claims wait for it. */
  room(): Promise<void> | null
  /** The jobs of outcomes not yet durable: still ours, though they no longer run. */
  jobs(): string[]
  /** Resolves when nothing is pending. */
  drained(): Promise<void>
}

export const PENDING_MAX = 2000
const BATCH_MAX = 1000
const FLIGHTS_MAX = 2

/** `onParked`: runs went to wait for another try, perhaps a short one, or made room at a limit. */
export function createFlusher(
  db: Queryable,
  worker: string,
  events: RunEvents,
  onParked: () => void,
): Flusher {
  let queue: Ended[] = []
  let flights = 0
  let flying = 0
  const batches = new Set<readonly Ended[]>()
  let armed = false
  let waiters: { below: number; go: () => void }[] = []

  const pending = (): number => queue.length + flying
  const wake = (): void => {
    const ready = waiters.filter((waiter) => pending() <= waiter.below)
    if (ready.length === 0) return
    waiters = waiters.filter((waiter) => !ready.includes(waiter))
    for (const waiter of ready) waiter.go()
  }
  const fly = (): void => {
    armed = false
    while (queue.length > 0 && flights < FLIGHTS_MAX) {
      const batch = queue.splice(0, BATCH_MAX)
      flights++
      flying += batch.length
      batches.add(batch)
      void flush(db, worker, batch, events, false).finally(() => {
        flights--
        flying -= batch.length
        batches.delete(batch)
        if (batch.some(({ row }) => row.state === 'PARK' || row.gated)) onParked()
        wake()
        arm()
      })
    }
  }
  const arm = (): void => {
    if (armed || queue.length === 0 || flights >= FLIGHTS_MAX) return
    armed = true
    setImmediate(fly)
  }
  const wait = (below: number): Promise<void> => new Promise((go) => waiters.push({ below, go }))

  return {
    push(ended) {
      queue.push(ended)
      arm()
    },
    get pending() {
      return pending()
    },
    room: () => (pending() < PENDING_MAX ? null : wait(PENDING_MAX / 2)),
    jobs: () => [...batches, queue].flatMap((batch) => batch.map(({ row }) => row.job)),
    drained: async () => {
      if (pending() > 0) await wait(0)
    },
  }
}

async function flush(
  db: Queryable,
  worker: string,
  batch: Ended[],
  events: RunEvents,
  again: boolean,
): Promise<void> {
  const pools = [...new Set(batch.map((ended) => ended.pool))]
  for (let tries = 0; ; tries++) {
    try {
      const finished = await finishRuns(
        db,
        worker,
        pools,
        batch.map((ended) => ended.row),
      )
      await settle(db, worker, batch, finished, events, again || tries > 0)
      return
    } catch (error) {
      if (!isTransient(error)) return await split(db, worker, batch, events, error)
      events.emit('worker:trouble', { what: 'storing outcomes', error })
      await sleep(Math.min(2000, 50 * 2 ** Math.min(tries, 6)) * (0.5 + Math.random()))
    }
  }
}

async function split(
  db: Queryable,
  worker: string,
  batch: Ended[],
  events: RunEvents,
  error: unknown,
): Promise<void> {
  if (batch.length > 1) {
    const half = batch.length >> 1
    await flush(db, worker, batch.slice(0, half), events, true)
    await flush(db, worker, batch.slice(half), events, true)
    return
  }
  const [ended] = batch as [Ended]
  for (let tries = 0; ; tries++) {
    try {
      await finishUnstorable(
        db,
        worker,
        ended.pool,
        ended.row,
        String((error as Error).message).slice(0, 2000),
      )
      events.emit('run:unstorable', { run: ended.run, task: ended.task, error })
      return
    } catch (reason) {
      if (!isTransient(reason)) {
        events.emit('worker:trouble', { what: `ending run ${ended.run}`, error: reason })
        return
      }
      await sleep(Math.min(2000, 50 * 2 ** Math.min(tries, 6)))
    }
  }
}

/** Tells each run's end. After a doubtful try, what is not ours may have been stored by it. */
async function settle(
  db: Queryable,
  worker: string,
  batch: Ended[],
  finished: Finished,
  events: RunEvents,
  doubtful: boolean,
): Promise<void> {
  const { revoked } = finished
  if (finished.ours.length === batch.length) return tell(batch, revoked, events)
  const ours = new Set(finished.ours)
  const missing = batch.filter((ended) => !ours.has(ended.row.job))
  const stored = doubtful
    ? await findStored(
        db,
        worker,
        missing.map((ended) => ended.run),
      )
    : new Set<string>()
  tell(
    batch.filter((ended) => ours.has(ended.row.job) || stored.has(ended.run)),
    revoked,
    events,
  )
  for (const ended of missing)
    if (!stored.has(ended.run)) events.emit('run:refused', { run: ended.run, task: ended.task })
}

function tell(batch: Ended[], revoked: readonly string[], events: RunEvents): void {
  if (events.listenerCount('run:finished') === 0) return
  for (const { run, task, row } of batch) {
    const { state, reason = null, error = null } = row
    const isRevoked = state === 'PARK' && revoked.includes(row.job)
    events.emit('run:finished', {
      run,
      task,
      state: isRevoked ? 'REVOKED' : state,
      reason: isRevoked ? 'revoked' : reason,
      error,
    })
  }
}
