/**
 * A beat fires schedules. There may be any number of them and there is no leader: each looks at the table, decides from
 * the database's clock, and hands its decisions to one statement that takes the rows that are still as they were, so
 * an instant fires once whoever comes first. A beat that is killed, frozen or cut off holds no lock, and the others go on.
 *
 *   look ─► arm new and edited rows ─► fire what is due ─► sleep until the next due instant, a second at most
 *
 * The look is also the sign of life, and the only statement of an idle round. An edit rings `rowbeat_schedules`; where that is
 * lost, the next look sees the row all the same. A row that cannot be fired is marked and stops nobody else.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { monotonicMs, nowMs, sleep } from '../clock.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { listen, type Listener } from '../db/listen.ts'
import { requireMigrated } from '../db/migrate.ts'
import { openPool } from '../db/pool.ts'
import {
  fireBuffered,
  lookAhead,
  pauseFailing,
  resumeSchedules,
  type Prospect,
} from '../db/statements/beat.ts'
import { registerWorker, removeWorker } from '../db/statements/workers.ts'
import { ConfigError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createAlmanac } from '../schedules/almanac.ts'
import type { ScheduleTree } from '../schedules/schedule.ts'
import { VERSION } from '../version.ts'
import { declareSchedules } from './declare.ts'
import { createBeatEvents, type BeatEvents } from './events.ts'
import { logBeatEvents } from './log.ts'
import { createTicker, type Ticker } from './tick.ts'

export interface BeatOptions {
  databaseUrl: string
  /** Schedules that the code declares; made, kept up to date, and left alone once somebody edited them. */
  schedules?: ScheduleTree
  /** For crontabs that name no zone; default UTC. */
  timezone?: string
  /** What the registry calls it; default host and pid. */
  name?: string
  logger?: Logger
  /** false behind PgBouncer in transaction mode. */
  prepare?: boolean
}

export interface Beat {
  readonly name: string
  readonly events: BeatEvents
  /** Resolves once it looks after schedules. Throws StoreError, ScheduleError. */
  start(): Promise<void>
  /** Resolves when what it had begun is done. A second call answers as the first. */
  stop(): Promise<void>
}

/** With the way there and back an edit whose NOTIFY was lost is seen within a second. */
const POLL_MS = 900
/** Between two ticks at least, so that schedules that are due one after the other are fired together. */
const GAP_MS = 25
/** Where a run ends that a firing waits for, or fails once too often, is looked at so often. */
const WATCH_MS = 500
/** Looks in vain at what others hold, one behind the other, before something else is tried. */
const CONTENDED_MAX = 3
/** Rows that an open transaction holds cannot be armed or resumed yet, and are tried again so often. */
const HELD_MS = 100

export function createBeat(options: BeatOptions): Beat {
  const { prepare = true, timezone = 'UTC' } = options
  const name = options.name ?? `${hostname()}.${process.pid}`
  const id = `beat.${name}.${randomBytes(4).toString('hex')}`
  const events = createBeatEvents()
  if (options.logger) logBeatEvents(events, options.logger)
  const trouble = (what: string) => (error: unknown) => void events.emit('beat:trouble', { what, error })
  const { pool, db, end } = openPool({
    url: options.databaseUrl,
    role: 'beat',
    max: 3,
    prepare,
    onError: trouble('an idle connection'),
  })
  const stopping = new AbortController()
  const almanac = createAlmanac({ zone: timezone })
  let listener: Listener | null = null
  let looping: Promise<void> = Promise.resolve()
  let started: Promise<void> | null = null
  let stopped: Promise<void> | null = null

  const register = (): Promise<void> =>
    registerWorker(db, {
      id,
      name,
      kind: 'beat',
      hostname: hostname(),
      pid: process.pid,
      pools: [],
      queues: {},
      tasks: [],
      version: VERSION,
    })

  const begin = async (): Promise<void> => {
    try {
      await requireMigrated(options.databaseUrl, 'beat', prepare)
      await register()
      await declareSchedules(db, { schedules: options.schedules ?? [], timezone, events })
    } catch (error) {
      await removeWorker(db, id).catch(() => {})
      await end()
      throw explainDatabaseError(error, options.databaseUrl)
    }
    const loop = createLoop({
      db,
      id,
      ticker: createTicker(db, almanac, events),
      register,
      events,
      stop: stopping.signal,
    })
    listener = listen(pool, {
      channels: ['rowbeat_schedules'],
      onNotify: loop.wake,
      onReady: loop.wake,
      onProblem: trouble('listening for edits'),
    })
    looping = loop.run()
    events.emit('beat:started', { name, timezone })
  }
  const shutDown = async (): Promise<void> => {
    stopping.abort()
    // Asked while it starts: what is half made cannot be taken down.
    const hasBegun = await started?.then(
      () => true,
      () => false,
    )
    if (hasBegun === false) return
    await looping
    await listener?.close()
    if (hasBegun) await removeWorker(db, id).catch(trouble('leaving the registry'))
    await end()
    if (hasBegun) events.emit('beat:stopped', { name })
  }

  return Object.freeze({
    name,
    events,
    async start() {
      if (started || stopped)
        throw new ConfigError('this beat was started already: make another with createBeat.')
      await (started = begin())
    },
    stop: () => (stopped ??= shutDown()),
  })
}

interface LoopOptions {
  db: Queryable
  id: string
  ticker: Ticker
  register(): Promise<void>
  events: BeatEvents
  stop: AbortSignal
}

function createLoop({ db, id, ticker, register, events, stop }: LoopOptions): {
  wake(): void
  run(): Promise<void>
} {
  const lag = monitorEventLoopDelay({ resolution: 20 })
  let woken = new AbortController()
  let skewMs = 0
  let tickedAt = -Infinity
  let watchedAt = -Infinity
  let failures = 0
  let contended = 0

  const look = async (): Promise<Prospect> => {
    const facts = { rssBytes: process.memoryUsage.rss(), loopLagMs: lag.max / 1e6, skewMs }
    const sentAt = nowMs()
    const prospect = await lookAhead(db, id, facts)
    // Half the round trip is the best guess of when the server looked at its clock.
    skewMs = Math.round((sentAt + nowMs()) / 2 - prospect.nowMs)
    lag.reset()
    return prospect
  }

  /** What fails is told, and tried again; nothing else waits for it. */
  const attempt = async (what: string, work: () => Promise<number>): Promise<number> => {
    try {
      return await work()
    } catch (error) {
      events.emit('beat:trouble', { what, error })
      return 0
    }
  }

  /** What is not a firing of a due instant; answers for how many milliseconds there is no more of it. */
  const attend = async (prospect: Prospect): Promise<number> => {
    if (!prospect.known) await register()
    const resumed = prospect.resumable ? await attempt('resuming schedules', () => resumeSchedules(db)) : 0
    if (resumed > 0) events.emit('beat:resumed', { schedules: resumed })
    const armed = prospect.unarmed ? await attempt('working out instants', () => ticker.arm()) : 0
    if (armed + resumed > 0) return 0
    const { buffered, watched } = prospect
    const restMs = prospect.unarmed || prospect.resumable ? HELD_MS : buffered || watched ? WATCH_MS : POLL_MS
    if (!(buffered || watched) || Math.abs(monotonicMs() - watchedAt) < WATCH_MS / 2) return restMs
    watchedAt = monotonicMs()
    if (buffered) await attempt('firing what was kept', () => fireBuffered(db))
    const paused = watched ? await attempt('pausing what fails', () => pauseFailing(db)) : 0
    if (paused > 0) events.emit('beat:paused', { schedules: paused })
    return restMs
  }

  /** Answers in how many milliseconds to look again. */
  const round = async (): Promise<number> => {
    const prospect = await look()
    const restMs = await attend(prospect)
    const dueMs = prospect.dueMs ?? Infinity
    const sinceMs = monotonicMs() - tickedAt
    // Negative where even this clock was put back.
    const gapMs = sinceMs < 0 ? 0 : GAP_MS - sinceMs
    if (dueMs > 0 || gapMs > 0) return Math.max(gapMs, Math.min(restMs, dueMs))
    tickedAt = monotonicMs()
    // Another beat has them this moment: not at once again, and not both at the same time. What is still held after that is in somebody's
    // open transaction, and is passed over in turn, so that what is due behind it fires.
    const pass = Math.max(0, contended - CONTENDED_MAX) % 3
    contended = (await ticker.tick(pass)) === 'contended' ? contended + 1 : 0
    return contended === 0 ? 0 : Math.min(500, 20 * 2 ** contended) * (0.5 + Math.random())
  }

  return {
    wake: () => woken.abort(),
    async run() {
      lag.enable()
      while (!stop.aborted) {
        woken = new AbortController()
        let waitMs: number
        try {
          waitMs = await round()
          failures = 0
        } catch (error) {
          events.emit('beat:trouble', { what: 'a tick', error })
          waitMs = Math.min(1000, 50 * 2 ** failures++) * (0.5 + Math.random() / 2)
        }
        if (waitMs > 0) await sleep(Math.ceil(waitMs), AbortSignal.any([stop, woken.signal]))
      }
      lag.disable()
    },
  }
}
