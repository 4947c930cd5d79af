/**
 * How fast one worker process empties a backlog. The clock starts when the worker is asked to start and ends
 * when the store holds no unfinished job, so start-up and the last flush are inside.
 */
import { chunks, until } from '../load.ts'
import { makeInputs } from '../peer.ts'
import type { Scenario } from '../scenario.ts'

const JOBS = 60_000

export const drain: Scenario = {
  name: 'drain',
  title: 'Drain of a backlog',
  about:
    '60,000 waiting `add(x, y)` jobs (10,000 where said), one worker process; from the start of the worker ' +
    'until the store holds no unfinished job. Jobs per second.',
  columns: [
    { metric: 'rate', title: 'jobs/s', format: 'rate' },
    { metric: 'cpu', title: 'node CPU µs/job', format: 'count' },
    { metric: 'parked', title: 'parked at start', format: 'count' },
  ],
  contestants: [
    { key: 'rowbeat', label: 'Rowbeat as installed: 10 running, overflow on at 20,000', peer: 'rowbeat' },
    {
      key: 'rowbeat-tuned',
      label: 'Rowbeat, 100 running, overflow on',
      peer: 'rowbeat',
      options: { concurrency: 100 },
    },
    {
      key: 'rowbeat-hot',
      label: 'Rowbeat as installed, but overflow off (hot limit 1,000,000)',
      peer: 'rowbeat',
      options: { hotLimit: 1_000_000 },
    },
    {
      key: 'graphile',
      label: 'graphile-worker bare: local queue 500, 24 running, batched completion; keeps no results',
      peer: 'graphile',
      options: { concurrency: 24, localQueue: 500, batchDelay: 0 },
    },
    {
      key: 'pg-boss',
      label: 'pg-boss tuned: batches of 500, burst, output per job',
      peer: 'pg-boss',
      options: { batchSize: 500 },
    },
    {
      key: 'pg-boss-2',
      label: 'the same with 2 workers in the process',
      peer: 'pg-boss',
      options: { batchSize: 500, workers: 2 },
    },
    {
      key: 'bullmq',
      label: 'BullMQ on Redis, 50 running; not durable',
      peer: 'bullmq',
      options: { store: 'redis' },
      redis: 'plain',
    },
    {
      key: 'bullmq-postgres',
      label: 'BullMQ on Postgres, 50 running (10,000 jobs)',
      peer: 'bullmq',
      options: { store: 'postgres' },
      params: { jobs: 10_000 },
    },
    { key: 'sql', label: 'the limit: hand-written SQL', peer: 'sql' },
  ].map((one) => ({ group: '', ...one })) as Scenario['contestants'],

  async seed(peer, params) {
    const jobs = Number(params['jobs'] ?? JOBS)
    for (const chunk of chunks(0, jobs)) await peer.enqueueMany(makeInputs(chunk.from, chunk.count))
  },

  async measure(peer, params) {
    const jobs = Number(params['jobs'] ?? JOBS)
    const parked = (await peer.parked?.()) ?? 0
    let started = 0
    const cpu = process.cpuUsage()
    const from = performance.now()
    await peer.work({ started: () => void started++, finished() {} })
    await until(`${jobs} jobs ran (${started} did)`, () => started >= jobs, 2)
    await until('the store has none left', async () => (await peer.unfinished()) === 0, 2)
    const seconds = (performance.now() - from) / 1000
    const spent = process.cpuUsage(cpu)
    return { rate: jobs / seconds, cpu: (spent.user + spent.system) / jobs, started, parked }
  },
}
