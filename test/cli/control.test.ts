/** `rowbeat control`: workers are told, and answer; what was told holds. */
import t from 'tap'
import { readCommandWords } from '../../src/cli/commands.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { DEMO, folder, startRowbeat } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

t.test('words become arguments, in the order of Celery', async (t) => {
  const cases: [words: string, args: object, command?: string][] = [
    ['add_queue high', { queue: 'high' }],
    ['add-queue high 5', { queue: 'high', concurrency: 5 }, 'add_queue'],
    ['add_consumer high', { queue: 'high' }, 'add_queue'],
    ['cancel-consumer high', { queue: 'high' }, 'cancel_queue'],
    ['set_concurrency 20', { concurrency: 20 }],
    ['set_concurrency 20 high', { concurrency: 20, queue: 'high' }],
    ['autoscale 20 2', { max: 20, min: 2 }],
    ['autoscale 20,2', { max: 20, min: 2 }],
    ['autoscale off', { off: true }],
    ['rate_limit demo.add 10/m', { task: 'demo.add', rate: '10/m' }],
    ['rate_limit demo.add default', { task: 'demo.add', rate: null }],
    ['time_limit demo.add 60 120', { task: 'demo.add', soft: 60, hard: 120 }],
    ['time_limit demo.add none 2m', { task: 'demo.add', soft: 0, hard: '2m' }],
    ['quiet', {}],
    ['shutdown', {}],
    ['shutdown 10s', { grace: '10s' }],
  ]
  for (const [text, args, command] of cases) {
    const [word, ...words] = text.split(' ')
    t.strictSame(readCommandWords(word!, words), { command: command ?? word, args }, text)
  }
  for (const text of [
    'fly',
    'quiet now',
    'add_queue',
    'rate_limit demo.add',
    'autoscale 1 2 3',
    'toString',
  ]) {
    const [word, ...words] = text.split(' ')
    t.throws(() => readCommandWords(word!, words), { code: 'RB_CONFIG_INVALID' }, text)
  }
})

t.test('what is told holds, answers are told, and the exit code says whether anybody answered', async (t) => {
  const bundle = await setup(t)
  const env = { DATABASE_URL: bundle.url }
  const cwd = folder(t)
  const tell = (...words: string[]) => rowbeat(t, ['control', ...words], { cwd, env })
  const queues = async (): Promise<unknown> => {
    const [row] = await bundle.sql`select queues from rowbeat.workers where name = 'w1'`
    return row!.queues
  }
  t.match(await tell('set-concurrency', '3'), { code: 1, stderr: /no worker answered; a setting holds/ })
  t.match(await tell('ping', '-d', 'w1'), { code: 1, stderr: /w1/ })

  await startWorker(t, bundle.url, { name: 'w1', queues: { default: 10 } })
  await until(
    'it took up what was told before',
    async () => JSON.stringify(await queues()) === '{"default":3}',
  )
  const [added, pinged] = await Promise.all([
    tell('add_queue', 'reports', '2', '--timeout', '5s'),
    tell('ping', '--json', '--timeout', '5s'),
  ])
  t.match(added, { code: 0, stdout: /^w1 +ok +\{/ })
  t.match(JSON.parse(pinged.stdout), {
    command: 'ping',
    replies: [{ worker: 'w1', ok: true, reply: 'pong' }],
    awaited: [],
  })
  t.strictSame(await queues(), { default: 3, reports: 2 })
  const [refused, unknown, stacks] = await Promise.all([
    tell('add_queue', 'Reports'),
    tell('rate_limit', 'no.such', '1/s', '--timeout', '5s'),
    tell('dump_stacks', '--timeout', '5s'),
  ])
  t.match(refused, { code: 2, stderr: /^rowbeat: add_queue: queue must match / })
  t.match(unknown, { code: 1, stdout: /^w1 +refused .*unknown task no\.such/ })
  t.match(stacks, { code: 0, stdout: /^w1\n/ })
})

t.test('who is shut down from afar is not started again; the parent ends with the last', async (t) => {
  const { url, sql } = await setup(t)
  const env = { DATABASE_URL: url, ROWBEAT_TASKS: DEMO }
  const parent = startRowbeat(t, ['worker', '--processes', '2', '-n', 'w%i', '-Q', 'default:1', '--json'], {
    env,
  })
  await parent.line(/^}$/, 30_000)
  const tell = (...words: string[]) => rowbeat(t, ['control', ...words], { env: { DATABASE_URL: url } })
  t.match(await tell('shutdown', '-d', 'w1', '--timeout', '5s'), { code: 0, stdout: /^w1 +ok/ })
  await until('one is left', async () => (await sql`select name from rowbeat.workers`).length === 1)
  await parent.line(/told to stop and is not replaced/)
  t.match(await tell('shutdown', '--timeout', '5s'), { code: 0, stdout: /^w2 +ok/ })
  t.strictSame(await parent.ended(), { code: 0, signal: null })
})
