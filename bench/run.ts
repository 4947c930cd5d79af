/**
 * The order of play: rounds outside, contestants inside (A B C A B C), so that a slow minute of the machine
 * falls on all of them alike. Each run gets a fresh copy of its peer's schema and, for Redis, an empty
 * server. A contestant that fails is said so and left out of that round; the others go on.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { watchNeighbours } from './neighbours.ts'
import { MARK } from './mark.ts'
import type { Order } from './child.ts'
import type { ContestantResult, ScenarioResult } from './results.ts'
import type { Contestant, Metrics, Scenario } from './scenario.ts'
import type { openDatabases, Servers } from './servers.ts'

type Databases = ReturnType<typeof openDatabases>

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))
const DEADLINE_MS = 1_800_000

async function runChild(order: Order): Promise<Metrics> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  let words = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-4000)))
  await once(child, 'close')
  const line = output.split('\n').find((one) => one.startsWith(MARK))
  if (!line) throw new Error(`${order.phase} of ${order.contestant.key} failed: ${words.trim()}`)
  return JSON.parse(line.slice(MARK.length)) as Metrics
}

/** A run in which others used too much of the machine is made again, this often at most. */
const TRIES = 4

export interface Play {
  servers: Servers
  databases: Databases
  rounds: number
  /** Cores that others may use during a run; Infinity takes every run as it comes. */
  calm: number
  /** Only contestants whose key contains one of these; empty means all. */
  contestants: string[]
  say(line: string): void
}

export function createStage({ servers, databases }: Pick<Play, 'servers' | 'databases'>) {
  const templates = new Map<string, string>()
  const roots = [process.pid, ...(servers.postgresPid ? [servers.postgresPid] : [])]

  async function templateOf(order: Omit<Order, 'phase' | 'databaseUrl'>): Promise<string> {
    const { peer, options = {} } = order.contestant
    const key = JSON.stringify([peer, options])
    const known = templates.get(key)
    if (known) return known
    const name = await databases.template(async (databaseUrl) => {
      await runChild({ ...order, phase: 'prepare', databaseUrl })
      await databases.settle(databaseUrl)
    })
    templates.set(key, name)
    return name
  }

  return async function perform(scenario: Scenario, contestant: Contestant): Promise<Metrics> {
    const redisPort = contestant.redis ? servers.redis![contestant.redis] : null
    const part = { scenario: scenario.name, contestant, redisPort }
    if (redisPort) await emptyRedis(redisPort)
    const database = await databases.copy(await templateOf(part))
    try {
      const order = { ...part, databaseUrl: database.url }
      if (scenario.seed) await runChild({ ...order, phase: 'seed' })
      await databases.settle(database.url)
      const neighbours = watchNeighbours(roots)
      const metrics = await runChild({ ...order, phase: 'measure' })
      return { ...metrics, neighbours: neighbours() }
    } finally {
      await database.drop()
    }
  }
}

async function emptyRedis(port: number): Promise<void> {
  const redis = new Redis({ port, host: '127.0.0.1' })
  await redis.flushall('SYNC')
  await redis.quit()
}

export async function playScenario(scenario: Scenario, play: Play): Promise<ScenarioResult> {
  const perform = createStage(play)
  const rounds = Math.min(play.rounds, scenario.roundsMax ?? Infinity)
  // What takes minutes is made once, whatever others do.
  const calm = scenario.roundsMax ? Infinity : play.calm
  const wanted = (one: Contestant): boolean =>
    play.contestants.length === 0 ||
    play.contestants.some((part) => one.key.split('@')[0] === part || one.key === part)
  const playing = scenario.contestants.filter(wanted).filter((one) => !one.redis || play.servers.redis)
  const results: ContestantResult[] = playing.map(({ key, label, group }) => ({
    key,
    label,
    group,
    rounds: [],
  }))
  const load = loadavg()[0]!
  for (let round = 1; round <= rounds; round++) {
    for (const [index, contestant] of playing.entries()) {
      try {
        let metrics = await perform(scenario, contestant)
        for (let tries = 1; metrics['neighbours']! > calm && tries < TRIES; tries++) {
          play.say(`${contestant.key}: others used ${metrics['neighbours']!.toFixed(2)} cores, once more`)
          const again = await perform(scenario, contestant)
          if (again['neighbours']! < metrics['neighbours']!) metrics = again
        }
        results[index]!.rounds.push({ round, ...metrics })
        const main = scenario.columns.map(
          ({ metric, title }) => `${title} ${Number(metrics[metric]?.toFixed(1))}`,
        )
        play.say(
          `${scenario.name} ${round}/${rounds} ${contestant.key}: ${main.join(', ')} (others: ${metrics['neighbours']!.toFixed(2)} cores)`,
        )
      } catch (error) {
        play.say(`${scenario.name} ${round}/${rounds} ${contestant.key} FAILED: ${(error as Error).message}`)
      }
    }
  }
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  return { date: `${date} UTC`, load: load.toFixed(1), contestants: results }
}
