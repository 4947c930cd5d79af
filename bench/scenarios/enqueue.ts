/**
 * How fast callers can enqueue one by one, each waiting until its own job is acknowledged by the store; and
 * what enqueueing adds to a transaction that the caller owns. No worker runs. A few thousand jobs are there
 * already and the tables are analysed, since graphile's add_job keeps a bad plan on a table that was empty
 * when the session began.
 */
import { chunks, closedLoop } from '../load.ts'
import { makeInput, makeInputs } from '../peer.ts'
import type { Contestant, Scenario } from '../scenario.ts'

const SEEDED = 5_000

const callers: Omit<Contestant, 'group'>[] = [
  { key: 'rowbeat', label: 'rowbeat.enqueue', peer: 'rowbeat' },
  { key: 'graphile', label: 'graphile-worker addJob', peer: 'graphile' },
  { key: 'pg-boss', label: 'pg-boss send', peer: 'pg-boss' },
  { key: 'bullmq', label: 'BullMQ on Redis; not durable', peer: 'bullmq', redis: 'plain' },
  { key: 'bullmq-always', label: 'BullMQ on Redis, appendfsync always', peer: 'bullmq', redis: 'always' },
  { key: 'bullmq-postgres', label: 'BullMQ on Postgres', peer: 'bullmq', options: { store: 'postgres' } },
  { key: 'sql', label: 'hand-written SQL, one INSERT a call', peer: 'sql' },
]

const orders: Omit<Contestant, 'group'>[] = [
  {
    key: 'rowbeat',
    label: 'rowbeat.in(tx).enqueue, node-postgres, no worker: each rings the bell',
    options: { with: 'rowbeat' },
  },
  {
    key: 'rowbeat-busy',
    label: 'rowbeat.in(tx).enqueue, node-postgres, while a busy worker keeps the queue hot',
    options: { with: 'rowbeat', hot: true },
  },
  { key: 'add_job', label: 'graphile add_job(), node-postgres', options: { with: 'add_job' } },
  { key: 'nothing', label: 'no enqueue, node-postgres', options: { with: 'nothing' } },
  {
    key: 'rowbeat-postgres',
    label: 'rowbeat.in(tx).enqueue, postgres.js, queue hot',
    options: { with: 'rowbeat', driver: 'postgres', hot: true },
  },
  {
    key: 'nothing-postgres',
    label: 'no enqueue, postgres.js',
    options: { with: 'nothing', driver: 'postgres' },
  },
].map((one) => ({ peer: 'orders', ...one }))

const inFlight = (count: number): Contestant[] =>
  callers.map((one) => ({
    ...one,
    key: `${one.key}@${count}`,
    group: `${count} in flight`,
    params: { inFlight: count },
  }))

export const enqueue: Scenario = {
  name: 'enqueue',
  title: 'Enqueue one by one',
  about:
    'Each caller waits for its acknowledgement before its next call; no worker runs; 3 s after 1 s of ' +
    'warm-up. In a transaction of the caller: BEGIN, INSERT an order, enqueue, COMMIT. Per second.',
  columns: [{ metric: 'rate', title: 'per second', format: 'rate' }],
  contestants: [
    ...inFlight(1),
    ...inFlight(16),
    ...inFlight(64),
    ...orders.map((one) => ({
      ...one,
      key: `${one.key}@tx`,
      group: 'in the transaction of the caller, 16 in flight',
      params: { inFlight: 16, order: true },
    })),
  ],

  async seed(peer) {
    for (const chunk of chunks(1_000_000, SEEDED)) await peer.enqueueMany(makeInputs(chunk.from, chunk.count))
  },

  async measure(peer, params) {
    const call =
      params['order'] === true
        ? (x: number) => peer.order!(makeInput(x))
        : (x: number) => peer.enqueue(makeInput(x))
    const shape = { inFlight: Number(params['inFlight']), warmUpMs: 1000, durationMs: 3000 }
    return { rate: await closedLoop(shape, call) }
  },
}
