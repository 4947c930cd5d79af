/**
 * A web service in a process of its own, so that those who ask it do not share its event loop. `rowbeat` is the whole
 * stack of `rowbeat api`: guard, validation against the task's schema, documents, problem details. `panel` is that with the panel. `add_job` is what
 * people write by hand: a Fastify handler that inserts its row and graphile-worker's job in one transaction.
 * Says its address and key to the parent, and ends with it.
 */
import { makeWorkerUtils, Logger } from 'graphile-worker'
import { fastify } from 'fastify'
import pg from 'pg'
import { pino } from 'pino'

const CONNECTIONS = 16

export interface Address {
  port: number
  /** The Authorization header, or nothing. */
  key: string | null
}

async function serveByHand(databaseUrl: string): Promise<Address> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS })
  const utils = await makeWorkerUtils({ pgPool: pool, logger: new Logger(() => () => {}) })
  await utils.migrate()
  await pool.query(`create table if not exists orders (
    id bigint generated always as identity primary key, email text not null, total int not null)`)
  const app = fastify()
  app.post('/orders', async (request, reply) => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const { rows } = await client.query({
        name: 'insert_order',
        text: 'insert into orders (email, total) values ($1, $2) returning id',
        values: ['ada@example.net', 1],
      })
      await client.query({
        name: 'add_job',
        text: `select id from graphile_worker.add_job('add', $1::json)`,
        values: [JSON.stringify(request.body)],
      })
      await client.query('commit')
      return await reply.code(201).send({ id: rows[0].id })
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: (app.server.address() as { port: number }).port, key: null }
}

async function serveRowbeat(databaseUrl: string, withPanel: boolean): Promise<Address> {
  const [
    { keepYoungSmall, settleMemory },
    { createServer },
    { issueKey },
    { toQueryable },
    { createRowbeat, task },
  ] = await Promise.all([
    import('../src/cli/memory.ts'),
    import('../src/api/server.ts'),
    import('../src/auth/key.ts'),
    import('../src/db/handle.ts'),
    import('../src/index.ts'),
  ])
  // As `rowbeat api` does.
  keepYoungSmall()
  settleMemory({ mayGrow: true })
  const input = {
    type: 'object',
    properties: { x: { type: 'integer' }, y: { type: 'integer' }, note: { type: 'string', maxLength: 100 } },
    required: ['x', 'y'],
    additionalProperties: false,
  }
  const rowbeat = createRowbeat({
    databaseUrl,
    connections: 10,
    tasks: [task('bench.add', { input }, async () => null)],
  })
  const { key } = await issueKey(toQueryable(rowbeat.db), { name: 'bench', scopes: ['*'] })
  const app = createServer({ rowbeat, logger: pino({ level: 'error' }) })
  if (withPanel) app.register((await import('../admin/panel.ts')).rowbeatPanel, { rowbeat })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: (app.server.address() as { port: number }).port, key }
}

const [kind, databaseUrl] = process.argv.slice(2)
process.on('disconnect', () => process.exit(0))
process.send!(
  await (kind === 'add_job' ? serveByHand(databaseUrl!) : serveRowbeat(databaseUrl!, kind === 'panel')),
)
