/**
 * The whole life of a job under load: callers enqueue one by one while one worker in the same process runs
 * them and stores what came of them. The rate is of finished jobs over the whole time, the tail that is left
 * when the callers stop included; the span of a job is from its enqueue call until the store acknowledged
 * its result. A peer whose worker falls behind its callers shows it in the spans.
 */
import { closedLoop, until } from '../load.ts'
import { makeInput } from '../peer.ts'
import type { Contestant, Scenario } from '../scenario.ts'
import { percentiles } from '../statistics.ts'

const lives: Omit<Contestant, 'group'>[] = [
  { key: 'rowbeat', label: 'Rowbeat as installed (10 running)', peer: 'rowbeat', options: { watch: true } },
  {
    key: 'rowbeat-tuned',
    label: 'Rowbeat, 100 running',
    peer: 'rowbeat',
    options: { watch: true, concurrency: 100 },
  },
  {
    key: 'graphile',
    label: 'graphile-worker, 10 running, result INSERTed by the handler',
    peer: 'graphile',
    options: { result: true, pool: 32 },
  },
  {
    key: 'pg-boss',
    label: 'pg-boss, notify, 2 workers with batches of 100',
    peer: 'pg-boss',
    options: { watch: true, notify: true, batchSize: 100, workers: 2 },
  },
  { key: 'bullmq', label: 'BullMQ on Redis, 50 running; not durable', peer: 'bullmq', redis: 'plain' },
  {
    key: 'bullmq-always',
    label: 'BullMQ on Redis, 50 running, appendfsync always',
    peer: 'bullmq',
    redis: 'always',
  },
  {
    key: 'bullmq-postgres',
    label: 'BullMQ on Postgres, 50 running',
    peer: 'bullmq',
    options: { store: 'postgres' },
  },
  { key: 'sql', label: 'hand-written SQL, one INSERT a call', peer: 'sql' },
]

const at = (inFlight: number): Contestant[] =>
  lives.map((one) => ({
    ...one,
    key: `${one.key}@${inFlight}`,
    group: `${inFlight} in flight`,
    params: { inFlight },
  }))

export const life: Scenario = {
  name: 'life',
  title: 'Full life under load',
  about:
    'Callers enqueue one by one for 3 s while one worker in the same process runs the jobs. Rate: jobs ' +
    'finished a second, the tail included. Span: enqueue call to stored result, first second left out.',
  columns: [
    { metric: 'rate', title: 'jobs/s', format: 'rate' },
    { metric: 'spanP50', title: 'p50 ms', format: 'ms' },
    { metric: 'spanP99', title: 'p99 ms', format: 'ms' },
  ],
  contestants: [...at(16), ...at(64)],

  async measure(peer, params) {
    const inFlight = Number(params['inFlight'])
    const askedAt: number[] = []
    const spans: number[] = []
    let finished = 0
    await peer.work({
      started() {},
      finished(x) {
        finished++
        spans[x] = performance.now() - askedAt[x]!
      },
    })
    const from = performance.now()
    let counted = 0
    const rateOfCalls = await closedLoop({ inFlight, warmUpMs: 1000, durationMs: 2000 }, (x) => {
      askedAt[x] = performance.now()
      if (askedAt[x]! - from < 1000) counted = x + 1
      return peer.enqueue(makeInput(x))
    })
    await until(`all of ${askedAt.length} jobs finished`, () => finished >= askedAt.length, 1, 60_000)
    const seconds = (performance.now() - from) / 1000
    return {
      rate: finished / seconds,
      rateOfCalls,
      ...percentiles('span', spans.slice(counted)),
    }
  },
}
