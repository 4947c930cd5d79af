/**
 * When a process that serves has to end: on SIGTERM, SIGINT or SIGHUP, on the word of its supervisor, or because that
 * is gone. The first asks it to end within its grace; another one hurries it; it may be asked at any time, also while
 * it is still starting.
 *
 *   alone         SIGTERM, SIGINT, SIGHUP     end within --grace
 *   supervised    SIGTERM, or `stop`          the same; SIGINT and SIGHUP reach the whole terminal, the supervisor speaks
 *                 supervisor gone             end within 4 s, whatever happens
 */
import { monotonicMs } from '../clock.ts'
import type { Link } from './start/link.ts'

export interface Ending {
  /** Resolves at the first request, with milliseconds of grace. */
  readonly asked: Promise<number>
  /** Calls `work` at the next request, once. */
  onHurry(work: () => void): void
}

/** npm and a terminal may both pass one Ctrl-C on: requests so close together are one. */
const ONE_REQUEST_MS = 400
const ORPHAN_GRACE_MS = 1500
/** PostgreSQL of a killed supervisor waits 3 s for its children and gives them one more to break off. */
const ORPHAN_LIFE_MS = 4000

export function watchForEnd(graceMs: number, link: Link | null): Ending {
  const first = Promise.withResolvers<number>()
  let firstAt = 0
  let hurried = false
  const hurries: (() => void)[] = []
  const ask = (grace: number): void => {
    if (firstAt === 0) {
      firstAt = monotonicMs()
      first.resolve(grace)
    } else if (!hurried && monotonicMs() - firstAt > ONE_REQUEST_MS) {
      hurried = true
      for (const work of hurries) work()
    }
  }
  process.on('SIGTERM', () => ask(graceMs))
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => link || ask(graceMs))
  link?.onStop(ask)
  link?.onOrphaned(() => {
    setTimeout(() => process.exit(1), ORPHAN_LIFE_MS).unref()
    if (firstAt === 0) ask(ORPHAN_GRACE_MS)
    else for (const work of hurries) work()
  })
  return {
    asked: first.promise,
    onHurry(work) {
      if (hurried) work()
      else hurries.push(work)
    },
  }
}
