/**
 * Rowbeat itself, through nothing but its public surface (`src/index.ts`) and the migration that `npm start`
 * runs. Every run leaves a durable result row. Without `concurrency` and `hotLimit` it is as installed: 10
 * running, and a queue of more than 5,000 overflows into `rowbeat.parked`.
 */
import type postgres from 'postgres'
import { createRowbeat, migrate, task } from '../../src/index.ts'
import { add } from '../peer.ts'
import type { Input, Peer, Setup, Watch } from '../peer.ts'

const idle: Watch = { started() {}, finished() {} }

/** The watcher is bound when a worker starts; a task is a plain value and knows nothing of it. */
let watching: Watch = idle
const numbers = new Map<string, number>()
let keepsNumbers = false

export const addTask = task('bench.add', {}, async (input: Input, context) => {
  watching.started(input.x)
  if (keepsNumbers) numbers.set(context.run.id, input.x)
  return add(input)
})

export async function connectRowbeat(databaseUrl: string) {
  return createRowbeat({ databaseUrl, tasks: [addTask] })
}

export async function prepareRowbeat(databaseUrl: string): Promise<void> {
  await migrate({ url: databaseUrl })
}

export async function open({ databaseUrl, options }: Setup): Promise<Peer> {
  const rowbeat = await connectRowbeat(databaseUrl)
  const concurrency = options['concurrency'] === undefined ? undefined : Number(options['concurrency'])
  let worker: ReturnType<(typeof import('../../src/index.ts'))['createWorker']> | null = null
  let sql: postgres.Sql | null = null
  // Loaded when first needed: a worker whose memory is measured should not carry a second copy of the client.
  const query = async (): Promise<postgres.Sql> =>
    (sql ??= (await import('postgres')).default(databaseUrl, { max: 1 }))
  return {
    hotTable: 'rowbeat_queue._private_jobs',
    async prepare() {
      await prepareRowbeat(databaseUrl)
      if (options['hotLimit'] === undefined) return
      const limit = Number(options['hotLimit'])
      await (await query())`insert into rowbeat.queues (name, hot_limit) values ('default', ${limit})
        on conflict (name) do update set hot_limit = excluded.hot_limit`
    },
    async enqueue(input) {
      return rowbeat.enqueue(addTask, input)
    },
    async enqueueMany(inputs) {
      const queue = options['queue'] === undefined ? {} : { queue: String(options['queue']) }
      return rowbeat.enqueueMany(inputs.map((input) => ({ task: addTask, input, ...queue })))
    },
    async work(watch) {
      watching = watch
      keepsNumbers = options['watch'] === true
      const { createWorker } = await import('../../src/index.ts')
      worker = createWorker({
        databaseUrl,
        tasks: [addTask],
        ...(concurrency === undefined ? {} : { queues: { default: concurrency }, concurrency }),
      })
      if (keepsNumbers) {
        worker.events.on('run:finished', ({ run: id }) => {
          const x = numbers.get(id)
          if (x === undefined) return
          numbers.delete(id)
          watch.finished(x)
        })
      }
      await worker.start()
    },
    async unfinished() {
      const rows = await (await query())`select (select count(*) from rowbeat_queue._private_jobs)::int
        + (select count(*) from rowbeat.parked)::int as count`
      return rows[0]!['count']
    },
    async parked() {
      const rows = await (await query())`select count(*)::int as count from rowbeat.parked`
      return rows[0]!['count']
    },
    async close() {
      await worker?.stop({ grace: '5s' })
      await rowbeat.close()
      await sql?.end()
    },
  }
}
