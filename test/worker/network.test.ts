/** A network that loses things quietly: what each loss costs, and that nothing stands still for ever. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { startProxy } from '../helpers/proxy.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

t.setTimeout(60_000)
t.jobs = 3
const many = (n: number, input: object) => Array.from({ length: n }, () => ({ task: scripted, input }))

t.test('when only the bell is lost, a run waits no longer than a poll', { buffered: true }, async (t) => {
  const { url } = await setup(t)
  const proxy = await startProxy(t, url)
  let listening = 0
  proxy.onRequest = (text, link) => {
    if (!text.includes('listen rowbeat_queue')) return
    listening++
    link.mute()
  }
  await startWorker(t, proxy.url, { queues: { default: 2 } })
  const { rowbeat } = await startWorker(t, url, { queues: { elsewhere: 1 } })
  await until('it tried to listen', () => listening > 0)
  const took: number[] = []
  for (let i = 0; i < 6; i++) {
    const began = performance.now()
    await (await rowbeat.enqueue(scripted, {})).result({ timeout: '5s' })
    took.push(performance.now() - began)
  }
  took.sort((a, b) => a - b)
  t.comment(took.map((ms) => ms.toFixed(0)).join(' '))
  t.ok(took[3]! < 900, `half of them within ${took[3]} ms`)
})

t.test(
  'claims whose answer never came are taken back and run, and counted nowhere',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const proxy = await startProxy(t, url)
    const { rowbeat, heard } = await startWorker(t, proxy.url, { queues: { default: 5 } })
    await (await rowbeat.enqueue(scripted, {})).result({ timeout: '5s' })
    let muted = 0
    proxy.onRequest = (text, link) => {
      if (muted >= 2 || !text.includes('claim_runs')) return
      muted++
      link.mute()
    }
    const began = performance.now()
    const handles = await rowbeat.enqueueMany(many(20, {}))
    await Promise.all(handles.map((handle) => handle.result({ timeout: '30s' })))
    t.comment(
      `all done after ${((performance.now() - began) / 1000).toFixed(1)} s, ${heard.reclaimed} taken back`,
    )
    t.ok(muted > 0)
    t.ok(performance.now() - began < 15_000)
    t.match(
      await sql`select max(attempt) as attempt, max(redeliveries) as redeliveries, count(*)::int as n from rowbeat.results`,
      [{ attempt: 1, redeliveries: 0, n: 21 }],
    )
  },
)

t.test(
  'a finish whose answer is lost is stored once and not called refused',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const proxy = await startProxy(t, url)
    const { rowbeat, heard } = await startWorker(t, proxy.url, { queues: { default: 5 } })
    await (await rowbeat.enqueue(scripted, {})).result({ timeout: '5s' })
    const doomed = new WeakSet<object>()
    let cuts = 0
    proxy.onRequest = (text, link) => {
      if (text.includes('finish_runs') && cuts < 5) doomed.add(link)
    }
    proxy.onAnswer = (_, link) => {
      if (!doomed.has(link)) return true
      doomed.delete(link)
      cuts++
      link.cut()
      return false
    }
    const handles = []
    for (let i = 0; i < 40; i++) handles.push(...(await rowbeat.enqueueMany(many(3, { ms: 5 }))))
    await until(
      'all ended',
      async () => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n === 121,
    )
    await until('all are told', () => heard.finished.length === 121)
    t.ok(cuts >= 3, `${cuts} answers lost`)
    t.strictSame(heard.refused, [])
    t.match(
      await sql`select count(*)::int as n, max(redeliveries) as redeliveries from rowbeat.results where state = 'SUCCESS'`,
      [{ n: 121, redeliveries: 0 }],
    )
  },
)

t.test(
  'outcomes that wait for a store that is away are not given to somebody else',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const proxy = await startProxy(t, url)
    const { rowbeat, heard } = await startWorker(t, proxy.url, { queues: { default: 5 } })
    const handles = await rowbeat.enqueueMany(many(5, { ms: 800 }))
    await until(
      'they run',
      async () =>
        (
          await sql`select count(*)::int as n from rowbeat_queue._private_jobs where locked_by is not null`
        )[0]!.n === 5,
    )
    // The finish statement alone gets no answer, for longer than the deadline and the age at which a claim counts as lost.
    const began = performance.now()
    proxy.onRequest = (text, link) => {
      if (performance.now() - began < 9000 && text.includes('finish_runs')) link.swallow()
    }
    await Promise.all(handles.map((handle) => handle.result({ timeout: '30s' })))
    t.comment(`stored after ${((performance.now() - began) / 1000).toFixed(1)} s`)
    t.strictSame(heard.refused, [], 'nothing was refused')
    t.equal(heard.reclaimed, 0, 'and nothing taken back')
    t.match(
      await sql`select max(attempt) as attempt, max(redeliveries) as redeliveries from rowbeat.results`,
      [{ attempt: 1, redeliveries: 0 }],
    )
  },
)

t.test(
  'a worker that is cut off altogether is replaced, and what it still says is refused',
  { buffered: true },
  async (t) => {
    const { url, sql } = await setup(t)
    const proxy = await startProxy(t, url)
    const cutOff = await startWorker(t, proxy.url, { queues: { default: 3 }, name: 'cut off' })
    await startWorker(t, url, { queues: { elsewhere: 1 } })
    const { rowbeat } = cutOff
    const handles = await rowbeat.enqueueMany(many(3, { ms: 15_000 }))
    await until(
      'they are listed',
      async () => (await sql`select from rowbeat.workers where jsonb_array_length(running) = 3`).length === 1,
    )
    await sql`update rowbeat_queue._private_jobs set payload = '{"input": {"value": "other"}}'`
    const other = await startWorker(t, url, { queues: { default: 3 }, name: 'other' })
    const began = performance.now()
    proxy.swallowNew = true
    proxy.each((link) => link.swallow())
    await Promise.all(handles.map(({ id }) => other.rowbeat.run(scripted, id).result({ timeout: '30s' })))
    t.comment(`taken over after ${((performance.now() - began) / 1000).toFixed(1)} s`)
    t.ok(performance.now() - began < 15_000)
    proxy.swallowNew = false
    await until('the other noticed', () => cutOff.heard.declaredDead === 1, { timeout: 15_000 })
    await until('its outcomes were refused', () => cutOff.heard.refused.length === 3, { timeout: 20_000 })
    t.match(await sql`select distinct worker, result from rowbeat.results`, [
      { worker: 'other', result: 'other' },
    ])
  },
)

t.test('a slow network costs time, nothing else', { buffered: true }, async (t) => {
  const { url, sql } = await setup(t)
  const proxy = await startProxy(t, url)
  const { rowbeat, heard } = await startWorker(t, proxy.url, { queues: { default: 10 } })
  proxy.delayMs = 150
  const handles = await rowbeat.enqueueMany(many(50, { ms: 1 }))
  await Promise.all(handles.map((handle) => handle.result({ timeout: '30s' })))
  t.strictSame(heard.refused, [])
  t.match(
    await sql`select count(*)::int as n, max(redeliveries) as r from rowbeat.results where state = 'SUCCESS'`,
    [{ n: 50, r: 0 }],
  )
})
