/**
 * `npm run torture -- [names] [--count n] [--seed n]`: the long forms of what `npm test` shows in short. Without a name it
 * lists what there is. Each scenario gets a database of its own on the tests' PostgreSQL and ends with one line; a line
 * that is not clean makes the exit code 1. The seed is printed, so that a bad day can be lived through again.
 */
import { parseArgs } from 'node:util'
import { setup } from '../helpers/bundle.ts'
import { isClean, seeded, toLine, type Scenario } from './scenario.ts'

/** One entry per scenario; imported only when asked for. */
const SCENARIOS: Record<string, () => Promise<Scenario>> = {
  'enqueue-kills': async () => (await import('./enqueue-kills.ts')).enqueueKills,
  'worker-kills': async () => (await import('./worker-kills.ts')).workerKills,
  'exactly-once': async () => (await import('./exactly-once.ts')).exactlyOnce,
  'connection-cuts': async () => (await import('./connection-cuts.ts')).connectionCuts,
  restarts: async () => (await import('./restarts.ts')).restarts,
  freeze: async () => (await import('./freeze.ts')).freeze,
  zones: async () => (await import('./zones.ts')).zones,
  'half-open': async () => (await import('./half-open.ts')).halfOpen,
  rates: async () => (await import('./rates.ts')).rates,
  concurrency: async () => (await import('./concurrency.ts')).concurrency,
  poisons: async () => (await import('./poisons.ts')).poisons,
  sigterms: async () => (await import('./sigterms.ts')).sigterms,
  limits: async () => (await import('./limits.ts')).limits,
  revokes: async () => (await import('./revokes.ts')).revokes,
  beats: async () => (await import('./beats.ts')).beats,
  pauses: async () => (await import('./pauses.ts')).pauses,
  priorities: async () => (await import('./pauses.ts')).priorities,
  idempotency: async () => (await import('./idempotency.ts')).idempotency,
  logins: async () => (await import('./logins.ts')).logins,
  'login-times': async () => (await import('./logins.ts')).loginTimes,
  fuzz: async () => (await import('./fuzz.ts')).fuzz,
  'beat-edits': async () => (await import('./beat-edits.ts')).beatEdits,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: 'string' }, seed: { type: 'string' } },
})
const names = positionals.includes('all') ? Object.keys(SCENARIOS) : positionals
const unknown = names.find((name) => !Object.hasOwn(SCENARIOS, name))
if (unknown) console.error(`There is no scenario "${unknown}".`)
if (unknown || names.length === 0) {
  console.log('npm run torture -- <name …|all> [--count n] [--seed n]\n')
  for (const [name, load] of Object.entries(SCENARIOS)) {
    const { says, count } = await load()
    console.log(`${name.padEnd(24)}${says} (${count})`)
  }
  process.exitCode = unknown ? 2 : 0
}
for (const name of unknown ? [] : names) process.exitCode = (await torture(name)) || process.exitCode

async function torture(name: string): Promise<number> {
  const scenario = await SCENARIOS[name]!()
  const seed = Number(values.seed ?? Date.now() % 1_000_000)
  const handlers: (() => unknown)[] = []
  const teardown = (handler: () => unknown): unknown => handlers.push(handler)
  const startedAt = performance.now()
  try {
    const tally = await scenario.run({
      world: await setup({ teardown }),
      count: Number(values.count ?? scenario.count),
      random: seeded(seed),
      teardown,
      log: (line) => console.error(`  ${line}`),
    })
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(
      `${name} ${toLine(tally)} seed=${seed} seconds=${seconds} ${isClean(tally) ? 'clean' : 'NOT CLEAN'}`,
    )
    return isClean(tally) ? 0 : 1
  } finally {
    for (const handler of handlers.toReversed()) await handler()
  }
}
