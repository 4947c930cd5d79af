/** A queue that is paused while a worker is at it: nothing starts any more, what was held goes back, and all comes again in order. */
import t from 'tap'
import { PROCESS } from '../../src/auth/scopes.ts'
import { createQueueControl } from '../../src/control/queues.ts'
import { task, type Rowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { countInversions, logClaims, readClaims, type Claim, type Enqueued } from '../helpers/claims.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const RUNS = 2000
const { url, sql, admin } = await setup(t)
const starts: { id: string; at: number }[] = []
let ms = 10
const note = task('test.note', {}, async (_: object, { run }) => {
  starts.push({ id: run.id, at: performance.now() })
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
})
const enqueued: Enqueued[] = []
const add = async (rowbeat: Rowbeat, count: number, rank: () => number): Promise<void> => {
  const items = Array.from({ length: count }, () => ({ task: note, input: {}, priority: rank() }))
  const handles = await rowbeat.enqueueMany(items)
  const ackedAt = Date.now()
  for (const [i, { id }] of handles.entries()) enqueued.push({ id, priority: items[i]!.priority, ackedAt })
}
const count = async (): Promise<number> => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n

t.test('the judge sees who was overtaken', async (t) => {
  const run = (id: string, priority: number, ackedAt: number): Enqueued => ({ id, priority, ackedAt })
  const claim = ({ id, priority }: Enqueued, at: number): Claim => ({ id, priority, at })
  const [a, b, c] = [run('a', 5, 10), run('b', 5, 20), run('c', 1, 30)]
  const judge = (...claims: Claim[]): object => countInversions([a, b, c], claims)
  t.strictSame(judge(claim(a, 25), claim(c, 40), claim(b, 41)), { priority: 0, age: 0 })
  t.strictSame(judge(claim(a, 25), claim(b, 40), claim(c, 41)), { priority: 1, age: 0 })
  t.strictSame(judge(claim(b, 25), claim(c, 40), claim(a, 41)), { priority: 0, age: 1 })
  t.strictSame(judge(claim(b, 15), claim(a, 25), claim(c, 26)), { priority: 0, age: 0 }, 'not known then')
})

t.test(
  '2,000 wait and a worker holds some: after a pause nothing starts, and what it held goes back',
  async (t) => {
    await sql`update rowbeat.queues set hot_limit = 500`
    const { worker, rowbeat } = await startWorker(t, url, {
      tasks: [note],
      queues: { default: 2 },
      prefetch: 40,
    })
    await add(rowbeat, RUNS, () => Math.floor(Math.random() * 10))
    await until('it is in the middle of it', () => starts.length > 60)
    await sql`update rowbeat.queues set paused_at = now() where name = 'default'`
    const pausedAt = performance.now()
    await until('a while has passed', () => performance.now() > pausedAt + 1600, { every: 100 })
    const last = starts.at(-1)!.at
    t.comment(`last start ${(last - pausedAt).toFixed(0)} ms after the pause`)
    t.ok(last - pausedAt < 1000)
    t.equal(await count(), starts.length, 'what ran went on to its end')
    t.match(
      await sql`select count(*)::int as n from rowbeat_queue._private_jobs`,
      [{ n: 0 }],
      'it holds none',
    )
    t.match(await sql`select count(*)::int as n from rowbeat.parked`, [{ n: RUNS - starts.length }])
    await worker.stop()
  },
)

t.test(
  'resumed, they come by priority and age, and better ones that come meanwhile come first',
  async (t) => {
    ms = 0
    const before = starts.length
    await logClaims(admin)
    const { rowbeat } = await startWorker(t, url, { tasks: [note], queues: { default: 1 }, prefetch: 1 })
    await until('the worker waits', async () => (await sql`select from rowbeat.workers`).length > 0)
    t.equal(starts.length, before, 'a worker that starts meanwhile starts nothing of it')
    const done = new Set(starts.map(({ id }) => id))
    enqueued.splice(0, enqueued.length, ...enqueued.filter(({ id }) => !done.has(id)))
    await sql`select rowbeat.resume_queue('default')`
    for (let batch = 1; batch <= 10; batch++) {
      await until('it goes on', () => starts.length > before + batch * 80, { timeout: 20_000 })
      await add(rowbeat, 20, () => Math.floor(Math.random() * 14) - 4)
    }
    await until('all ran', async () => (await count()) === RUNS + 200, { timeout: 30_000 })
    t.strictSame(countInversions(enqueued, await readClaims(admin)), { priority: 0, age: 0 })
    t.equal(new Set(starts.map(({ id }) => id)).size, starts.length, 'each once')
    await until(
      'the mark is down',
      async () =>
        (await sql`select overflow from rowbeat.queues where name = 'default'`)[0]!.overflow === null,
    )
  },
)

t.test(
  'what waits on a paused queue is moved to one that runs, or revoked; then it can be forgotten',
  async (t) => {
    const { rowbeat } = await startWorker(t, url, { tasks: [note], queues: { default: 5 } })
    const control = createQueueControl(rowbeat)
    await control.define(PROCESS, 'closed', {})
    await control.pause(PROCESS, 'closed', { reason: null, until: null })
    const fill = async (): Promise<string[]> => {
      const items = Array.from({ length: 300 }, () => ({ task: note, input: {}, queue: 'closed' }))
      return (await rowbeat.enqueueMany(items)).map(({ id }) => id)
    }
    const statesOf = async (ids: readonly string[]): Promise<object[]> => [
      ...(await sql`select queue, state, count(*)::int as n from rowbeat.results where id = any (${[...ids]}) group by 1, 2`),
    ]
    const moved = await fill()
    await control.move(PROCESS, 'closed', { to: 'default' })
    await until('they ran elsewhere', async () => (await statesOf(moved)).some((row: any) => row.n === 300))
    t.strictSame(await statesOf(moved), [{ queue: 'default', state: 'SUCCESS', n: 300 }])
    const purged = await fill()
    await t.rejects(control.remove(PROCESS, 'closed'), { code: 'RB_QUEUE_IN_USE' })
    await control.purge(PROCESS, 'closed', { reason: 'a test' })
    await until('they ended', async () => (await statesOf(purged)).some((row: any) => row.n === 300))
    t.strictSame(await statesOf(purged), [{ queue: 'closed', state: 'REVOKED', n: 300 }])
    await control.remove(PROCESS, 'closed')
    await t.rejects(control.read(PROCESS, 'closed'), { code: 'RB_QUEUE_NOT_FOUND' })
  },
)
