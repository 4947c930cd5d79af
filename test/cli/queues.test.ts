/** `rowbeat queues …` as people run it: what it prints, and how it exits. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { type Said } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

const { url, sql } = await setup(t)
const ask = (...words: string[]): Promise<Said> =>
  rowbeat(t, ['queues', ...words], { env: { DATABASE_URL: url } })
const enqueue = async (queue: string, count: number): Promise<void> => {
  const runs = Array.from({ length: count }, () => ({ task: 'demo.echo', queue }))
  await sql`select from rowbeat.enqueue_many(${sql.json(runs)})`
}

t.test('the list, a queue, and its limits', async (t) => {
  await enqueue('imports', 3)
  const made = await ask('define', 'imports', '--concurrency', '5', '--rate', '10/m', '--rate-burst', '2')
  t.match(made, { code: 0, stdout: '', stderr: 'imports is made.\n' })
  const list = await ask()
  t.match(list, { code: 0, stderr: '' })
  t.match(list.stdout, /^NAME +STATE +WAITING +OLDEST +RUNNING +SLOTS +LIMITS$/m)
  t.match(list.stdout, /^imports +open +3 +\d+\.\d s +0 +0 +5 at once, 10\/m burst 2$/m)
  const set = await ask('set', 'imports', '--concurrency', '7', '--unset', 'rate', '--json')
  t.match(JSON.parse(set.stdout), { name: 'imports', concurrency: 7, rate: null, rate_burst: null })
  const shown = await ask('show', 'imports')
  t.match(shown.stdout, /^concurrency +7$/m)
  t.match(shown.stdout, /^ {2}concurrency +3$/m)
  t.match(JSON.parse((await ask('list', '--json')).stdout), { items: [{ name: 'default' }, {}], next: null })
})

t.test('pause, resume, drain', async (t) => {
  await enqueue('work', 1)
  const paused = await ask('pause', 'work', '--reason', 'a look', '--for', '1h')
  t.match(paused, { code: 0, stdout: '', stderr: /^work is paused until .*Z\.\n$/ })
  t.match(await ask('drain', 'work'), { code: 1, stderr: /is paused: resume it first/ })
  t.match(await ask('resume', 'work'), { code: 0, stderr: 'work goes on.\n' })
  const drained = await ask('drain', 'work', '--json')
  t.match(JSON.parse(drained.stdout), { state: 'draining' })
})

t.test('what cannot be taken back wants a word', async (t) => {
  await enqueue('old', 2)
  for (const words of [
    ['purge', 'old'],
    ['move', 'old', 'new'],
    ['remove', 'old'],
  ])
    t.match(await ask(...words), { code: 2, stderr: /no terminal to ask at: give --yes/ }, words.join(' '))
  const purged = await ask('purge', 'old', '--yes', '--reason', 'a test', '--throttle', '100')
  t.match(purged, { code: 0, stdout: /^[0-9a-f-]{36}\n$/ })
  t.match(
    await sql`select kind, filter, options from rowbeat.operations where id = ${purged.stdout.trim()}`,
    [{ kind: 'purge', filter: { queue: 'old' }, options: { reason: 'a test', throttle: 100 } }],
  )
  const moved = await ask('move', 'old', 'new', '-y', '--json')
  t.match(JSON.parse(moved.stdout), { kind: 'move', options: { to: 'new' } })
  t.match(await ask('remove', 'old', '--yes'), { code: 1, stderr: /has runs/ })
  await sql`insert into rowbeat.queues (name) values ('idle')`
  t.match(await ask('remove', 'idle', '--yes'), { code: 0, stderr: 'idle is removed.\n' })
})

t.test('what is refused', async (t) => {
  t.match(await ask('show', 'nobody'), { code: 1, stderr: /No queue is named "nobody"/ })
  t.match(await ask('set', 'default'), { code: 2, stderr: /Say what to change/ })
  t.match(await ask('set', 'default', '--rate', '5/x'), { code: 2, stderr: /\/rate must be/ })
  t.match(await ask('pause', 'default', '--for', '1h', '--until', '2099-01-01T00:00:00Z'), { code: 2 })
  const json = await ask('move', 'default', 'default', '-y', '--json')
  t.match(json, { code: 2 })
  t.match(JSON.parse(json.stdout), { error: { code: 'RB_QUEUE_INVALID' } })
})
