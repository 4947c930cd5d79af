/**
 * pg-boss 12. Out of the box it takes one job each two seconds; tuned as its manual says for throughput it
 * fetches `batchSize` jobs, goes on without waiting while batches come back full, and settles each job of a
 * batch with its own output. `notify` makes the queue wake its workers, which costs its senders.
 *
 * It does not say in-process when a completion was stored, so the statement that stores it is watched.
 */
import pg from 'pg'
import { PgBoss } from 'pg-boss'
import { add } from '../peer.ts'
import type { Input, Peer, Setup } from '../peer.ts'

const QUEUE = 'bench'

interface Batch {
  firstId: string
  numbers: number[]
}

/** Calls `finished` for every job of a batch when the statement that names its first id has returned. */
function watchCompletions(boss: PgBoss, batches: Set<Batch>, finished: (x: number) => void): void {
  const db = boss.getDb()
  const executeSql = db.executeSql.bind(db)
  db.executeSql = async (text, values) => {
    const payload = values?.[1]
    const batch =
      typeof payload === 'string' ? [...batches].find((one) => payload.includes(one.firstId)) : undefined
    if (batch) batches.delete(batch)
    const answer = await executeSql(text, values)
    for (const x of batch?.numbers ?? []) finished(x)
    return answer
  }
}

export async function open({ databaseUrl, options }: Setup): Promise<Peer> {
  const notify = options['notify'] === true
  const max = Number(options['pool'] ?? 16)
  const boss = new PgBoss({
    connectionString: databaseUrl,
    max,
    schedule: false,
    useListenNotify: notify,
  })
  boss.on('error', () => {})
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  await boss.start()
  await boss.createQueue(QUEUE, { notify })

  return {
    hotTable: 'pgboss.job_common',
    async prepare() {},
    async enqueue(input) {
      await boss.send(QUEUE, input)
    },
    async enqueueMany(inputs) {
      await boss.insert(
        QUEUE,
        inputs.map((data) => ({ data })),
      )
    },
    async work(watch) {
      const batches = new Set<Batch>()
      if (options['watch'] === true) watchCompletions(boss, batches, watch.finished)
      await boss.work(
        QUEUE,
        {
          batchSize: Number(options['batchSize'] ?? 500),
          localConcurrency: Number(options['workers'] ?? 1),
          burstWhenBatchFull: true,
          pollingIntervalSeconds: 0.5,
          perJobResults: true,
        },
        async (jobs: { id: string; data: Input }[]) => {
          for (const job of jobs) watch.started(job.data.x)
          if (options['watch'] === true && jobs[0]) {
            batches.add({ firstId: jobs[0].id, numbers: jobs.map((job) => job.data.x) })
          }
          return jobs.map((job) => ({
            id: job.id,
            status: 'completed' as const,
            output: { sum: add(job.data) },
          }))
        },
      )
    },
    async unfinished() {
      const answer = await pool.query(
        `select count(*)::int as count from pgboss.job where name = $1 and state < 'completed'`,
        [QUEUE],
      )
      return answer.rows[0].count
    },
    async close() {
      await boss.stop({ graceful: false })
      await pool.end()
    },
  }
}
