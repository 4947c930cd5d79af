/**
 * A role of a supervisor that must be filled: one child at a time does it, and when that one falls or has done its share
 * another takes its place.
 *
 *   fork ─► seat ─► (loads) ─► go ─► ready ─► … ─► stop ─► exit 0
 *                                      │
 *                                      └─► spent ─► (its successor is ready) ─► relieved ─► exit 0
 *
 * Before it is ready for the first time, its failure is the supervisor's failure. After that it is started again when it
 * ends by itself, later and later until one stays up for a minute: up to 30 s when it does not even get ready, up to 1 s
 * when it does, for then it was a run that killed it, and a run can do so three times. Who was killed is told at once
 * (casualty.ts). One that does not end within its grace is killed.
 */
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { monotonicMs, sleep } from '../../clock.ts'
import { shareEnvironment, type Config } from '../../config.ts'
import { RowbeatError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { reportCasualty } from './casualty.ts'
import { journalFile } from './journal.ts'
import type { Go, Ready } from './link.ts'
import { launchMember, type Member } from './member.ts'
import type { Watchman } from './watchman.ts'

export interface CrewOptions {
  role: 'api' | 'worker' | 'beat'
  /** Of the crews of one role, counted from 1. */
  index?: number
  config: Config
  hasJournal: boolean
  /** Where the children's stdout goes: 1, or 2 where stdout is for one document. */
  stdout: 1 | 2
  log: Logger
  watchman: Watchman
}

export interface Crew {
  /** Tells it, and each that follows it, that the database is there; resolves once it is ready. */
  go(place: Go): Promise<Ready>
  /** Resolves when the last one was told from afar to stop, and has. */
  readonly dismissed: Promise<void>
  /** Resolves when it has ended; killed `lastMs` after its grace. A second call may shorten both. */
  stop(graceMs: number, lastMs: number): Promise<void>
}

/** Beyond its grace a child may take so long: to hand back, close, leave. */
export const LAST_MS = 3500
/** The same for one that is hurried. */
export const HURRY_MS = 1500
const AGAIN_MS = 100
const AGAIN_MAX_MS = 30_000
const AGAIN_WAS_READY_MS = 1000
const STEADY_MS = 60_000

export function startCrew(options: CrewOptions): Crew {
  const { role, index = 1, config, hasJournal, stdout, log, watchman } = options
  const ready = Promise.withResolvers<Ready>()
  ready.promise.catch(() => {})
  const dismissed = Promise.withResolvers<void>()
  const stopping = new AbortController()
  const members = new Set<Member>()
  const watches = new Set<Promise<void>>()
  let place: Go | null = null
  let isReady = false
  let isDismissed = false
  let killAt = Infinity
  let delay = AGAIN_MS

  // What bin/rowbeat.js turned on here must be on in a child before its first file.
  const cache = getCompileCacheDir()
  if (cache) shareEnvironment({ NODE_COMPILE_CACHE: dirname(cache) })

  const fill = (): void => {
    if (stopping.signal.aborted || isDismissed || [...members].some((member) => !member.isSpent)) return
    const member = launchMember({
      role,
      seat: { config, index, hasJournal },
      stdout,
      place,
      onReady(_, said) {
        isReady = true
        ready.resolve(said)
        for (const other of members) if (other.isSpent) relieve(other)
      },
      onFailed(_, code, message) {
        if (isReady) log.error({ child: role, code }, message)
        else ready.reject(new RowbeatError(code, message))
      },
      onSpent(_, why) {
        log.info({ child: role, index, why }, `a ${role} has done its share and is replaced`)
        fill()
      },
      onLeaving(leaver) {
        log.info({ child: role, index }, `a ${role} was told to stop and is not replaced`)
        isDismissed = true
        leaver.isRelieved = true
        for (const other of members) relieve(other)
      },
    })
    members.add(member)
    watchman.follow(member.pid)
    const watch = watchOver(member).finally(() => watches.delete(watch))
    watches.add(watch)
  }

  const relieve = (member: Member): void => {
    member.isRelieved = true
    member.tell({ kind: 'relieved' })
  }

  const watchOver = async (member: Member): Promise<void> => {
    const how = await member.ended
    members.delete(member)
    watchman.forget(member.pid)
    const isAsked = stopping.signal.aborted || member.isRelieved
    const report =
      role === 'worker' && place && !(isAsked && how === 'code 0')
        ? reportCasualty(member, place.databaseUrl, config, log)
        : Promise.resolve()
    if (!isAsked && !isReady) ready.reject(endedEarly(role, how, hasJournal ? config.dataDir : null))
    else if (member.isSpent && how === 'code 0') fill()
    else if (!isAsked) await startAgain(member, how)
    await report
    if (isDismissed && members.size === 0) dismissed.resolve()
  }

  const startAgain = async (member: Member, how: string): Promise<void> => {
    if (monotonicMs() - member.bornMs > STEADY_MS) delay = AGAIN_MS
    const wait = member.ready ? Math.min(delay, AGAIN_WAS_READY_MS) : delay
    delay = Math.min(delay * 2, AGAIN_MAX_MS)
    log.error({ child: role, index, delay: wait }, `the ${role} ended with ${how} and is started again`)
    await sleep(wait, stopping.signal)
    fill()
  }

  fill()
  return {
    dismissed: dismissed.promise,
    async go(given) {
      place = given
      for (const member of members) member.tell({ kind: 'go', ...given })
      const said = await ready.promise
      if (said.url) place = { ...given, port: Number(new URL(said.url).port) || given.port }
      return said
    },
    async stop(graceMs, lastMs) {
      stopping.abort()
      killAt = Math.min(killAt, monotonicMs() + graceMs + lastMs)
      for (const member of members) member.tell({ kind: 'stop', graceMs })
      const ended = Promise.all([...members].map((member) => member.ended))
      while (members.size > 0 && monotonicMs() < killAt) await Promise.race([ended, sleep(100)])
      for (const member of members) member.kill()
      await ended
      await Promise.all(watches)
    },
  }
}

/** A crew for each worker process that the configuration asks for. */
export function startWorkers(options: Omit<CrewOptions, 'role' | 'index'>): Crew[] {
  const { processes } = options.config
  return Array.from({ length: processes }, (_, i) => startCrew({ ...options, role: 'worker', index: i + 1 }))
}

export async function stopCrews(crews: readonly Crew[], graceMs: number, lastMs: number): Promise<void> {
  await Promise.all(crews.map((crew) => crew.stop(graceMs, lastMs)))
}

function endedEarly(role: string, how: string, dataDir: string | null): RowbeatError {
  const where = dataDir === null ? '' : ` and in ${journalFile(dataDir)}`
  return new RowbeatError(
    'RB_PROCESS_ENDED',
    `The ${role} ended with ${how} before it was ready: its last words are above${where}.`,
  )
}
