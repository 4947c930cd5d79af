/**
 * One child of `rowbeat start`: a process of this Node that is told its configuration, then to go on, then to stop.
 *
 *   fork ─► config ─► (loads) ─► go ─► ready ─► … ─► stop ─► exit 0
 *
 * Before it is ready for the first time, its failure is the start's failure. After that it is started again when it
 * ends by itself, later and later (0.5 s, 1 s … 30 s) until it stays up for a minute. One that does not end within its
 * grace is killed.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { monotonicMs, sleep } from '../../clock.ts'
import { shareEnvironment, type Config } from '../../config.ts'
import { RowbeatError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { journalFile } from './journal.ts'
import type { FromChild, Go, ToChild } from './link.ts'
import type { Watchman } from './watchman.ts'

export interface CrewOptions {
  role: 'api' | 'worker' | 'beat'
  config: Config
  /** Where the children's stdout goes: 1, or 2 where stdout is for one document. */
  stdout: 1 | 2
  log: Logger
  watchman: Watchman
}

export interface Crew {
  /** Tells it, and each that follows it, that the database is there; resolves with the address once it is ready. */
  go(place: Go): Promise<string | null>
  /** Resolves when it has ended; killed `lastMs` after its grace. A second call may shorten both. */
  stop(graceMs: number, lastMs: number): Promise<void>
}

const AGAIN_MS = 500
const AGAIN_MAX_MS = 30_000
const STEADY_MS = 60_000

export function startCrew({ role, config, stdout, log, watchman }: CrewOptions): Crew {
  const ready = Promise.withResolvers<string | null>()
  ready.promise.catch(() => {})
  const stopping = new AbortController()
  let place: Go | null = null
  let isReady = false
  let killAt = Infinity

  // What bin/rowbeat.js turned on here must be on in a child before its first file.
  const cache = getCompileCacheDir()
  if (cache) shareEnvironment({ NODE_COMPILE_CACHE: dirname(cache) })

  let child = launch()

  function launch(): ChildProcess {
    const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url))
    const launched = fork(main, [role, '--supervised'], {
      execArgv: [],
      stdio: ['ignore', stdout, 2, 'ipc'],
    })
    launched.on('message', (message: FromChild) => {
      if (message.kind === 'ready') {
        isReady = true
        ready.resolve(message.url)
      } else if (isReady) log.error({ child: role, code: message.code }, message.message)
      else ready.reject(new RowbeatError(message.code, message.message))
    })
    launched.on('error', (error) => ready.reject(error))
    watchman.follow(role, launched.pid)
    send(launched, { kind: 'config', config })
    if (place) send(launched, { kind: 'go', ...place })
    return launched
  }

  const over = (async () => {
    for (let delay = AGAIN_MS; !stopping.signal.aborted;) {
      const since = monotonicMs()
      const how = await exitOf(child)
      watchman.follow(role, undefined)
      if (stopping.signal.aborted) return
      if (!isReady) {
        ready.reject(endedEarly(role, how, config.dataDir))
        return
      }
      if (monotonicMs() - since > STEADY_MS) delay = AGAIN_MS
      log.error({ child: role, delay }, `the ${role} ended with ${how} and is started again`)
      await sleep(delay, stopping.signal)
      delay = Math.min(delay * 2, AGAIN_MAX_MS)
      if (!stopping.signal.aborted) child = launch()
    }
  })()

  return {
    async go(given) {
      place = given
      send(child, { kind: 'go', ...given })
      const url = await ready.promise
      if (url) place = { ...given, port: Number(new URL(url).port) || given.port }
      return url
    },
    async stop(graceMs, lastMs) {
      stopping.abort()
      killAt = Math.min(killAt, monotonicMs() + graceMs + lastMs)
      send(child, { kind: 'stop', graceMs })
      const ended = exitOf(child)
      while (child.exitCode === null && child.signalCode === null && monotonicMs() < killAt)
        await Promise.race([ended, sleep(100)])
      child.kill('SIGKILL')
      await ended
      await over
    },
  }
}

function send(child: ChildProcess, message: ToChild): void {
  // A child that is gone is noticed by its exit.
  if (child.connected) child.send(message, () => {})
}

async function exitOf(child: ChildProcess): Promise<string> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
    await new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return child.signalCode ?? `code ${child.exitCode}`
}

function endedEarly(role: string, how: string, dataDir: string): RowbeatError {
  return new RowbeatError(
    'RB_PROCESS_ENDED',
    `The ${role} ended with ${how} before it was ready: its last words are above and in ${journalFile(dataDir)}.`,
  )
}
