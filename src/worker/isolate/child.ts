/**
 * What runs in a process of its own: one order at a time, over the channel to its parent. It lives for its worker: when
 * that is gone it ends, by the channel's closing or, where a handler never gives the event loop back, by the watch of a
 * thread. Signals of a terminal go to every process of its group, and what they mean is the worker's to decide.
 */
import { extname } from 'node:path'
import { Worker as Thread } from 'node:worker_threads'
import { runInside } from './inside.ts'
import type { Abort, Order } from './protocol.ts'

const life = { runs: 0 }
const ear = { hear: (_: Abort): void => {} }

const run = (order: Order): Promise<void> =>
  runInside(
    order,
    {
      say: (message) => void process.send?.(message, undefined, undefined, () => {}),
      onAbort: (listener) => void (ear.hear = listener),
    },
    life,
  )

process.on('message', (message: Abort | ({ kind: 'order' } & Order)) => {
  if (message.kind === 'abort') ear.hear(message)
  else void run(message)
})
process.on('disconnect', () => process.exit(0))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
new Thread(new URL(`./parent-watch${extname(import.meta.url)}`, import.meta.url), {
  workerData: process.ppid,
  resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  // What the process was started with (loaders, instrumentation) is for the user's code, and does not fit in here.
  execArgv: [],
}).unref()
