/**
 * Everybody who watches the whole, and what they are told: one fan-out for all streams of this process.
 *
 *   every second ─────────► one look at the figures ─────► `figures` ─┐
 *   a worker tells anew ──► a look, >= 150 ms after the last          ├─► the same bytes to every stream
 *   NOTIFY rowbeat_runs ──► gathered for 80 ms, one reading ► `runs` ┘
 *
 * Twenty who watch cost the database what one does, and while nobody does nothing is read. When more runs change than a page can
 * show, RUNS_MAX of them are named and `more` says that there were others: who shows a list reads it again. A reading waits the
 * longer the longer the one before took. Who reads too slowly is told the figures as they are by then, and `more`.
 */
import type { FastifyReply } from 'fastify'
import { monotonicMs } from '../clock.ts'
import type { LiveControl } from '../control/live.ts'
import type { EventStream, EventStreams } from './event-streams.ts'
import type { RunFeed } from './feed.ts'

export interface Live {
  /** Takes the response over. Throws RB_STREAMS_FULL before it does. */
  open(reply: FastifyReply, key: string): void
  close(): void
}

const LOOK_MS = 1000
const LOOK_SOON_MS = 150
const GATHER_MS = 80
const RUNS_MAX = 100
/** A reading of runs is followed by another no sooner than so many times its own length, or SPACING_MS where that is less. */
const SHARE = 20
const SPACING_MS = 250

export const LIVE_SCOPES = ['runs:read', 'queues:read', 'workers:read', 'schedules:read'] as const

interface LiveOptions {
  feed: RunFeed
  sockets: EventStreams
  control: LiveControl
  onProblem(error: unknown): void
}

export function createLive({ feed, sockets, control, onProblem }: LiveOptions): Live {
  const streams = new Set<EventStream>()
  /** The latest figures, for who comes in between two looks. */
  let latest = ''
  let deaf: (() => void) | null = null

  const tell = (frame: string): void => {
    for (const stream of streams) if (!stream.isFull) stream.send(frame)
  }
  const news = createNews(control, tell, onProblem)
  const looks = createLooks(async () => {
    const { figures, changed } = await control.look()
    latest = `event: figures\ndata: ${JSON.stringify(figures)}\n\n`
    tell(latest)
    news.want(changed, 0)
  }, onProblem)

  const begin = (): void => {
    deaf ??= feed.hear((ids) => {
      if (ids === 'started') looks.soon()
      else if (ids === 'all') news.miss()
      else news.want(ids)
    })
    looks.start()
  }
  const rest = (): void => {
    if (streams.size > 0) return
    deaf?.()
    deaf = null
    latest = ''
    looks.stop()
    news.stop()
  }

  return Object.freeze({
    open(reply: FastifyReply, key: string) {
      const stream = sockets.open(reply, {
        key,
        scopes: LIVE_SCOPES,
        first: latest || ': watching\n\n',
        onRoom: () => stream.send(`${latest}${MORE}`),
        onClose() {
          streams.delete(stream)
          rest()
        },
      })
      streams.add(stream)
      begin()
    },
    close() {
      streams.clear()
      rest()
    },
  })
}

const MORE = 'event: runs\ndata: {"items":[],"more":true}\n\n'

interface News {
  /** These have changed; `gatherMs`: how long others are waited for. */
  want(ids: readonly string[], gatherMs?: number): void
  /** Some have, that nobody names. */
  miss(): void
  stop(): void
}

/** Gathers what changed, and reads the latest of it in one statement at a time. */
function createNews(
  control: LiveControl,
  tell: (frame: string) => void,
  onProblem: (error: unknown) => void,
): News {
  const wanted = new Set<string>()
  let more = false
  let timer: NodeJS.Timeout | undefined
  let busy = false
  let dueMs = 0

  const gather = (ms = GATHER_MS): void => {
    if (busy || timer) return
    timer = setTimeout(() => void read(), Math.max(ms, dueMs - monotonicMs())).unref()
  }
  const read = async (): Promise<void> => {
    timer = undefined
    busy = true
    const ids = [...wanted].slice(-RUNS_MAX)
    const isMore = more || wanted.size > ids.length
    wanted.clear()
    more = false
    const began = monotonicMs()
    try {
      const items = ids.length === 0 ? [] : await control.readRuns(ids)
      tell(`event: runs\ndata: ${JSON.stringify({ items, more: isMore })}\n\n`)
    } catch (error) {
      // Who shows a list reads it anew when the database is back.
      more = true
      dueMs = monotonicMs() + LOOK_MS
      onProblem(error)
    }
    dueMs = Math.max(dueMs, began + Math.min(SPACING_MS, SHARE * (monotonicMs() - began)))
    busy = false
    if (more || wanted.size > 0) gather()
  }
  return {
    want(ids, gatherMs) {
      if (ids.length === 0) return
      for (const id of ids) {
        // Behind the others: the latest are read.
        wanted.delete(id)
        wanted.add(id)
      }
      gather(gatherMs)
    },
    miss() {
      more = true
      gather()
    },
    stop() {
      clearTimeout(timer)
      timer = undefined
      wanted.clear()
      more = false
    },
  }
}

/** Looks each second while it is started, one at a time, and sooner when told so. */
function createLooks(
  look: () => Promise<void>,
  onProblem: (error: unknown) => void,
): { start(): void; soon(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined
  let isOn = false
  let busy = false
  let beganMs = -Infinity
  let hurry = false

  const next = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void run(), Math.max(0, beganMs + ms - monotonicMs())).unref()
  }
  const run = async (): Promise<void> => {
    if (busy) return
    busy = true
    hurry = false
    beganMs = monotonicMs()
    try {
      await look()
    } catch (error) {
      onProblem(error)
    }
    busy = false
    if (isOn) next(hurry ? LOOK_SOON_MS : LOOK_MS)
  }
  return {
    start() {
      if (isOn) return
      isOn = true
      next(LOOK_SOON_MS)
    },
    soon() {
      hurry = true
      if (isOn && !busy) next(LOOK_SOON_MS)
    },
    stop() {
      isOn = false
      clearTimeout(timer)
    },
  }
}
