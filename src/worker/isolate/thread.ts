/**
 * What runs in a thread of the pool: one order at a time. Each order brings a port of its own, so that nothing of one run
 * can be taken for another's.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { runInside } from './inside.ts'
import type { Abort, Order } from './protocol.ts'

const life = { runs: 0 }

export interface ThreadOrder {
  readonly order: Order
  readonly port: MessagePort
  /** Runs after which this thread is to be replaced. */
  readonly recycleAfter: number | null
}

/** Called by the pool. */
export async function runOrder({ order, port, recycleAfter }: ThreadOrder): Promise<void> {
  let hear = (_: Abort): void => {}
  await runInside(
    order,
    {
      say: (message) => port.postMessage(message),
      onAbort(listener) {
        hear = listener
        port.on('message', hear)
      },
      look() {
        const waiting = receiveMessageOnPort(port) as { message: Abort } | undefined
        if (waiting) hear(waiting.message)
      },
    },
    life,
  )
  // The worker ends this thread, once it has read the answer: a pool that heard of the end would give it another run first.
  if (recycleAfter !== null && life.runs >= recycleAfter) await new Promise(() => {})
}
