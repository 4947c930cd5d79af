/**
 * The life of a process that serves, `rowbeat api`, `worker` and `beat`, alone or as a child of a supervisor:
 * configuration, begin, say that it is ready, wait until it is asked to end, stop within the grace, exit 0. A worker that
 * has done its share goes on until it is relieved, or ends when nobody is there to relieve it; nothing hurries then.
 *
 * A promise that a user's code leaves rejected, or an error it throws from a timer, ends the process, as Node does by
 * default: whatever state such code was in, going on would hide it. It is logged first; the runs it had go back, and
 * are counted as redelivered, so a run that keeps doing this ends as `worker_lost`.
 */
import { shareEnvironment, type Config } from '../config.ts'
import { createLogger } from '../log.ts'
import type { Given } from './config-file.ts'
import { findDatabase } from './database.ts'
import { watchForEnd, type Ending } from './ending.ts'
import { keepYoungSmall, settleMemory } from './memory.ts'
import { readGiven, readSettings, type Flags, type Settings } from './options.ts'
import { openJournal } from './start/journal.ts'
import { joinSupervisor, type Go, type Link } from './start/link.ts'
import { asRowbeatError, EXIT, exitCodeOf, say } from './words.ts'
import type { WorkingFlags } from './working.ts'

export interface ServeFlags extends Flags, WorkingFlags {
  supervised?: boolean
}

export interface Setting {
  config: Config
  /** What rowbeat.config.ts gives. */
  given: Given
  log: ReturnType<typeof createLogger>
  /** Of the children that do the same, counted from 1. */
  index: number
  isSupervised: boolean
  /** Resolves when the database may be used; DATABASE_URL tells it to the user's own modules from then on. */
  go(): Promise<Go>
}

export interface Service {
  /** Where it listens; null when it does not. */
  url: string | null
  /** What `--json` prints once it is ready. */
  document: object
  /** Resolves with why another is wanted in its place. */
  spent?: Promise<string>
  /** Resolves when it has done its share, and may do no more. */
  done?: Promise<void>
  /** Resolves when somebody told it to stop for good, with the grace for that. */
  dismissed?: Promise<number | null>
  /** A second call, with less grace, hurries the first. */
  stop(graceMs: number): Promise<void>
}

/** After being hurried. */
const LAST_MS = 3000
/** For the runs of a process that is replaced: as long as they take, within what a timer can hold. */
const UNHURRIED_MS = 20 * 86_400_000

export async function serve(
  role: string,
  flags: ServeFlags,
  begin: (setting: Setting) => Promise<Service>,
): Promise<never> {
  keepYoungSmall()
  const link = flags.supervised ? await joinSupervisor() : null
  try {
    const { config, given, json } = link ? await supervisedSettings(link) : await readSettings(flags, flags)
    const ending = watchForEnd(config.graceMs, link)
    const log = link?.seat.hasJournal
      ? openJournal(config, role)
      : createLogger({ level: config.logLevel, role, fd: process.stderr.fd })
    process.on('uncaughtExceptionMonitor', (err, origin) =>
      log.fatal({ err, origin }, 'this process ends because of an error that nothing caught'),
    )
    const index = link?.seat.index ?? 1
    const go = (): Promise<Go> => findPlace(config, link)
    const starting = begin({ config, given, log, go, index, isSupervised: link !== null })
    const service = await Promise.race([starting, ending.asked.then(() => null)])
    if (!service) process.exit(EXIT.done)
    settleMemory({ mayGrow: role === 'api' })
    link?.ready({ url: service.url, document: service.document })
    if (json) say(service.document)
    await finish(service, ending, link, config.graceMs)
    process.exit(EXIT.done)
  } catch (error) {
    if (!link) throw error
    await link.failed(error)
    process.exit(exitCodeOf(asRowbeatError(error)))
  }
}

/** Resolves when the service has stopped, for whichever reason comes first. */
async function finish(
  service: Service,
  ending: Ending,
  link: Link | null,
  defaultGraceMs: number,
): Promise<void> {
  const never = new Promise<never>(() => {})
  void service.spent?.then((why) => link?.spent(why))
  const dismissed = service.dismissed?.then((graceMs) => {
    link?.leaving()
    return { graceMs: graceMs ?? defaultGraceMs }
  })
  const unhurried = Promise.race([link?.relieved ?? never, service.done ?? never])
  const request = await Promise.race([
    ending.asked,
    dismissed ?? never,
    unhurried.then(() => ({ graceMs: UNHURRIED_MS })),
  ])
  ending.onHurry(() => {
    setTimeout(() => process.exit(EXIT.failed), LAST_MS).unref()
    void service.stop(0)
  })
  // Whoever asks later may shorten it.
  void ending.asked.then(({ graceMs }) => service.stop(graceMs))
  await service.stop(request.graceMs)
}

async function supervisedSettings({ seat: { config } }: Link): Promise<Settings> {
  return { config, given: await readGiven(config), json: false }
}

async function findPlace(config: Config, link: Link | null): Promise<Go> {
  const place = link ? await link.go : { databaseUrl: findDatabase(config), port: config.port }
  shareEnvironment({ DATABASE_URL: place.databaseUrl })
  return place
}
