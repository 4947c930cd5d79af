/** The lanes of a worker change while it runs: queues come and go, pause and resume, have more slots or fewer. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until, within } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const { url, sql } = await setup(t)
const { worker, rowbeat, heard } = await startWorker(t, url, {
  name: 'lanes',
  queues: { default: 3 },
  prefetch: 20,
})
const control = async (command: string, args: object = {}): Promise<void> =>
  void (await sql`select rowbeat.control(${command}, ${sql.json(args as never)})`)
const queues = async () => (await sql`select queues from rowbeat.workers`)[0]!.queues
const locked = async () =>
  (await sql`select count(*)::int as n from rowbeat_queue._private_jobs where locked_at is not null`)[0]!.n
const many = async (n: number, input: object, queue = 'default') =>
  await rowbeat.enqueueMany(Array.from({ length: n }, () => ({ task: scripted, input, queue })) as never)
const settled = async (finished: number): Promise<void> =>
  void (await until(`${finished} runs are done`, () => heard.finished.length >= finished))

t.test('a queue is added and cancelled; what runs on it goes on, what waits goes back', async (t) => {
  await many(8, { ms: 1200 }, 'mail')
  await control('add_queue', { queue: 'mail', concurrency: 2 })
  await until('two run', () => worker.running === 2)
  await until('the registry has it', async () => (await queues()).mail === 2)
  const claims = await sql`select key, locked_by from rowbeat_queue._private_jobs where locked_at is not null`
  await control('cancel_queue', { queue: 'mail' })
  await until('what is held is back', async () => (await locked()) === 2)
  t.equal(worker.running, 2, 'what runs goes on')
  const [row] = await sql`select pools from rowbeat.workers`
  t.ok(row!.pools.includes(claims[0]!.locked_by), 'under a pool that is still in the registry')
  await settled(2)
  await until(
    'it served its last',
    async () => (await sql`select pools from rowbeat.workers`)[0]!.pools.length === 1,
  )
  t.strictSame(await queues(), { default: 3 })
  const [waiting] =
    await sql`select count(*)::int as n, max(attempts) as claims from rowbeat_queue._private_jobs`
  t.match(waiting, { n: 8 - heard.finished.length, claims: 0 }, 'as if they had never been claimed')
  t.ok(waiting!.n > 0)
  await control('add_queue', { queue: 'mail', concurrency: 6 })
  await settled(8)
  await control('cancel_queue', { queue: 'mail' })
  await until('it is gone', async () => !('mail' in (await queues())))
})

t.test('a paused queue is left alone within a second, and what is held goes back at once', async (t) => {
  const before = heard.finished.length
  await many(12, { ms: 400 })
  await until('three run', () => worker.running === 3)
  await sql`update rowbeat.queues set paused_at = now() where name = 'default'`
  const began = performance.now()
  await until('nothing is held', async () => (await locked()) <= 3)
  t.ok(performance.now() - began < 2000, 'without any notification')
  await until('what ran has ended', async () => worker.running === 0 && (await locked()) === 0)
  const done = heard.finished.length - before
  t.ok(done < 12, `${done} of 12 were started`)
  const [row] =
    await sql`select count(*)::int as n, max(attempt) as attempt from rowbeat.runs where state = 'PENDING'`
  t.strictSame({ ...row }, { n: 12 - done, attempt: 0 }, 'in the queue or put aside by now')
  await sql`update rowbeat.queues set paused_at = null where name = 'default'`
  await sql`select pg_notify('rowbeat_control', 'queue')`
  await settled(before + 12)
})

t.test('a quiet worker claims nothing, and its runs go on', async (t) => {
  const before = heard.finished.length
  await many(1, { ms: 600 })
  await until('it runs', () => worker.running === 1)
  await control('quiet')
  await until('it is quiet', async () => (await sql`select quiet from rowbeat.workers`)[0]!.quiet)
  await many(3, {})
  await settled(before + 1)
  t.equal((await sql`select count(*)::int as n from rowbeat_queue._private_jobs`)[0]!.n, 3)
  await control('unquiet')
  await settled(before + 4)
})

t.test('the number of runs at once changes either way, above what the runner began with too', async (t) => {
  const before = heard.finished.length
  await many(24, { ms: 300 })
  await until('three run', () => worker.running === 3)
  await control('set_concurrency', { concurrency: 9, queue: 'default' })
  await until('nine run', () => worker.running === 9)
  t.strictSame(await queues(), { default: 9 })
  await control('set_concurrency', { concurrency: 2 })
  await until('two slots', async () => (await queues()).default === 2)
  await until('two run', () => worker.running <= 2)
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, worker.running)), 5)
  await within('all of them', settled(before + 24), 15_000)
  clearInterval(watch)
  t.equal(most, 2)
  t.equal(heard.restarted, 0, 'nothing failed')
  t.strictSame(heard.refused, [])
  const [tries] = await sql`select count(*)::int as n from rowbeat.attempts`
  t.equal(tries!.n, 0)
})

t.test('a setting of all is taken back by reset', async (t) => {
  await control('reset')
  await until('it is as it was started', async () => (await queues()).default === 3)
  t.equal(heard.finished.filter(({ state }) => state !== 'SUCCESS').length, 0)
})
