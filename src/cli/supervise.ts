/**
 * `rowbeat worker --processes 4`: a parent that runs nothing itself, and its worker processes, each a whole worker with
 * queues and slots of its own. They share no memory and no channel but the database; the parent starts them, replaces
 * those that fell or have done their share (start/crew.ts), and stops them together.
 *
 * A signal to the parent is for all of them. If it is killed with -9, they see their channel close and end within 4 s.
 */
import { ConfigError } from '../errors.ts'
import { createLogger, type Logger } from '../log.ts'
import { findDatabase } from './database.ts'
import { watchForEnd } from './ending.ts'
import type { Settings } from './options.ts'
import { HURRY_MS, LAST_MS, startCrew, startWorkers, stopCrews, type Crew } from './start/crew.ts'
import { startWatchman, type Watchman } from './start/watchman.ts'
import { EXIT, say, tell } from './words.ts'

export async function supervise(settings: Settings, { beat }: { beat: boolean }): Promise<never> {
  const { config, json } = settings
  if (config.maxRuns !== null) {
    throw new ConfigError(
      '--max-runs ends a worker that is one process: for processes that are replaced, give --max-runs-per-process.',
    )
  }
  const ending = watchForEnd(config.graceMs, null)
  const log = createLogger({ level: config.logLevel, role: 'supervisor', fd: process.stderr.fd })
  const watchman = startWatchman()
  const crews = enlist(settings, beat, log, watchman)
  const takeDown = async (graceMs: number, lastMs: number): Promise<void> => {
    await stopCrews(crews, graceMs, lastMs)
    watchman.dismiss()
  }
  try {
    const place = { databaseUrl: findDatabase(config), port: config.port }
    const begun = Promise.all(crews.map((crew) => crew.go(place)))
    const all = await Promise.race([begun, ending.asked.then(() => null)])
    if (all) {
      log.info({ pid: process.pid, processes: config.processes }, 'all worker processes are ready')
      if (json) say(describe(all.map((ready) => ready.document)))
    } else tell('Stopping before it was ready.')
    // When nobody is left to be supervised there is nothing to wait for.
    const dismissed = Promise.all(crews.slice(0, config.processes).map((crew) => crew.dismissed))
    const { graceMs, isOrphaned } = await Promise.race([
      ending.asked,
      dismissed.then(() => ({ graceMs: config.graceMs, isOrphaned: false })),
    ])
    log.info({ graceMs }, 'stopping')
    ending.onHurry(() => void stopCrews(crews, 0, HURRY_MS))
    await takeDown(all ? graceMs : 0, isOrphaned ? HURRY_MS : LAST_MS)
  } catch (error) {
    await takeDown(0, HURRY_MS)
    throw error
  }
  process.exit(EXIT.done)
}

function enlist({ config, json }: Settings, beat: boolean, log: Logger, watchman: Watchman): Crew[] {
  const shared = { config, hasJournal: false, stdout: json ? 2 : 1, log, watchman } as const
  return [...startWorkers(shared), ...(beat ? [startCrew({ role: 'beat', ...shared })] : [])]
}

/** What one worker would say, and who they are. */
function describe(documents: readonly object[]): object {
  const workers = documents.filter(
    (one): one is { name: string; queues: object; tasks: string[] } => 'tasks' in one,
  )
  const { queues, tasks } = workers[0]!
  return { processes: workers.length, names: workers.map(({ name }) => name), queues, tasks }
}
