/** `rowbeat status` and `rowbeat inspect`: what workers are at, as tables and as documents. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { folder } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

t.test('what workers are at', async (t) => {
  const bundle = await setup(t)
  const env = { DATABASE_URL: bundle.url }
  const cwd = folder(t)
  const ask = (...words: string[]) => rowbeat(t, words, { cwd, env })

  t.match(await ask('status'), { code: 1, stdout: '', stderr: 'rowbeat: no worker is there.\n' })
  t.match(await ask('inspect', 'ping'), { code: 1, stderr: /no worker answered/ })

  const { rowbeat: client } = await startWorker(t, bundle.url, { name: 'w1', queues: { default: 2 } })
  const run = await client.enqueue(scripted, { fate: 'hang', obedient: true })
  const later = await client.enqueue(scripted, {}, { delay: '1 hour' })
  await until('it is listed', async () => {
    const [row] = await bundle.sql`select from rowbeat.workers where jsonb_array_length(running) = 1`
    return row
  })

  const [status, ping, active, scheduled, stats, queues, registered, report, absent, wrong] =
    await Promise.all([
      ask('status'),
      ask('inspect', 'ping', '--json'),
      ask('inspect', 'active'),
      ask('inspect', 'scheduled'),
      ask('inspect', 'stats', '--json'),
      ask('inspect', 'active-queues'),
      ask('inspect', 'registered', '-d', 'w1'),
      ask('inspect', 'report'),
      ask('inspect', 'active', '-d', 'w2,w3'),
      ask('inspect', 'everything'),
    ])
  t.match(status, { code: 0, stdout: /^WORKER +PID +QUEUES.*\nw1 +\d+ +default:2 +1 .* ok\n$/ })
  t.equal(ping!.code, 0)
  t.strictSame(JSON.parse(ping!.stdout), { items: [{ worker: 'w1', reply: 'pong' }] })
  t.match(active, { code: 0, stdout: new RegExp(`^WORKER.*\\nw1 +${run.id} +test\\.scripted +default +1 `) })
  t.match(scheduled, { code: 0, stdout: new RegExp(`^ID .*\\n${later.id} +test\\.scripted +default +eta `) })
  t.match(JSON.parse(stats!.stdout), { items: [{ worker: 'w1', reply: { running: 1, concurrency: 2 } }] })
  t.match(queues, { code: 0, stdout: /\nw1 +default +2 / })
  t.match(registered, { code: 0, stdout: /\nw1 +test\.scripted/ })
  t.match(report, { code: 0, stdout: /^w1\n.* {2}hostname +\S+\n/s })
  t.match(absent, { code: 1, stderr: 'rowbeat: no worker is there by "w2", "w3".\n' })
  t.match(wrong, {
    code: 2,
    stderr: /"everything" cannot be inspected: use one of active, active_queues, ping/,
  })
})
