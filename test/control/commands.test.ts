/** Telling workers what to do, on the floor that REST, panel and command line share: scopes, waiting for answers, refusals. */
import t from 'tap'
import { PROCESS, type Caller } from '../../src/auth/scopes.ts'
import {
  createCommandControl,
  INSPECTIONS,
  QUESTIONS,
  SETTINGS,
  type CommandRequest,
} from '../../src/control/commands.ts'
import { createWorkerControl } from '../../src/control/workers.ts'
import { toQueryable } from '../../src/db/handle.ts'
import { registerWorker } from '../../src/db/statements/workers.ts'
import { setup } from '../helpers/bundle.ts'
import { scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const { url, sql } = await setup(t)
const db = toQueryable(sql)
const commands = createCommandControl({ db: sql })
const workers = createWorkerControl(db)
const holder = (...scopes: string[]): Caller => ({ kind: 'key', id: 'k', name: 'some key', scopes })

t.test('who may not is told which scope is missing, before anything is written', async (t) => {
  const [reader, writer] = [holder('workers:read'), holder('workers:write')]
  for (const command of [...SETTINGS, 'shutdown', 'dump_stacks'])
    await t.rejects(commands.control(reader, { command }), {
      code: 'RB_SCOPE_MISSING',
      message: /workers:write/,
    })
  for (const command of QUESTIONS.filter((name) => !/shut|dump/.test(name))) {
    await t.rejects(commands.control(writer, { command }), {
      code: 'RB_SCOPE_MISSING',
      message: /workers:read/,
    })
    t.equal((await commands.control(reader, { command })).command, command)
  }
  await t.rejects(commands.inspect(writer, 'active'), { code: 'RB_SCOPE_MISSING' })
  await t.rejects(workers.list(holder('runs:read')), { code: 'RB_SCOPE_MISSING', message: /workers:read/ })
  await t.rejects(workers.read(holder(), 'w'), { code: 'RB_SCOPE_MISSING' })
})

t.test('a refusal points at the place', async (t) => {
  for (const [request, code, pointer] of [
    [{ command: 'nope' }, 'RB_CONTROL_INVALID', '/command'],
    [{ command: 'add_queue', args: { queue: 'A' } }, 'RB_CONTROL_INVALID', '/args/queue'],
    [{ command: 'quiet', args: { x: 1 } }, 'RB_CONTROL_INVALID', '/args'],
    [{ command: 'quiet', workers: [] }, 'RB_CONTROL_INVALID', '/workers'],
    [{ command: 'ping', workers: ['nobody'] }, 'RB_WORKER_NOT_FOUND', null],
  ] as [CommandRequest, string, string | null][])
    await t.rejects(commands.control(PROCESS, request), {
      name: 'ControlError',
      code,
      faults: pointer === null ? [] : [{ pointer }],
    })
  await t.rejects(commands.inspect(PROCESS, 'x'), {
    code: 'RB_CONTROL_INVALID',
    faults: [{ pointer: '/what' }],
  })
  await t.rejects(commands.read(PROCESS, '0192a0f0-0000-7000-8000-0000000000ff'), {
    code: 'RB_COMMAND_NOT_FOUND',
  })
  await t.rejects(workers.read(PROCESS, 'nobody'), { code: 'RB_WORKER_NOT_FOUND', message: /"nobody"/ })
})

t.test('it waits for every live worker that it is for, and no longer', async (t) => {
  const first = await startWorker(t, url, { name: 'first', queues: { default: 1 } })
  await startWorker(t, url, { name: 'second', queues: { high: 2 } })
  const began = performance.now()
  const both = await commands.control(PROCESS, { command: 'ping' })
  t.match(both.replies, [
    { worker: 'first', ok: true, reply: 'pong' },
    { worker: 'second', ok: true, reply: 'pong' },
  ])
  t.strictSame(both.awaited, [])
  t.ok(performance.now() - began < 1500)
  const one = await commands.control(PROCESS, {
    command: 'set_concurrency',
    args: { concurrency: 4 },
    workers: ['second'],
  })
  t.match(one.replies, [{ worker: 'second', reply: { queues: { high: 4 } } }])
  t.equal(one.replies.length, 1)
  const later = await commands.control(PROCESS, { command: 'ping', timeoutMs: 0 })
  await until('they answered', async () => (await commands.read(PROCESS, later.id)).awaited.length === 0)

  await registerWorker(db, {
    id: 'deaf.1',
    name: 'deaf',
    kind: 'worker',
    hostname: 'h',
    pid: 1,
    pools: [],
    queues: {},
    tasks: [],
    version: '0',
  })
  const patient = await commands.control(PROCESS, { command: 'ping', timeoutMs: 300 })
  t.ok(patient.awaited.includes('deaf'), 'who does not answer is named')
  await until(
    'the others answered',
    async () => (await commands.read(PROCESS, patient.id)).replies.length === 2,
  )
  await sql`delete from rowbeat.workers where name = 'deaf'`

  const run = await first.rowbeat.enqueue(scripted, { ms: 5000, obedient: true })
  await until('it runs', () => first.worker.running === 1)
  await until('it is listed', async () => {
    const [row] = await commands.inspect(PROCESS, 'active', ['first'])
    return JSON.stringify(row!.reply).includes(run.id)
  })
  for (const what of INSPECTIONS) t.ok((await commands.inspect(PROCESS, what)).length > 0, what)
  await until(
    'the registry has its queues',
    async () => (await workers.read(PROCESS, 'second')).queues.high === 4,
  )
  t.match(await workers.list(PROCESS), [
    { name: 'first', queues: { default: 1 }, running: [{ id: run.id }], quiet: false },
    { name: 'second', queues: { high: 4 }, tasks: ['test.scripted', 'test.entry', 'rowbeat.cleanup'] },
  ])
  t.match(await workers.read(PROCESS, 'first'), { name: 'first', processed: { succeeded: 0 }, seen_at: /Z$/ })
})
