/**
 * Bulk enqueue: chunks of 1000, one after the other, no worker.
 */
import { chunks } from '../load.ts'
import { makeInputs } from '../peer.ts'
import type { Scenario } from '../scenario.ts'

const JOBS = 60_000
const WARM_UP = 5_000

export const bulk: Scenario = {
  name: 'bulk',
  title: 'Bulk enqueue',
  about: '60,000 jobs in chunks of 1,000, one chunk after the other, after 5,000 of warm-up; no worker runs.',
  columns: [{ metric: 'rate', title: 'jobs/s', format: 'rate' }],
  contestants: [
    { key: 'rowbeat', label: 'rowbeat.enqueueMany', peer: 'rowbeat', group: '' },
    { key: 'graphile', label: 'graphile-worker addJobs', peer: 'graphile', group: '' },
    { key: 'pg-boss', label: 'pg-boss insert', peer: 'pg-boss', group: '' },
    {
      key: 'bullmq',
      label: 'BullMQ addBulk on Redis; not durable',
      peer: 'bullmq',
      group: '',
      redis: 'plain',
    },
    {
      key: 'bullmq-always',
      label: 'BullMQ addBulk on Redis, appendfsync always',
      peer: 'bullmq',
      group: '',
      redis: 'always',
    },
    {
      key: 'bullmq-postgres',
      label: 'BullMQ addBulk on Postgres',
      peer: 'bullmq',
      group: '',
      options: { store: 'postgres' },
    },
    { key: 'sql', label: 'the limit: hand-written SQL', peer: 'sql', group: '' },
  ],

  async measure(peer) {
    for (const chunk of chunks(0, WARM_UP)) await peer.enqueueMany(makeInputs(chunk.from, chunk.count))
    const from = performance.now()
    for (const chunk of chunks(WARM_UP, JOBS)) await peer.enqueueMany(makeInputs(chunk.from, chunk.count))
    return { rate: JOBS / ((performance.now() - from) / 1000) }
  },
}
