/**
 * When a process that serves has to end: on SIGTERM, SIGINT or SIGHUP, on the word of its supervisor, or because who
 * started it is gone. The first request asks it to end within its grace; another one hurries it; it may be asked at any
 * time, also while it is still starting.
 *
 *   alone         SIGTERM, SIGINT, SIGHUP     end within --grace
 *   supervised    SIGTERM, or `stop`          the same; SIGINT and SIGHUP reach the whole terminal, the supervisor speaks
 *   orphaned      the channel closed, npm died  end within 4 s, whatever happens
 */
import { monotonicMs } from '../clock.ts'
import { readEnvironment } from '../config.ts'
import type { Link } from './start/link.ts'

/** How to end. */
export interface Request {
  /** What runs may take so long, in milliseconds. */
  graceMs: number
  /** Nobody waits any more: no time for anything beyond the grace. */
  isOrphaned: boolean
}

export interface Ending {
  /** Resolves at the first request. */
  readonly asked: Promise<Request>
  /** Calls `work` at the next request, once. */
  onHurry(work: () => void): void
}

/** npm and a terminal may both pass one Ctrl-C on: requests so close together are one. */
const ONE_REQUEST_MS = 400
const ORPHAN_GRACE_MS = 1500
/** PostgreSQL of a killed supervisor waits 3 s for its children and gives them one more to break off. */
const ORPHAN_LIFE_MS = 4000
const PARENT_EVERY_MS = 500

export function watchForEnd(graceMs: number, link: Link | null): Ending {
  const first = Promise.withResolvers<Request>()
  let firstAt = 0
  let isHurried = false
  const hurries: (() => void)[] = []
  const ask = (request: Request): void => {
    if (firstAt === 0) {
      firstAt = monotonicMs()
      first.resolve(request)
    } else if (!isHurried && (request.isOrphaned || monotonicMs() - firstAt > ONE_REQUEST_MS)) {
      isHurried = true
      for (const work of hurries) work()
    }
  }
  process.on('SIGTERM', () => ask({ graceMs, isOrphaned: false }))
  for (const signal of ['SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => link || ask({ graceMs, isOrphaned: false }))
  link?.onStop((given) => ask({ graceMs: given, isOrphaned: false }))
  const orphan = (): void => {
    setTimeout(() => process.exit(1), ORPHAN_LIFE_MS).unref()
    ask({ graceMs: ORPHAN_GRACE_MS, isOrphaned: true })
  }
  // Our supervisor, or the launcher whose shadow we are (bin/rowbeat.js).
  process.once('disconnect', orphan)
  if (!link && readEnvironment().npm_lifecycle_event) watchParent(orphan)
  return {
    asked: first.promise,
    onHurry(work) {
      if (isHurried) work()
      else hurries.push(work)
    },
  }
}

/**
 * `npm start` that is killed takes nobody along: we are not told, we only get another parent. Outside of npm that means
 * nothing: a shell may leave what it started to itself.
 */
function watchParent(orphan: () => void): void {
  const parent = process.ppid
  const look = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(look)
    orphan()
  }, PARENT_EVERY_MS)
  look.unref()
}
