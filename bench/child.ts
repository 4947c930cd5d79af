/**
 * One phase of one contestant, in a process of its own: what one library leaves in memory or in the
 * optimiser never touches the next. The order comes as one JSON argument, the answer goes as one JSON line on
 * stdout (marked, since a library may print too). Phases: `prepare` makes the schema, `seed` fills the store,
 * `measure` measures, `feed` enqueues what the measuring process asks for over IPC.
 */
import { PEERS } from './peer.ts'
import type { Peer, Setup } from './peer.ts'
import { MARK } from './mark.ts'
import { serveFeeder, startFeeder } from './feeder.ts'
import type { Contestant } from './scenario.ts'
import { SCENARIOS } from './scenarios/all.ts'

export interface Order {
  phase: 'prepare' | 'seed' | 'measure' | 'feed'
  scenario: string
  contestant: Contestant
  databaseUrl: string
  redisPort: number | null
}

async function carryOut(order: Order, peer: Peer): Promise<unknown> {
  const scenario = SCENARIOS.find((one) => one.name === order.scenario)!
  const params = order.contestant.params ?? {}
  if (order.phase === 'prepare') return peer.prepare?.()
  if (order.phase === 'seed') return scenario.seed?.(peer, params, order)
  if (order.phase === 'feed') return serveFeeder(peer)
  const { databaseUrl } = order
  return scenario.measure(peer, params, { databaseUrl, feed: () => startFeeder(order) })
}

async function main(): Promise<void> {
  const order = JSON.parse(process.argv[2]!) as Order
  const { peer: name, options = {}, seedOptions = {} } = order.contestant
  const setup: Setup = {
    databaseUrl: order.databaseUrl,
    redisPort: order.redisPort,
    options: order.phase === 'seed' ? { ...options, ...seedOptions } : options,
  }
  const module = await PEERS[name]!()
  const peer = await module.open(setup)
  const answer = await carryOut(order, peer)
  process.stdout.write(`${MARK}${JSON.stringify(answer ?? {})}\n`)
  // A worker that does not stop must not spoil a measurement that is already made.
  setTimeout(() => process.exit(0), 5_000).unref()
  await peer.close()
  process.exit(0)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
