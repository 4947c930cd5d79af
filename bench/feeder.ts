/**
 * A second process that enqueues in bulk, so that a measured worker process holds nothing of the enqueuer.
 * The measuring side says how many by IPC and never waits: it sees by its own handler what has arrived.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Order } from './child.ts'
import { makeInputs } from './peer.ts'
import type { Peer } from './peer.ts'
import type { Feeder } from './scenario.ts'

interface Portion {
  from: number
  count: number
}

export function startFeeder(order: Order): Feeder {
  const script = new URL('./child.ts', import.meta.url)
  const argument = JSON.stringify({ ...order, phase: 'feed' })
  const child = fork(script, [argument], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] })
  return {
    enqueue: (from, count) => void child.send({ from, count } satisfies Portion),
    async stop() {
      const ended = once(child, 'exit')
      child.send('stop')
      await ended
    },
  }
}

/** Runs until told to stop; portions are enqueued in order. */
export async function serveFeeder(peer: Peer): Promise<void> {
  const portions: Portion[] = []
  let stopped = false
  let wake = (): void => {}
  const tell = (portion: Portion | null): void => {
    if (portion) portions.push(portion)
    else stopped = true
    wake()
  }
  process.on('message', (message) => tell(message === 'stop' ? null : (message as Portion)))
  process.on('disconnect', () => tell(null))
  while (!stopped || portions.length > 0) {
    const portion = portions.shift()
    if (portion) await peer.enqueueMany(makeInputs(portion.from, portion.count))
    else await new Promise<void>((resolve) => (wake = resolve))
  }
}
