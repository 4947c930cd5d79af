/**
 * `rowbeat start`: everything on one machine, from one command, as one process tree.
 *
 *   start ─┬─ PostgreSQL (unless DATABASE_URL)     server.ts
 *          ├─ api                                  crew.ts
 *          ├─ worker, or --processes of them       crew.ts
 *          └─ beat                                 crew.ts
 *
 * The children are forked first and load while PostgreSQL starts and is migrated. Stopping goes the other way round:
 * api, worker and beat end together within the grace, PostgreSQL is last. A second signal hurries. If this process is
 * killed with -9, its children see their channel close and end within 4 s, and PostgreSQL with them.
 */
import { get } from 'node:http'
import { monotonicMs, sleep } from '../../clock.ts'
import type { Config } from '../../config.ts'
import { connect, explainDatabaseError } from '../../db/connect.ts'
import { toQueryable } from '../../db/handle.ts'
import { migrate } from '../../db/migrate.ts'
import { StoreError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { watchForEnd } from '../ending.ts'
import { requirePort } from '../listening.ts'
import { readSettings, type Flags, type Settings } from '../options.ts'
import { EXIT, say, tell } from '../words.ts'
import type { WorkingFlags } from '../working.ts'
import { describeStart, type Started } from './block.ts'
import { chooseIdentity, establish, writeCredentials, type Identity } from './credentials.ts'
import { HURRY_MS, LAST_MS, startCrew, startWorkers, stopCrews, type Crew } from './crew.ts'
import { holdDataDir } from './hold.ts'
import { openJournal, rotateJournal } from './journal.ts'
import { startServer, type Server } from './server.ts'
import { startWatchman, type Watchman } from './watchman.ts'

const READY_MS = 20_000
/** What has been started so far, for whoever has to stop it. */
interface Tree {
  watchman: Watchman | null
  crews: Crew[]
  server: Promise<Server> | null
}

export async function start(flags: Flags & WorkingFlags): Promise<never> {
  const settings = await readSettings(flags, flags)
  const { config } = settings
  const release = holdDataDir(config.dataDir)
  const ending = watchForEnd(config.graceMs, null)
  const tree: Tree = { watchman: null, crews: [], server: null }
  try {
    await requirePort(config.host, config.port)
    rotateJournal(config.dataDir)
    const log = openJournal(config, 'start')
    const started = await Promise.race([bringUp(settings, log, tree), ending.asked.then(() => null)])
    if (started) say(settings.json ? started.credentials : describeStart(started))
    else tell('Stopping before it was ready.')
    const { graceMs, isOrphaned } = await ending.asked
    log.info({ graceMs }, 'stopping')
    ending.onHurry(() => void stopCrews(tree.crews, 0, HURRY_MS))
    await takeDown(tree, started ? graceMs : 0, isOrphaned ? HURRY_MS : LAST_MS)
    log.info({}, 'stopped')
  } catch (error) {
    await takeDown(tree, 0, HURRY_MS)
    throw error
  } finally {
    release()
  }
  process.exit(EXIT.done)
}

async function bringUp({ config, json }: Settings, log: Logger, tree: Tree): Promise<Started> {
  const identity = chooseIdentity(config)
  const watchman = startWatchman()
  tree.watchman = watchman
  const shared = { config, hasJournal: true, stdout: json ? 2 : 1, log, watchman } as const
  const api = startCrew({ role: 'api', ...shared })
  const others = [...startWorkers(shared), startCrew({ role: 'beat', ...shared })]
  tree.crews = [api, ...others]
  tree.server = startServer(config, log)
  const server = await tree.server
  await migrate({ url: server.url, log })
  const place = { databaseUrl: server.url, port: config.port }
  const [{ url, panel }, apiKey] = await Promise.all([
    api
      .go(place)
      .then(async (ready) => ({ url: await becomesReady(ready.url), panel: panelOf(ready.document) })),
    settle(config, server.url, identity),
    ...others.map((crew) => crew.go(place)),
  ])
  const credentials = { url, databaseUrl: server.url, apiKey, admin: identity.admin }
  writeCredentials(config.dataDir, credentials)
  log.info({ url }, 'ready')
  const { dataDir } = config
  return { credentials, dataDir, database: server.words, panel, isNew: identity.isNew }
}

function panelOf(document: object): string | null {
  return (document as { panel?: string | null }).panel ?? null
}

async function settle(config: Config, url: string, identity: Identity): Promise<string> {
  const sql = connect({ url, role: 'start', max: 1, prepare: config.prepare })
  try {
    return await establish(toQueryable(sql), identity)
  } catch (error) {
    throw explainDatabaseError(error, url)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Asks as a load balancer would. */
async function becomesReady(url: string | null): Promise<string> {
  const deadline = monotonicMs() + READY_MS
  while (monotonicMs() < deadline) {
    if ((await statusOf(`${url}/readyz`)) === 200) return url!
    await sleep(50)
  }
  throw new StoreError(
    'RB_DB_UNREACHABLE',
    `The API listens at ${url}, but ${url}/readyz did not turn ready within ${READY_MS / 1000} s: ask it why.`,
  )
}

function statusOf(url: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 3000 }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    request.once('timeout', () => request.destroy())
    request.once('error', () => resolve(0))
  })
}

async function takeDown(tree: Tree, graceMs: number, lastMs: number): Promise<void> {
  await stopCrews(tree.crews, graceMs, lastMs)
  const server = await tree.server?.catch(() => null)
  await server?.stop('fast')
  tree.watchman?.dismiss()
}
