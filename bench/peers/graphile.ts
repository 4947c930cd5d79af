/**
 * graphile-worker by itself. It keeps no results: with `result: true` the handler INSERTs one row before it
 * returns, which is what a user would write. Without it nothing durable says what came of a job; that is the
 * "bare" contestant of the drain.
 *
 * `concurrency`, `localQueue` and `batchDelay` are its own tuning knobs. `addJob` goes through its worker
 * utils, so it is the documented way to enqueue; inside a caller's transaction the documented way is its SQL
 * function.
 */
import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker'
import type { Runner } from 'graphile-worker'
import pg from 'pg'
import { add } from '../peer.ts'
import type { Input, Peer, Setup } from '../peer.ts'

const silent = new Logger(() => () => {})

export async function open({ databaseUrl, options }: Setup): Promise<Peer> {
  const concurrency = Number(options['concurrency'] ?? 10)
  const localQueue = Number(options['localQueue'] ?? -1)
  const batchDelay = Number(options['batchDelay'] ?? -1)
  const keepsResult = options['result'] === true
  const pool = new pg.Pool({ connectionString: databaseUrl, max: Number(options['pool'] ?? 16) })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const utils = await makeWorkerUtils({ pgPool: pool, logger: silent })
  let runner: Runner | null = null

  return {
    hotTable: 'graphile_worker._private_jobs',
    async prepare() {
      await runMigrations({ pgPool: pool, logger: silent })
      await pool.query('create table results (id bigint primary key, result jsonb, finished_at timestamptz)')
    },
    async enqueue(input) {
      await utils.addJob('add', input)
    },
    async enqueueMany(inputs) {
      await utils.addJobs(inputs.map((payload) => ({ identifier: 'add', payload })))
    },
    async work(watch) {
      const insert = {
        name: 'insert_result',
        text: 'insert into results (id, result, finished_at) values ($1, $2, now())',
      }
      const addTask = async (payload: unknown): Promise<void> => {
        const input = payload as Input
        watch.started(input.x)
        const result = add(input)
        if (!keepsResult) return
        await pool.query({ ...insert, values: [input.x, JSON.stringify(result)] })
        watch.finished(input.x)
      }
      runner = await run({
        connectionString: databaseUrl,
        logger: silent,
        noHandleSignals: true,
        taskList: { add: addTask },
        preset: {
          worker: {
            concurrentJobs: concurrency,
            maxPoolSize: Math.max(10, concurrency + 2),
            completeJobBatchDelay: batchDelay,
            ...(localQueue > 0 ? { localQueue: { size: localQueue } } : {}),
          },
        },
      })
    },
    async unfinished() {
      const answer = await pool.query('select count(*)::int as count from graphile_worker._private_jobs')
      return answer.rows[0].count
    },
    async close() {
      await runner?.stop()
      await utils.release()
      await pool.end()
    },
  }
}
