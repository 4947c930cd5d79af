/**
 * This side of the heart: keeps the list of running runs, hands it to the thread twice a second, and knows when the
 * last sign of life was confirmed.
 *
 * A run that had been claimed before (somebody crashed with it) is announced: it starts only after a heartbeat that
 * lists it is durable, so that a crash it causes is counted against it and not against its neighbours.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { extname } from 'node:path'
import { Worker as Thread } from 'node:worker_threads'
import { monotonicMs } from '../clock.ts'
import type { Beat, Listed, WorkerFacts } from '../db/statements/workers.ts'
import type { RunEvents } from './events.ts'

export interface ThreadData {
  url: string
  id: string
  everyMs: number
}
export type ToThread =
  | { kind: 'beat'; id: string; beat: Beat; changed: boolean; announce: number; now: boolean }
  /** Asked for the stack of the main thread. */
  | { kind: 'dump'; command: string }
  | { kind: 'end' }
export type FromThread =
  | { kind: 'alive'; id: string; sentAt: number; announced: number; revoked: boolean; digest: string | null }
  | { kind: 'dead'; id: string }
  | { kind: 'trouble'; message: string }

export const BEAT_MS = 1000
/** Unseen for so long by the database's clock is dead. */
export const DEAD_SECONDS = 10

export interface Heartbeat {
  /** Lists the run and resolves once that is durable; it stays listed until `forget`. */
  announce(run: Listed): Promise<void>
  forget(run: Listed): void
  /** Milliseconds since the last confirmed sign of life was sent. */
  staleMs(): number
  /** Milliseconds for which signs of life have come without a gap of 3 s. */
  steadyMs(): number
  /** A new identity after having been declared dead. */
  rename(id: string): void
  push(): void
  /** Answers the command with the stack of this thread, which another one reads. */
  dump(command: string): void
  end(): Promise<void>
}

export interface HeartbeatOptions {
  url: string
  id: string
  /** What runs now. */
  running(): Listed[]
  isStopping(): boolean
  /** undefined: not known yet. */
  facts(): WorkerFacts | undefined
  events: RunEvents
  onDead(): void
  /** Each beat: whether any revocations stand. */
  onRevoked(some: boolean): void
  /** Each beat: the digest of what this worker is told. */
  onDigest(digest: string | null): void
}

const GAP_MS = 3000

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const announcements = new Map<string, Listed>()
  const waiting: { number: number; go: () => void }[] = []
  const lag = monitorEventLoopDelay({ resolution: 20 })
  lag.enable()
  let { id } = options
  let empty = false
  let announced = 0
  let lastAlive = monotonicMs()
  let steadySince = lastAlive
  let ending = false
  let tickedAt = lastAlive
  let lateMs = 0
  let thread: Thread

  const push = (now = false): void => {
    const running = [...announcements.values(), ...options.running()]
    const changed = running.length > 0 || !empty
    empty = running.length === 0
    const beat: Beat = {
      running: changed ? running : null,
      rssBytes: process.memoryUsage.rss(),
      loopLagMs: Math.max(0, Math.round(lag.max / 1e5) / 10 - 20, lateMs),
      skewMs: 0,
      stopping: options.isStopping(),
      facts: options.facts(),
    }
    thread.postMessage({ kind: 'beat', id, beat, changed, announce: announced, now } satisfies ToThread)
  }
  // reset() also forgets a delay that is under way, so one that this timer notices first is measured by the timer.
  const timer = setInterval(() => {
    lateMs = Math.round(monotonicMs() - tickedAt - BEAT_MS / 2)
    tickedAt = monotonicMs()
    push()
    lag.reset()
  }, BEAT_MS / 2)
  timer.unref()

  const hear = (message: FromThread): void => {
    if (message.kind === 'trouble')
      return void options.events.emit('worker:trouble', { what: 'the heartbeat', error: message.message })
    if (message.id !== id) return
    if (message.kind === 'dead') return options.onDead()
    if (message.sentAt - lastAlive > GAP_MS) steadySince = monotonicMs()
    lastAlive = monotonicMs()
    while (waiting.length > 0 && waiting[0]!.number <= message.announced) waiting.shift()!.go()
    options.onRevoked(message.revoked)
    options.onDigest(message.digest)
  }
  /** A heart that stopped by itself is replaced: without one, a living worker is declared dead. */
  const beginThread = (): Thread => {
    const file = new URL(`./heartbeat-thread${extname(import.meta.url)}`, import.meta.url)
    const data: ThreadData = { url: options.url, id, everyMs: BEAT_MS }
    const begun = new Thread(file, {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: 64 },
      // What the process was started with (loaders, instrumentation) is for the user's code.
      execArgv: [],
    })
    begun.unref()
    begun.on('message', hear)
    begun.on('error', (error) =>
      options.events.emit('worker:trouble', { what: 'the heartbeat thread', error }),
    )
    begun.on('exit', () => {
      if (!ending) setTimeout(() => (thread = beginThread()), 200).unref()
    })
    return begun
  }
  thread = beginThread()
  push(true)

  return {
    announce(run) {
      announcements.set(run.id, run)
      const number = ++announced
      push(true)
      return new Promise((go) => waiting.push({ number, go }))
    },
    // After a lost lease the same run may have been announced anew.
    forget: (run) => void (announcements.get(run.id) === run && announcements.delete(run.id)),
    staleMs: () => monotonicMs() - lastAlive,
    steadyMs: () => (monotonicMs() - lastAlive > GAP_MS ? 0 : monotonicMs() - steadySince),
    rename(next) {
      id = next
      empty = false
      push(true)
    },
    push: () => push(true),
    dump: (command) => thread.postMessage({ kind: 'dump', command } satisfies ToThread),
    async end() {
      ending = true
      clearInterval(timer)
      lag.disable()
      thread.postMessage({ kind: 'end' } satisfies ToThread)
      const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
      await Promise.race([exited, new Promise<void>((resolve) => setTimeout(resolve, 1000))])
      await thread.terminate()
      for (const { go } of waiting) go()
    },
  }
}
