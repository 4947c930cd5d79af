import t from 'tap'
import { add, echo, fail, sleep } from '../../src/examples/demo/tasks.ts'
import { createRowbeat, createWorker, type Context } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

const noContext = {} as Context

t.test('demo.add adds', async (t) => {
  t.equal(await add.handler({ x: 1, y: 2.5 }, noContext), 3.5)
})

t.test('demo.sleep tells its progress each 100 ms and takes as long as asked', async (t) => {
  const told: [number, unknown][] = []
  const context = {
    signal: AbortSignal.timeout(5000),
    progress: (now: number, total: unknown) => told.push([now, total]),
  }
  const start = performance.now()
  await sleep.handler({ seconds: 0.35 }, context as unknown as Context)
  const took = performance.now() - start
  t.strictSame(told, [[1, 4], [2, 4], [3, 4], [4, 4]]) // prettier-ignore
  t.ok(took >= 345 && took < 1000, `took ${took} ms`)
})

t.test('demo.sleep ends at once when its signal aborts', async (t) => {
  const stop = new AbortController()
  const context = { signal: stop.signal, progress: () => stop.abort() }
  const slept = sleep.handler({ seconds: 60 }, context as unknown as Context)
  await t.rejects(Promise.resolve(slept), { name: 'AbortError' })
})

t.test('the demo tasks in a worker', async (t) => {
  const { url, sql } = await setup(t)
  const rowbeat = createRowbeat({ databaseUrl: url })
  const worker = createWorker({ databaseUrl: url, tasks: { add, sleep, fail, echo } })
  await worker.start()
  t.teardown(async () => {
    await worker.stop({ grace: '5s' })
    await rowbeat.close()
  })

  await t.test('demo.fail fails as often as told, then returns the number of the try', async (t) => {
    const handle = await rowbeat.enqueue(fail, { times: 2, message: 'not yet' })
    t.equal(await handle.result({ timeout: '10s' }), 3)
    t.match(await handle.get(), { state: 'SUCCESS', attempt: 3, attemptsMax: 3 })
    const tries =
      await sql`select outcome, error->>'message' as message from rowbeat.attempts where run_id = ${handle.id} order by attempt`
    t.strictSame([...tries].map(({ outcome, message }) => [outcome, message]), [['retry', 'not yet'], ['retry', 'not yet']]) // prettier-ignore
  })

  await t.test('demo.fail with fewer tries than it needs fails for good', async (t) => {
    const handle = await rowbeat.enqueue(fail, { times: 5, message: 'never' }, { attemptsMax: 2 })
    await t.rejects(handle.result({ timeout: '10s' }), { message: /never/, code: 'RB_ATTEMPTS_EXHAUSTED' })
    t.match(await handle.get(), {
      state: 'FAILURE',
      reason: 'attempts_exhausted',
      attempt: 2,
      attemptsMax: 2,
    })
  })

  await t.test('demo.echo gives back any object as it came', async (t) => {
    const input = { text: 'Кобзар 📚', deep: [{ a: null }], ['__proto__x']: 1 }
    t.strictSame(await (await rowbeat.enqueue(echo, input)).result({ timeout: '10s' }), input)
    await t.rejects(rowbeat.enqueue(echo, [1] as never), { code: 'RB_INPUT_INVALID' })
  })
})
