/**
 * BullMQ 6, on Redis and on its Postgres backend. Its worker says `completed` when the store has
 * acknowledged the move, so the same event serves both. Default retention: finished jobs stay.
 */
import { createPostgresBackend, Queue, withBackend, Worker } from 'bullmq'
import { add } from '../peer.ts'
import type { Input, Peer, Setup } from '../peer.ts'

const QUEUE = 'bench'

type Job = { data: Input }

export async function open({ databaseUrl, redisPort, options }: Setup): Promise<Peer> {
  const concurrency = Number(options['concurrency'] ?? 50)
  const onPostgres = options['store'] === 'postgres'
  const backend = withBackend(createPostgresBackend)
  const redis = { host: '127.0.0.1', port: redisPort ?? 6379 }
  const max = Number(options['pool'] ?? 16)
  const postgres = { connectionString: databaseUrl, max, migrate: true }
  const queue = onPostgres
    ? new backend.Queue(QUEUE, { connection: postgres })
    : new Queue(QUEUE, { connection: redis })
  queue.on('error', () => {})
  await queue.waitUntilReady()
  const workers: { close(force?: boolean): Promise<void> }[] = []

  return {
    async prepare() {},
    async enqueue(input) {
      await queue.add('add', input)
    },
    async enqueueMany(inputs) {
      await queue.addBulk(inputs.map((data) => ({ name: 'add', data })))
    },
    async work(watch) {
      const handler = async (job: Job): Promise<number> => {
        watch.started(job.data.x)
        return add(job.data)
      }
      const worker = onPostgres
        ? new backend.Worker(QUEUE, handler, { connection: postgres, concurrency })
        : new Worker(QUEUE, handler, { connection: redis, concurrency })
      worker.on('error', () => {})
      worker.on('completed', (job: Job) => watch.finished(job.data.x))
      workers.push(worker)
      await worker.waitUntilReady()
    },
    async unfinished() {
      const counts = await queue.getJobCounts('waiting', 'active', 'prioritized', 'delayed')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    async close() {
      for (const worker of workers) await worker.close(true)
      await queue.close()
    },
  }
}
