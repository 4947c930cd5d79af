/**
 * Limits over all workers, with workers: three of them, and what their handlers saw. The long forms are the torture
 * scenarios `rates` and `concurrency`.
 */
import t from 'tap'
import { createRowbeat, createWorker, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { busiestSecond } from '../torture/rates.ts'

const { url, sql } = await setup(t)
const starts: number[] = []
const at = { now: new Map<string, number>(), most: 0, seen: 0 }

const paced = task(
  'limits.paced',
  { rate: { limit: '50/s', burst: 5 } },
  async () => void starts.push(performance.now()),
)
const keyed = task(
  'limits.keyed',
  { concurrency: { limit: 2, key: ({ key }: { key: string }) => key } },
  async ({ key }: { key: string }) => {
    const now = (at.now.get(key) ?? 0) + 1
    at.now.set(key, now)
    at.most = Math.max(at.most, now)
    at.seen++
    await new Promise((go) => setTimeout(go, 5))
    at.now.set(key, at.now.get(key)! - 1)
  },
)
let left = 2
const stubborn = task(
  'limits.stubborn',
  { concurrency: 1, attemptsMax: 3, retry: { backoff: 'constant', base: '10ms' } },
  async () => {
    if (left-- > 0) throw new Error('not yet')
    return 'at last'
  },
)
const lone = task(
  'limits.lone',
  { concurrency: { limit: 1, strategy: 'skip' } },
  async (_: unknown, { signal }) => {
    await new Promise((go) => signal.addEventListener('abort', go, { once: true }))
  },
)
const newest = task(
  'limits.newest',
  { concurrency: { limit: 1, strategy: 'cancel_oldest' } },
  async ({ n }: { n: number }, { signal }) => {
    if (n === 1) await new Promise((go) => signal.addEventListener('abort', go, { once: true }))
    return n
  },
)

const tasks = [paced, keyed, stubborn, lone, newest]
const rowbeat = createRowbeat({ databaseUrl: url, tasks })
const workers = [1, 2, 3].map(() => createWorker({ databaseUrl: url, tasks, queues: { default: 20 } }))
t.teardown(async () => {
  await rowbeat.close()
  await Promise.all(workers.map((worker) => worker.stop({ grace: 0 })))
})
// Enqueued before any process ever told of the task: the limit holds for these as well.
const early = await rowbeat.enqueueMany(
  Array.from({ length: 30 }, (_, n) => ({ task: keyed, input: { key: `k${n % 3}` } })),
)
await Promise.all(workers.map((worker) => worker.start()))

const read = async ({ id }: { id: string }): Promise<object> =>
  (await sql`select * from rowbeat.run(${id})`)[0]!

t.test('a limit for each key: three workers never run one more', async (t) => {
  const more = await rowbeat.enqueueMany(
    Array.from({ length: 300 }, (_, n) => ({ task: keyed, input: { key: `k${n % 3}` } })),
  )
  await Promise.all([...early, ...more].map((run) => run.result({ timeout: '20s' })))
  t.equal(at.seen, 330)
  t.equal(at.most, 2)
  await until('every permit came free', async () => (await sql`select from rowbeat.permits`).length === 0)
})

t.test('a rate: in no second more than it and its burst', async (t) => {
  const from = performance.now()
  const runs = await rowbeat.enqueueMany(
    Array.from({ length: 150 }, () => ({ task: paced, input: undefined })),
  )
  await Promise.all(runs.map((run) => run.result({ timeout: '20s' })))
  const took = performance.now() - from
  t.ok(busiestSecond(starts) <= 55, `${busiestSecond(starts)} in the busiest second`)
  t.ok(took > 2700, `150 in ${Math.round(took)} ms`)
})

t.test('a retry waits for its place again, and gets it', async (t) => {
  const run = await rowbeat.enqueue(stubborn, undefined)
  t.equal(await run.result({ timeout: '10s' }), 'at last')
})

t.test('skip: what finds no room ends without running; a run that ends makes room', async (t) => {
  const first = await rowbeat.enqueue(lone, undefined)
  await until('the first runs', async () => (await first.state()) === 'STARTED')
  const second = await rowbeat.enqueue(lone, undefined)
  t.equal(await second.result({ timeout: '5s' }), null)
  t.match(await read(second), { state: 'SUCCESS', reason: 'skipped', attempt: 0 })
  await first.revoke()
  await until('the first ended', async () => ['REVOKED', 'SUCCESS'].includes(await first.state()))
})

t.test('cancel_oldest: the newest takes the place of the one that runs', async (t) => {
  const first = await rowbeat.enqueue(newest, { n: 1 })
  await until('the first runs', async () => (await first.state()) === 'STARTED')
  const second = await rowbeat.enqueue(newest, { n: 2 })
  t.equal(await second.result({ timeout: '5s' }), 2)
  t.match(await read(first), { state: 'REVOKED', reason: 'terminated' })
})
