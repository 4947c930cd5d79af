/**
 * The life of a process that serves, `rowbeat api`, `worker` and `beat`, alone or as a child of `rowbeat start`:
 * configuration, begin, say that it is ready, wait until it is asked to end, stop within the grace, exit 0.
 *
 * A promise that a user's code leaves rejected, or an error it throws from a timer, ends the process, as Node does by
 * default: whatever state such code was in, going on would hide it. It is logged first; the runs it had go back, and
 * are counted as redelivered, so a run that keeps doing this ends as `worker_lost`.
 */
import { shareEnvironment, type Config } from '../config.ts'
import { createLogger } from '../log.ts'
import { readConfigFile, type Given } from './config-file.ts'
import { findDatabase } from './database.ts'
import { watchForEnd } from './ending.ts'
import { keepYoungSmall, settleMemory } from './memory.ts'
import { readSettings, type Flags, type Settings } from './options.ts'
import { openJournal } from './start/journal.ts'
import { joinSupervisor, type Go, type Link } from './start/link.ts'
import { asRowbeatError, EXIT, exitCodeOf, say } from './words.ts'

export interface ServeFlags extends Flags {
  supervised?: boolean
}

export interface Setting {
  config: Config
  /** What rowbeat.config.ts gives. */
  given: Given
  log: ReturnType<typeof createLogger>
  /** Resolves when the database may be used; DATABASE_URL tells it to the user's own modules from then on. */
  go(): Promise<Go>
}

export interface Service {
  /** Where it listens; null when it does not. */
  url: string | null
  /** What `--json` prints once it is ready. */
  document: object
  /** A second call, with less grace, hurries the first. */
  stop(graceMs: number): Promise<void>
}

/** After being hurried. */
const LAST_MS = 3000

export async function serve(
  role: string,
  flags: ServeFlags,
  begin: (setting: Setting) => Promise<Service>,
): Promise<never> {
  keepYoungSmall()
  const link = flags.supervised ? await joinSupervisor() : null
  try {
    const { config, given, json } = link ? await supervisedSettings(link) : await readSettings(flags, true)
    const ending = watchForEnd(config.graceMs, link)
    const log = link
      ? openJournal(config, role)
      : createLogger({ level: config.logLevel, role, fd: process.stderr.fd })
    process.on('uncaughtExceptionMonitor', (err, origin) =>
      log.fatal({ err, origin }, 'this process ends because of an error that nothing caught'),
    )
    const starting = begin({ config, given, log, go: () => findPlace(config, link) })
    const service = await Promise.race([starting, ending.asked.then(() => null)])
    if (!service) process.exit(EXIT.done)
    settleMemory({ mayGrow: role === 'api' })
    link?.ready(service.url)
    if (json) say(service.document)
    const { graceMs } = await ending.asked
    ending.onHurry(() => {
      setTimeout(() => process.exit(EXIT.failed), LAST_MS).unref()
      void service.stop(0)
    })
    await service.stop(graceMs)
    process.exit(EXIT.done)
  } catch (error) {
    if (!link) throw error
    await link.failed(error)
    process.exit(exitCodeOf(asRowbeatError(error)))
  }
}

async function supervisedSettings({ config }: Link): Promise<Settings> {
  const { given } = await readConfigFile(process.cwd())
  return { config, given: given ?? { tasks: [], schedules: [] }, json: false }
}

async function findPlace(config: Config, link: Link | null): Promise<Go> {
  const place = link ? await link.go : { databaseUrl: findDatabase(config), port: config.port }
  shareEnvironment({ DATABASE_URL: place.databaseUrl })
  return place
}
