/** The task of the bench for `rowbeat worker`, which reports to the process that forked it 20 times a second. */
import { task } from '../../src/index.ts'
import { add } from '../peer.ts'
import type { Input } from '../peer.ts'

export interface Weight {
  started: number
  rss: number
}

let started = 0

export const addTask = task('bench.add', {}, async (input: Input) => {
  started++
  return add(input)
})

if (process.send) {
  setInterval(() => process.send?.({ started, rss: process.memoryUsage.rss() } satisfies Weight), 50).unref()
}
