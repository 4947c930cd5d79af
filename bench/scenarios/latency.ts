/**
 * Latency of a quiet system: 25 jobs a second at irregular instants, one idle worker in the same process.
 * From the enqueue call to the first line of the handler, and to the stored result. One contestant has
 * 200,000 runs waiting in another queue, which must not be felt.
 */
import { chunks, openLoop, until } from '../load.ts'
import { makeInput, makeInputs } from '../peer.ts'
import { sleep } from '../scenario.ts'
import type { Scenario } from '../scenario.ts'
import { percentiles } from '../statistics.ts'

const PER_SECOND = 25
const COUNTED = 250
const WARM_UP = 25

export const latency: Scenario = {
  name: 'latency',
  title: 'Latency at 25 jobs a second',
  about:
    '25 jobs a second for 10 s (1 s of warm-up), caller and idle worker in one process. Enqueue call to the ' +
    'first line of the handler; enqueue call to the acknowledged result. Milliseconds.',
  columns: [
    { metric: 'startP50', title: 'start p50', format: 'ms' },
    { metric: 'startP95', title: 'p95', format: 'ms' },
    { metric: 'startP99', title: 'p99', format: 'ms' },
    { metric: 'resultP50', title: 'result p50', format: 'ms' },
    { metric: 'resultP95', title: 'p95', format: 'ms' },
    { metric: 'resultP99', title: 'p99', format: 'ms' },
  ],
  contestants: [
    { key: 'rowbeat', label: 'Rowbeat', peer: 'rowbeat', group: '', options: { watch: true } },
    {
      key: 'rowbeat-waiting',
      label: 'Rowbeat, 200,000 runs waiting in another queue',
      peer: 'rowbeat',
      group: '',
      options: { watch: true },
      params: { waiting: 200_000 },
      seedOptions: { queue: 'waiting' },
    },
    {
      key: 'graphile',
      label: 'graphile-worker, 10 running, result INSERTed by the handler',
      peer: 'graphile',
      group: '',
      options: { result: true },
    },
    {
      key: 'pg-boss',
      label: 'pg-boss, notify, batches of 10',
      peer: 'pg-boss',
      group: '',
      options: { watch: true, notify: true, batchSize: 10 },
    },
    { key: 'bullmq', label: 'BullMQ on Redis; not durable', peer: 'bullmq', group: '', redis: 'plain' },
    {
      key: 'bullmq-postgres',
      label: 'BullMQ on Postgres',
      peer: 'bullmq',
      group: '',
      options: { store: 'postgres' },
    },
  ],

  async seed(peer, params) {
    const waiting = Number(params['waiting'] ?? 0)
    if (waiting === 0) return
    for (const chunk of chunks(1_000_000, waiting)) {
      await peer.enqueueMany(makeInputs(chunk.from, chunk.count))
    }
  },

  async measure(peer) {
    const count = WARM_UP + COUNTED
    const askedAt: number[] = []
    const starts: number[] = []
    const results: number[] = []
    let finished = 0
    await peer.work({
      started: (x) => void (starts[x] = performance.now() - askedAt[x]!),
      finished(x) {
        results[x] = performance.now() - askedAt[x]!
        finished++
      },
    })
    await sleep(1500)
    const calls: Promise<unknown>[] = []
    await openLoop(PER_SECOND, count, (x) => {
      askedAt[x] = performance.now()
      calls.push(peer.enqueue(makeInput(x)))
    })
    await Promise.all(calls)
    await until(`${count} jobs finished (${finished} did)`, () => finished >= count, 5, 30_000)
    return {
      ...percentiles('start', starts.slice(WARM_UP)),
      ...percentiles('result', results.slice(WARM_UP)),
      resultMax: Math.max(...results.slice(WARM_UP)),
    }
  },
}
