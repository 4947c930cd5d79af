/**
 * `npm run bench`: starts the servers, plays the scenarios, writes JSON and (when all of them ran) the page.
 *
 *   node bench/main.ts [--only drain,life] [--rounds 3] [--json out.json] [--docs docs/benchmarks.md]
 *                      [--contestants rowbeat,graphile] [--calm 0.2] [--postgres URL]
 *
 * `--only schedules` is every scenario whose name is that or begins with `schedules-`.
 * `--calm` makes a run again (three times at most) in which other processes used more cores than that.
 * `--json` of an earlier run is added to, so a scenario can be run again by itself. The peers live in this
 * folder's own package.json and are installed when missing; nothing else is imported before that is done.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Results } from './results.ts'

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    contestants: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
    docs: { type: 'string' },
    postgres: { type: 'string' },
    calm: { type: 'string', default: 'Infinity' },
  },
})

const say = (line: string): void => console.error(line)
const list = (value: string | undefined): string[] => (value ? value.split(',') : [])
const here = fileURLToPath(new URL('.', import.meta.url))

function installPeers(): void {
  if (existsSync(`${here}node_modules/bullmq`) && existsSync(`${here}node_modules/pg-boss`)) return
  say('Installing the peers into bench/node_modules')
  // Not `npm ci`: it refuses a lock file made where the registry lacks some platform's optional package.
  const answer = spawnSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' })
  if (answer.status !== 0) process.exit(answer.status ?? 1)
}

async function bench(): Promise<boolean> {
  const { SCENARIOS } = await import('./scenarios/all.ts')
  const { openDatabases, startServers } = await import('./servers.ts')
  const { describeMachine } = await import('./machine.ts')
  const { playScenario } = await import('./run.ts')
  const { floorRows, writePage } = await import('./page.ts')

  const only = list(flags.only)
  const isWanted = (scenario: string, name: string): boolean =>
    scenario === name || scenario.startsWith(`${name}-`)
  const unknown = only.filter((name) => !SCENARIOS.some((one) => isWanted(one.name, name)))
  if (unknown.length > 0) {
    say(`No scenario ${unknown.join(', ')}; there are ${SCENARIOS.map((one) => one.name).join(', ')}`)
    return false
  }
  const servers = await startServers(flags.postgres ?? null)
  const databases = openDatabases(servers)
  if (!servers.redis)
    say('No redis-server on PATH: BullMQ on Redis is left out (Debian: apt install redis-server)')
  const results: Results =
    flags.json && existsSync(flags.json)
      ? (JSON.parse(readFileSync(flags.json, 'utf8')) as Results)
      : { machine: {}, scenarios: {} }
  try {
    results.machine = await describeMachine(databases.admin)
    const play = {
      servers,
      databases,
      rounds: Number(flags.rounds),
      calm: Number(flags.calm),
      contestants: list(flags.contestants),
      say,
    }
    for (const scenario of SCENARIOS) {
      if (only.length > 0 && !only.some((name) => isWanted(scenario.name, name))) continue
      results.scenarios[scenario.name] = await playScenario(scenario, play)
      for (const row of floorRows(results, scenario.name)) say(row)
      if (flags.json) writeFileSync(flags.json, `${JSON.stringify(results, null, 1)}\n`)
    }
  } finally {
    await databases.close()
    await servers.stop()
  }
  const whole = SCENARIOS.every((scenario) => results.scenarios[scenario.name])
  const page = flags.docs ?? (whole ? `${here}../docs/benchmarks.md` : null)
  if (page) writePage(page, results)
  if (!flags.json) console.log(JSON.stringify(results))
  return true
}

installPeers()
process.exitCode = (await bench()) ? 0 : 2
