/**
 * Enqueue inside the caller's own transaction: BEGIN, INSERT an order, enqueue, COMMIT. The connection and
 * the order are the caller's, so nothing can be coalesced here. `with` says what the transaction enqueues:
 * nothing (the floor every enqueue is compared with), graphile's add_job, or a rowbeat run. `driver` says
 * whose transaction it is: node-postgres or postgres.js. `hot` marks the queue as a busy worker marks it, so that no
 * transaction has to NOTIFY.
 */
import { makeWorkerUtils, Logger } from 'graphile-worker'
import pg from 'pg'
import postgres from 'postgres'
import type { Input, Peer, Setup } from '../peer.ts'

const INSERT = `insert into orders (email, total) values ($1, $2) returning id`
const ADD_JOB = { name: 'add_job', text: `select id from graphile_worker.add_job('add', $1::json)` }

const silent = new Logger(() => () => {})

export async function open({ databaseUrl, redisPort, options }: Setup): Promise<Peer> {
  const kind = String(options['with'] ?? 'nothing')
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 16 })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const sql = postgres(databaseUrl, { max: 16, onnotice: () => {} })
  const rowbeatPeer = kind === 'rowbeat' ? await import('./rowbeat.ts') : null
  const rowbeat = await rowbeatPeer?.connectRowbeat(databaseUrl)

  async function orderByPg(input: Input): Promise<void> {
    const client = await pool.connect()
    try {
      await client.query('begin')
      await client.query({ name: 'insert_order', text: INSERT, values: ['ada@example.net', input.x] })
      if (kind === 'add_job') await client.query({ ...ADD_JOB, values: [JSON.stringify(input)] })
      if (rowbeat) await rowbeat.in(client).enqueue(rowbeatPeer!.addTask, input)
      await client.query('commit')
    } finally {
      client.release()
    }
  }

  async function orderByPostgres(input: Input): Promise<void> {
    await sql.begin(async (tx) => {
      await tx.unsafe(INSERT, ['ada@example.net', input.x], { prepare: true })
      if (rowbeat) await rowbeat.in(tx).enqueue(rowbeatPeer!.addTask, input)
    })
  }

  return {
    async prepare() {
      await pool.query(`create table orders (
        id bigint generated always as identity primary key, email text not null, total int not null,
        created_at timestamptz not null default now())`)
      await rowbeatPeer?.prepareRowbeat(databaseUrl)
      if (options['hot'] === true) {
        await pool.query(`insert into rowbeat.queues (name, hot_until) values ('default', now() + interval '1 day')
          on conflict (name) do update set hot_until = excluded.hot_until`)
      }
      if (kind !== 'add_job') return
      const utils = await makeWorkerUtils({ pgPool: pool, logger: silent })
      await utils.migrate()
      await utils.release()
    },
    order: options['driver'] === 'postgres' ? orderByPostgres : orderByPg,
    async enqueue() {},
    async enqueueMany(inputs) {
      const other = kind === 'add_job' ? await import('./graphile.ts') : rowbeatPeer
      if (!other) return
      const peer = await other.open({ databaseUrl, redisPort, options: {} })
      await peer.enqueueMany(inputs)
      await peer.close()
    },
    async work() {},
    async unfinished() {
      return 0
    },
    async close() {
      await rowbeat?.close()
      await pool.end()
      await sql.end()
    },
  }
}
