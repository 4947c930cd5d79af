/** A lane that scales: the rule as a table, and a worker that grows to what waits and shrinks when nothing does. */
import t from 'tap'
import { rescale } from '../../src/worker/autoscale.ts'
import { planOf } from '../../src/worker/settings.ts'
import { nameOf } from '../../src/worker/name.ts'
import { hostname } from 'node:os'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const scale = { max: 10, min: 2 }

t.test('it grows at once to what waits, and shrinks after the whole keep-alive', async (t) => {
  for (const [what, seen, fullMs, ought] of [
    ['full, and much waits', { slots: 2, need: 2, waiting: 100, nowMs: 50 }, 0, { slots: 10, fullMs: 50 }],
    ['full, and three wait', { slots: 2, need: 2, waiting: 3, nowMs: 50 }, 0, { slots: 5, fullMs: 50 }],
    ['full, and nothing waits', { slots: 4, need: 4, waiting: 0, nowMs: 50 }, 0, { slots: 4, fullMs: 50 }],
    ['not full', { slots: 10, need: 1, waiting: 0, nowMs: 999 }, 0, { slots: 10, fullMs: 0 }],
    ['not full for long', { slots: 10, need: 4, waiting: 0, nowMs: 1000 }, 0, { slots: 4, fullMs: 0 }],
    ['idle for long', { slots: 10, need: 0, waiting: 0, nowMs: 1000 }, 0, { slots: 2, fullMs: 0 }],
    ['above a max that fell', { slots: 20, need: 20, waiting: 9, nowMs: 50 }, 0, { slots: 10, fullMs: 50 }],
    ['below a min that rose', { slots: 1, need: 0, waiting: 0, nowMs: 50 }, 0, { slots: 2, fullMs: 0 }],
  ] as const)
    t.strictSame(rescale(scale, 1000, fullMs, seen), ought, what)
})

t.test('what is said to a name wins over what is said to all, and both over the options', async (t) => {
  const base = { queues: { default: 10, high: 4 }, concurrency: 8, autoscale: null }
  const lanes = (settings: Parameters<typeof planOf>[1], paused: string[] = [], from = base as any) =>
    Object.fromEntries(
      [...planOf(from, settings, 'w', paused).lanes].map(([queue, { slots, scale, holds }]) => [
        queue,
        `${scale ? `${scale.min}-${scale.max}` : slots}${holds ? ' held' : ''}`,
      ]),
    )
  t.strictSame(lanes({}), { default: '10', high: '4' })
  t.strictSame(lanes({ other: { quiet: true } }), { default: '10', high: '4' }, 'of somebody else')
  t.strictSame(lanes({}, ['high']), { default: '10', high: '4 held' })
  t.strictSame(lanes({ '*': { quiet: true } }), { default: '10 held', high: '4 held' })
  t.strictSame(lanes({ '*': { quiet: true }, w: { quiet: false } }), { default: '10', high: '4' })
  t.strictSame(lanes({ '*': { concurrency: 3 } }), { default: '3', high: '3' })
  t.strictSame(lanes({ '*': { concurrency: 3 }, w: { queues: { high: { concurrency: 5 } } } }), {
    default: '3',
    high: '5',
  })
  t.strictSame(
    lanes({ '*': { queues: { mail: { serve: true }, high: { serve: false } } }, w: { queues: {} } }),
    { default: '10', mail: '8' },
  )
  t.strictSame(
    lanes({
      '*': { queues: { mail: { serve: true } } },
      w: { queues: { mail: { serve: false }, default: { serve: false } } },
    }),
    { high: '4' },
  )
  const scaled = { ...base, autoscale: { max: 9, min: 1 } }
  t.strictSame(lanes({}, [], scaled), { default: '1-9', high: '1-9' })
  t.strictSame(lanes({ w: { queues: { high: { concurrency: 3 } } } }, [], scaled), {
    default: '1-9',
    high: '3',
  })
  t.strictSame(lanes({ '*': { autoscale: { max: 5, min: 2 } } }, [], scaled), {
    default: '2-5',
    high: '2-5',
  })
  t.strictSame(lanes({ '*': { autoscale: false } }, [], scaled), { default: '10', high: '4' })
  t.strictSame(
    lanes({ '*': { autoscale: { max: 5, min: 2 } }, w: { concurrency: 6, autoscale: false } }, [], scaled),
    { default: '6', high: '6' },
  )
})

t.test('a name may be made of the machine and the number of the process', async (t) => {
  const [short] = hostname().split('.')
  t.equal(nameOf('w%i@%h', 3), `w3@${hostname()}`)
  t.equal(nameOf('%n-100%%', 0), `${short}-100%`)
  t.match(nameOf(undefined, 0), new RegExp(`^${hostname()}-${process.pid}-[0-9a-f]{6}$`))
  t.throws(() => nameOf('w%x', 0), { code: 'RB_CONFIG_INVALID', message: /has %x: known are %h/ })
  for (const bad of ['', '*', 'a,b', ' a', 'a\n', 'x'.repeat(201)])
    t.throws(() => nameOf(bad, 0), { code: 'RB_CONFIG_INVALID' }, JSON.stringify(bad))
})

t.test(
  'a backlog grows it to its max within 2 s, idle brings it to its min, and both are seen',
  async (t) => {
    const { url, sql } = await setup(t)
    const { worker, rowbeat, heard } = await startWorker(t, url, {
      queues: { default: 4 },
      autoscale: { max: 12, min: 2 },
      autoscaleKeepAlive: '700ms',
    })
    const lane = async () =>
      (await sql`select reply->0 as lane from rowbeat.inspect('active_queues')`)[0]!.lane
    await until('the registry has it', async () => (await lane()).concurrency === 2)
    t.match(await lane(), { queue: 'default', concurrency: 2, autoscale: { max: 12, min: 2 }, paused: false })
    const began = performance.now()
    await rowbeat.enqueueMany(Array.from({ length: 40 }, () => ({ task: scripted, input: { ms: 500 } })))
    await until('it runs as many as it may', () => worker.running === 12)
    await until('inspect shows it', async () => (await lane()).concurrency === 12)
    t.ok(performance.now() - began < 2000, `${Math.round(performance.now() - began)} ms`)
    let most = 0
    let full = 0
    await until('all are done', () => {
      most = Math.max(most, worker.running)
      if (worker.running === 12) full = performance.now()
      return heard.finished.length === 40
    })
    t.equal(most, 12, 'and never more')
    await until('it is at its min', async () => (await lane()).concurrency === 2)
    const kept = performance.now() - full
    t.ok(kept > 600 && kept < 4000, `after the keep-alive: ${Math.round(kept)} ms`)
    t.equal(heard.restarted, 0)
    const one = await rowbeat.enqueue(scripted, {})
    t.equal(await one.result({ timeout: '5s' }), 1)
  },
)
