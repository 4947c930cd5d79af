/** What a worker does when it is told: settings that hold over its life, questions that are for the living. */
import t from 'tap'
import { createRowbeat, createWorker } from '../../src/index.ts'
import { toQueryable } from '../../src/db/handle.ts'
import { giveCommand, readCommand, type CommandRecord } from '../../src/db/statements/control.ts'
import { setup } from '../helpers/bundle.ts'
import { readLedger, scripted } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorker, startWorkerProcess } from '../helpers/worker.ts'

const { url, sql } = await setup(t)
const db = toQueryable(sql)
/** Gives a command and waits for the answer of the one live worker. */
const ask = async (command: string, args = {}, workers: string[] | null = null): Promise<CommandRecord> => {
  const id = await giveCommand(db, command, args, workers)
  return await until(`${command} is answered`, async () => {
    const record = await readCommand(db, id)
    return record!.replies.length > 0 && record!.awaited.length === 0 && record!
  })
}
const answer = async (command: string, args = {}): Promise<any> => (await ask(command, args)).replies[0]

const tasks = [scripted]

t.test('what was said while it was down holds when it is back under its name', async (t) => {
  await giveCommand(db, 'add_queue', { queue: 'mail', concurrency: 2 }, ['steady'])
  await giveCommand(db, 'cancel_queue', { queue: 'default' }, ['steady'])
  await giveCommand(db, 'time_limit', { task: 'test.scripted', hard: '0.2 s' }, null)
  const id = await giveCommand(db, 'ping', {}, null)
  await sql`update rowbeat.commands set expires_at = expires_at + interval '1 minute'`
  const { worker, rowbeat } = await startWorker(t, url, { name: 'steady', queues: { default: 3 }, tasks })
  const [other, mail] = [
    await rowbeat.enqueue(scripted, {}),
    await rowbeat.enqueue(scripted, { ms: 20_000, obedient: true }, { queue: 'mail' }),
  ]
  await t.rejects(mail.result({ timeout: '10s' }), { code: 'RB_RUN_TIMED_OUT' }, 'its limit holds')
  t.equal(await other.state(), 'PENDING')
  const { reply } = await answer('quiet')
  t.match(reply, { queues: { mail: 2 }, quiet: true })
  t.strictSame(
    (await readCommand(db, id))!.replies,
    [],
    'a question that stood before it lived is not for it',
  )
  await worker.stop()
  await giveCommand(db, 'unquiet', {}, null)
  await giveCommand(db, 'reset', { task: 'test.scripted' }, null)
  await giveCommand(db, 'reset', {}, ['steady'])
  const again = await startWorker(t, url, { name: 'steady', queues: { default: 3 }, tasks })
  t.equal(await again.rowbeat.run(scripted, other.id).result({ timeout: '5s' }), 1)
  await again.worker.stop()
})

t.test('a living one', async (t) => {
  const { worker, rowbeat, heard } = await startWorker(t, url, {
    name: 'w1@%h',
    queues: { default: 2 },
    prefetch: 5,
    tasks,
  })
  await t.test('answers', async (t) => {
    t.match(await answer('ping'), { worker: worker.name, ok: true, reply: 'pong' })
    const { reply: report } = await answer('report')
    t.match(report, {
      versions: { node: process.versions.node },
      config: { queues: { default: 2 }, prefetch: 5 },
      machine: {},
      rusage: {},
      queues: { default: 2 },
    })
    t.match(report.config.database, /^127\.0\.0\.1:\d+\/test_/)
    t.notMatch(JSON.stringify(report), new URL(url).password || /password/, 'and tells no secret')
    await rowbeat.enqueueMany(Array.from({ length: 5 }, () => ({ task: scripted, input: { ms: 300 } })))
    await until('two run', () => worker.running === 2)
    t.match(await answer('stats'), { reply: { running: 2, memory: {}, processed: {} } })
    await until('it is done', () => heard.finished.length === 5)
    await until('the registry counts them', async () => {
      const [row] = await sql`select processed from rowbeat.workers where name = ${worker.name}`
      return row!.processed.succeeded === 5
    })
    t.match(await answer('reserved'), { reply: [] })
  })

  await t.test('says so when it knows no such task', async (t) => {
    t.match(await answer('rate_limit', { task: 'no.such', rate: 3 }), {
      ok: false,
      reply: { error: 'unknown task no.such' },
    })
    t.match(await answer('rate_limit', { task: 'test.scripted', rate: 'none' }), { ok: true })
    t.match(await answer('reset', { task: 'no.such' }), { ok: true })
  })

  await t.test('warns of another with its name', async (t) => {
    const twin = createWorker({ databaseUrl: url, name: worker.name, tasks, queues: { other: 1 } })
    const namesakes: unknown[] = []
    twin.events.on('worker:namesake', (said) => namesakes.push(said))
    await twin.start()
    t.strictSame(namesakes, [{ name: worker.name, others: 1 }])
    await twin.stop()
  })

  await t.test('stops when it is told to, as with a signal', async (t) => {
    const asked: unknown[] = []
    worker.events.on('worker:asked-to-stop', (said) => asked.push(said))
    const run = await rowbeat.enqueue(scripted, { ms: 300, value: 'ended' })
    await until('it runs', () => worker.running === 1)
    const id = await giveCommand(db, 'shutdown', { grace: '5 s' }, [worker.name])
    t.equal(await run.result({ timeout: '5s' }), 'ended', 'its runs end within the grace')
    await until(
      'it left',
      async () => (await sql`select count(*)::int as n from rowbeat.workers`)[0]!.n === 0,
    )
    t.match((await readCommand(db, id))!.replies, [{ ok: true, reply: { stopping: true } }])
    t.strictSame(asked, [{ name: worker.name, graceMs: 5000 }])
  })
})

t.test('it names what blocks its main thread, while it is blocked and while it is not', async (t) => {
  await startWorkerProcess(t, url, { name: 'blocked' })
  await until('its heart beats', async () => (await sql`select rss_bytes from rowbeat.workers`)[0]!.rss_bytes)
  const rowbeat = createRowbeat({ databaseUrl: url, tasks })
  t.teardown(() => rowbeat.close())
  const ledger = `${t.testdir()}/ledger`
  const run = await rowbeat.enqueue(scripted, { fate: 'spin', ms: 4000, ledger })
  await until('it spins', () => readLedger(ledger).length === 1)
  const { ok, reply } = await answer('dump_stacks')
  t.equal(await run.state(), 'PENDING', 'it could not even be listed')
  t.match(reply, { blocked_ms: Number, active: [] })
  t.equal(ok, true)
  // It may be looked at while the clock is read, in a frame of Node's own.
  const spinning = reply.stack.find((frame: any) => frame.function === 'spin')
  t.match(spinning, { file: /test\/helpers\/tasks\.ts$/, line: Number })
  t.ok(
    reply.stack.some((frame: any) => frame.run === run.id),
    'and which run it is',
  )
  await run.result({ timeout: '20s' })
  const after = (await answer('dump_stacks')).reply
  t.equal(after.blocked_ms, 0)
  t.notOk(after.stack.some((frame: any) => frame.function === 'spin'))
})

t.test('it says once that it is spent, by runs or by memory', async (t) => {
  for (const [limit, why] of [
    [{ maxRuns: 3 }, 'runs'],
    [{ maxMemory: '1 MB' }, 'memory'],
  ] as const) {
    const { worker, rowbeat, heard } = await startWorker(t, url, { ...limit, tasks, name: `spent ${why}` })
    const spent: any[] = []
    worker.events.on('worker:spent', (said) => spent.push(said))
    await rowbeat.enqueueMany(Array.from({ length: 6 }, () => ({ task: scripted, input: {} })))
    await until('all are done', () => heard.finished.length === 6)
    t.match(spent, [{ why, runs: why === 'runs' ? 3 : 1 }])
    t.equal(spent.length, 1)
    await worker.stop()
  }
  for (const options of [
    { maxRuns: 0 },
    { maxMemory: 'much' },
    { autoscale: { max: 1, min: 2 } },
    { concurrency: 0 },
  ])
    t.throws(() => createWorker({ databaseUrl: url, tasks, ...options }), { code: 'RB_CONFIG_INVALID' })
})
