/** /v1/workers, /v1/inspect, /v1/control: who works, at what, and being told. */
import t from 'tap'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { serve } from './world.ts'

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

t.test('workers over HTTP', async (t) => {
  const { call, url, sql, issue } = await serve(t)
  await startWorker(t, url, { name: 'w1@here', queues: { default: 4 } })
  await startWorker(t, url, { name: 'w2', queues: { default: 4 } })

  t.test('they are listed and read, with instants as everywhere', async (t) => {
    const { status, json } = await call('GET', '/v1/workers')
    t.equal(status, 200)
    t.equal(json.next, null)
    t.strictSame(
      json.items.map(({ name }: { name: string }) => name),
      ['w1@here', 'w2'],
    )
    t.match(json.items[0], {
      kind: 'worker',
      pid: process.pid,
      queues: { default: 4 },
      started_at: INSTANT,
      seen_at: INSTANT,
    })
    t.notHas(json.items[0], 'pools')
    const one = await call('GET', '/v1/workers/w1%40here')
    t.match(one, { status: 200, json: { name: 'w1@here', running: [], quiet: false } })
    const none = await call('GET', '/v1/workers/w9')
    t.match(none, { status: 404, json: { code: 'RB_WORKER_NOT_FOUND', detail: /"w9"/ } })
  })

  t.test('they are inspected, all or some', async (t) => {
    const ping = await call('GET', '/v1/inspect/ping?timeout=5s')
    t.strictSame(ping.json, {
      items: [
        { worker: 'w1@here', reply: 'pong' },
        { worker: 'w2', reply: 'pong' },
      ],
    })
    const some = await call('GET', '/v1/inspect/active-queues?worker=w2&worker=w9')
    t.match(some, {
      status: 200,
      json: { items: [{ worker: 'w2', reply: [{ queue: 'default', concurrency: 4 }] }] },
    })
    t.match((await call('GET', '/v1/inspect/scheduled')).json, { items: [{ worker: null, reply: [] }] })
    t.match(await call('GET', '/v1/inspect/everything'), {
      status: 422,
      json: { code: 'RB_CONTROL_INVALID', errors: [{ pointer: '/what', detail: /must be one of active/ }] },
    })
    for (const query of ['timeout=1h', 'timeout=soon', 'worker=', 'who=w1'])
      t.match(
        await call('GET', `/v1/inspect/ping?${query}`),
        { status: 422, json: { code: 'RB_QUERY_INVALID' } },
        query,
      )
  })

  t.test('they are told, answer, and do it', async (t) => {
    const told = await call('POST', '/v1/control/add_queue?timeout=5s', {
      queue: 'reports',
      concurrency: 2,
      workers: ['w2'],
    })
    t.match(told, {
      status: 200,
      json: {
        id: String,
        command: 'add_queue',
        workers: ['w2'],
        replies: [{ worker: 'w2', ok: true }],
        awaited: [],
      },
    })
    await until('it serves it', async () => (await call('GET', '/v1/workers/w2')).json.queues.reports === 2)
    t.match(
      (await call('POST', '/v1/control/ping?timeout=5s')).json.replies,
      { length: 2 },
      'no body is an empty one',
    )
    const { json: late } = await call('POST', '/v1/control/ping?timeout=0', {})
    t.equal(late.replies.length + late.awaited.length, 2, 'who is not waited for is named')
    const limited = await call('POST', '/v1/control/rate-limit?timeout=5s', {
      task: 'test.scripted',
      rate: '10/m',
    })
    t.match(limited.json.replies, [{ ok: true }, { ok: true }])
    const [row] = await sql`select rate from rowbeat.task_settings where task = 'test.scripted'`
    t.equal(row!.rate, '10/m')
  })

  t.test('what is not understood is told with its place', async (t) => {
    const cases: [path: string, body: unknown, pointer: string][] = [
      ['add_queue', { queue: 'Reports' }, '/queue'],
      ['add_queue', {}, '/queue'],
      ['add_queue', { queue: 'a', slots: 2 }, '/slots'],
      ['set_concurrency', { concurrency: 0 }, '/concurrency'],
      ['autoscale', { max: 1, min: 2 }, '/min'],
      ['rate_limit', { task: 'demo.add', rate: 'often' }, '/rate'],
      ['quiet', { workers: 'w1' }, '/workers'],
      ['quiet', { workers: [] }, '/workers'],
      ['quiet', [], ''],
      ['fly', {}, '/command'],
    ]
    for (const [command, body, pointer] of cases) {
      const { status, json } = await call('POST', `/v1/control/${command}`, body)
      t.match(
        { status, json },
        { status: 422, json: { code: 'RB_CONTROL_INVALID', errors: [{ pointer }] } },
        `${command} ${JSON.stringify(body)}`,
      )
    }
    t.match(await call('POST', '/v1/control/ping', { workers: ['w9'] }), {
      status: 404,
      json: { code: 'RB_WORKER_NOT_FOUND' },
    })
    t.match(await call('GET', '/v1/control/ping'), { status: 405, headers: { allow: 'POST' } })
  })

  t.test('a key needs the scope', async (t) => {
    const [reader, other] = await Promise.all([issue(['workers:read']), issue(['runs:write'])])
    t.equal((await call('GET', '/v1/workers', undefined, { key: reader.key })).status, 200)
    t.equal((await call('GET', '/v1/inspect/ping', undefined, { key: reader.key })).status, 200)
    t.equal((await call('POST', '/v1/control/quiet', {}, { key: reader.key })).status, 403)
    for (const path of ['/v1/workers', '/v1/workers/w1', '/v1/inspect/active'])
      t.equal((await call('GET', path, undefined, { key: other.key })).status, 403, path)
    t.equal((await call('POST', '/v1/control/ping', {}, { key: null })).status, 401)
  })
})
