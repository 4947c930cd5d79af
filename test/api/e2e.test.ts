import t from 'tap'
import { createWorker } from '../../src/worker/worker.ts'
import { until } from '../helpers/wait.ts'
import { watch } from './watcher.ts'
import { serve, TASKS } from './world.ts'

t.test('a run asked for over HTTP is worked, watched to its end, and read with its result', async (t) => {
  const world = await serve(t)
  const worker = createWorker({ databaseUrl: world.url, tasks: TASKS, name: 'the worker' })
  await worker.start()
  t.teardown(() => worker.stop({ grace: '1s' }))
  const base = await world.listen()
  const { json: asked } = await world.call('POST', '/v1/runs', {
    task: 'demo.countdown',
    input: { steps: 20 },
  })
  const watcher = await watch(base, `/v1/runs/${asked.id}/events`, world.key)
  await until('the stream ends', () => watcher.ended)
  t.equal(watcher.states.at(-1), 'SUCCESS')
  t.ok(watcher.states.includes('PROGRESS'), watcher.states.join())
  t.match(watcher.events.at(-1)!.data, { result: 'done', worker: 'the worker', attempt: 1 })
  const percents = watcher.events.map(({ data }) => data.progress?.percent ?? 0)
  t.strictSame(
    percents,
    percents.toSorted((a, b) => a - b),
    'progress only grows',
  )

  const listed = await world.call('GET', '/v1/runs?state=SUCCESS&task=demo.countdown')
  t.strictSame(listed.json.items, [watcher.events.at(-1)!.data])
})
