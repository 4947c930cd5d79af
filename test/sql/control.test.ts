/** rowbeat.control and rowbeat.inspect from SQL: what they refuse, what they write, and what they answer without any worker. */
import t from 'tap'
import { toQueryable } from '../../src/db/handle.ts'
import { deleteCommands, readCommand, readOrders, writeReply } from '../../src/db/statements/control.ts'
import { beatWorker, registerWorker } from '../../src/db/statements/workers.ts'
import { setup } from '../helpers/bundle.ts'

const { sql } = await setup(t)
const db = toQueryable(sql)
const control = async (command: unknown, args: unknown = {}, workers: string[] | null = null) =>
  (
    await sql`select rowbeat.control(${command as string}, ${sql.json(args as never)}, ${workers as string[]}) as id`
  )[0]!.id as string
const settings = async () =>
  Object.fromEntries(
    (await sql`select * from rowbeat.worker_settings`).map(({ worker, updated_at: _, ...rest }) => [
      worker,
      rest,
    ]),
  )
const register = (name: string, tasks = ['demo.add']) =>
  registerWorker(db, {
    id: `${name}.1`,
    name,
    kind: 'worker',
    hostname: 'host',
    pid: 7,
    pools: [`pool-${name}`],
    queues: { default: 10, high: 5 },
    tasks,
    version: '1',
  })
const inspect = async (what: string, workers: string[] | null = null) =>
  Object.fromEntries(
    (await sql`select * from rowbeat.inspect(${what}, ${workers as string[]})`).map((row) => [
      row.worker,
      row.reply,
    ]),
  )
await register('w1')

t.test('what cannot be is refused, with the field in front, and nothing is written', async (t) => {
  for (const [command, args, words] of [
    ['nope', {}, /^command: must be one of add_queue, autoscale, cancel_queue/],
    [null, {}, /^command: /],
    ['ping', [], /^args: must be an object/],
    ['ping', { x: 1 }, /^args: "x" is not an argument of ping, which takes expires/],
    ['ping', { expires: 7200 }, /^expires: /],
    ['add_queue', {}, /^queue: must match/],
    ['add_queue', { queue: 'A' }, /^queue: must match/],
    ['cancel_queue', { queue: 3 }, /^queue: must match/],
    ['add_queue', { queue: 'a', concurrency: 0 }, /^concurrency: must be a whole number of 1 to 10000/],
    ['set_concurrency', {}, /^concurrency: /],
    ['set_concurrency', { concurrency: 2.5 }, /^concurrency: /],
    ['set_concurrency', { concurrency: '3' }, /^concurrency: /],
    ['autoscale', {}, /^max: must be given/],
    ['autoscale', { max: 2, min: 3 }, /^min: must not be above max/],
    ['autoscale', { off: false }, /^off: must be true/],
    ['autoscale', { off: true, max: 3 }, /^off: must be true, and then without/],
    ['rate_limit', { rate: '1/s' }, /^task: must be the name of a task/],
    ['rate_limit', { task: 'a' }, /^rate: must be given/],
    ['rate_limit', { task: 'a', rate: '0/m' }, /^rate: must be a number above 0/],
    ['rate_limit', { task: 'a', rate: '10/' }, /^rate: /],
    ['rate_limit', { task: 'a', rate: true }, /^rate: /],
    ['rate_limit', { task: 'a', rate: null, burst: 3 }, /^burst: needs a rate/],
    ['rate_limit', { task: 'a', rate: 3, burst: 0.5 }, /^burst: /],
    ['time_limit', { task: 'a' }, /^hard: soft or hard must be given/],
    ['time_limit', { task: 'a', hard: -1 }, /^hard: must be a duration/],
    ['time_limit', { task: 'a', soft: '20 s', hard: 10 }, /^soft: 20 s is above the hard limit of 10 s/],
    ['shutdown', { grace: 'soon' }, /^grace: /],
  ] as const)
    await t.rejects(
      control(command, args),
      { code: '22023', message: words },
      `${command} ${JSON.stringify(args)}`,
    )
  await t.rejects(control('quiet', {}, []), { code: '22023', message: /^workers: must be null/ })
  await t.rejects(control('quiet', {}, ['*']), { code: '22023', message: /^workers: / })
  await t.rejects(control('rate_limit', { task: 'a', rate: 1 }, ['w1']), {
    code: '22023',
    message: /^workers: /,
  })
  await t.rejects(control('ping', {}, ['w8', 'w9']), {
    code: 'P0002',
    message: /no live worker is named w8, w9/,
  })
  await t.rejects(inspect('x'), { code: '22023', message: /^what: must be one of active, active_queues/ })
  t.match(
    await sql`select (select count(*)::int from rowbeat.commands) as commands, (select count(*)::int from rowbeat.worker_settings) as settings`,
    [{ commands: 0, settings: 0 }],
  )
})

t.test('settings are rows, for a name that may be down too; the last word counts', async (t) => {
  await control('add_queue', { queue: 'mail', concurrency: 3 }, ['w1', 'down'])
  await control('autoscale', { max: 9 }, ['w1'])
  await control('set_concurrency', { concurrency: 5, queue: 'default' }, ['w1'])
  await control('quiet', {}, ['w1'])
  t.match(await settings(), {
    w1: {
      queues: { mail: { serve: true }, default: { concurrency: 5 } },
      autoscale: { max: 9, min: 1 },
      concurrency: null,
      quiet: true,
    },
    down: { queues: { mail: { serve: true, concurrency: 3 } } },
  })
  t.notOk((await settings()).w1.queues.mail.concurrency, 'autoscale is another answer to that question')
  await control('cancel_queue', { queue: 'mail' })
  await control('unquiet')
  await control('set_concurrency', { concurrency: 7 })
  t.strictSame(await settings(), {
    '*': { queues: { mail: { serve: false } }, concurrency: 7, autoscale: false, quiet: false },
    w1: { queues: { default: {} }, concurrency: null, autoscale: null, quiet: null },
    down: { queues: {}, concurrency: null, autoscale: null, quiet: null },
  })
  await control('reset', {}, ['w1', 'down'])
  t.strictSame(Object.keys(await settings()), ['*'])
  await control('reset')
  t.strictSame(await settings(), {})
})

t.test('what stands in for a task is one row, gone when nothing does', async (t) => {
  await sql`insert into rowbeat.tasks (name, time_limit) values ('demo.add', 30) on conflict do nothing`
  const row = async () => (await sql`select * from rowbeat.task_settings where task = 'demo.add'`)[0]
  await control('rate_limit', { task: 'demo.add', rate: '10/m', burst: 5 })
  await control('time_limit', { task: 'demo.add', soft: '10 s' })
  t.match(await row(), { rate: '10/m', rate_burst: 5, soft_time_limit: 10, time_limit: null })
  await t.rejects(control('time_limit', { task: 'demo.add', soft: 40 }), {
    message: /soft: 40 s is above the hard limit of 30 s/,
  })
  await control('time_limit', { task: 'demo.add', soft: 40, hard: 0 })
  t.match(await row(), { soft_time_limit: 40, time_limit: 0 }, '0 is none')
  await control('rate_limit', { task: 'demo.add', rate: 'none' })
  t.match(await row(), { rate: 'none', rate_burst: null })
  t.match(await inspect('registered'), {
    w1: [
      {
        name: 'demo.add',
        time_limit: null,
        code: { time_limit: 30 },
        settings: { rate: 'none', soft_time_limit: 40, time_limit: 0 },
      },
    ],
  })
  await control('rate_limit', { task: 'demo.add', rate: null })
  await control('time_limit', { task: 'demo.add', soft: null, hard: null })
  t.equal(await row(), undefined)
  await control('rate_limit', { task: 'demo.add', rate: 3 })
  await control('reset', { task: 'demo.add' })
  t.equal(await row(), undefined)
})

t.test('a digest changes with whatever concerns a worker, and is null while nothing does', async (t) => {
  await sql`delete from rowbeat.commands`
  const digest = async () => (await readOrders(db, 'w1')).digest
  let last = await digest()
  t.equal(last, null)
  const changes = async (what: string, ought: boolean) => {
    const is = await digest()
    t.equal(is !== last, ought, what)
    last = is
  }
  await sql`insert into rowbeat.worker_settings (worker) values ('other')`
  await changes('the setting of another', false)
  for (const text of [
    `insert into rowbeat.worker_settings (worker, quiet) values ('w1', true)`,
    `update rowbeat.worker_settings set quiet = false where worker = 'w1'`,
    `insert into rowbeat.worker_settings (worker) values ('*')`,
    `insert into rowbeat.task_settings (task, rate) values ('a', '1/s')`,
    `update rowbeat.queues set paused_at = now() where name = 'high'`,
    `select rowbeat.control('ping')`,
  ]) {
    await sql.unsafe(text)
    await changes(text, true)
  }
  const orders = await readOrders(db, 'w1')
  t.match(orders, { paused: ['high'], commands: [{ command: 'ping', args: {} }], tasks: [{ task: 'a' }] })
  t.strictSame(Object.keys(orders.settings).sort(), ['*', 'w1'])
  await control('ping', {}, ['w1'])
  await changes('a command for it', true)
  await register('w2')
  await control('ping', {}, ['w2'])
  await changes('a command for another', false)
  await sql`update rowbeat.commands set expires_at = now() - interval '2 hours'`
  await changes('commands that expired', true)
  t.strictSame((await readOrders(db, 'w1')).commands, [])
  await deleteCommands(db)
  t.equal((await sql`select count(*)::int as n from rowbeat.commands`)[0]!.n, 0)
  await sql`delete from rowbeat.worker_settings`
  await sql`delete from rowbeat.task_settings`
  await sql`update rowbeat.queues set paused_at = null`
  t.equal(await digest(), null)
})

t.test('answers are kept with their command, one of each worker', async (t) => {
  const id = await control('ping', {}, ['w1', 'w2'])
  t.match(await readCommand(db, id), {
    command: 'ping',
    workers: ['w1', 'w2'],
    replies: [],
    awaited: ['w1', 'w2'],
  })
  await writeReply(db, id, 'w1', true, 'pong')
  await writeReply(db, id, 'w1', false, 'again')
  t.match(await readCommand(db, id), {
    replies: [{ worker: 'w1', ok: true, reply: 'pong' }],
    awaited: ['w2'],
  })
  await sql`delete from rowbeat.commands`
  await writeReply(db, id, 'w2', true, 'late')
  t.equal(await readCommand(db, id), null)
})

t.test('inspect tells what rows know', async (t) => {
  const enqueue = async (rest: string): Promise<string> =>
    (await sql.unsafe(`select rowbeat.enqueue('demo.add', ${rest}) as id`))[0]!.id
  const [running, held, eta, gone] = [
    await enqueue(`'{}'`),
    await enqueue(`'{}', priority => 3`),
    await enqueue(`'{}', delay => '1 hour'`),
    await enqueue(`'{}'`),
  ]
  await sql`select rowbeat.revoke(${gone!}, reason => 'not needed')`
  await sql`update rowbeat_queue._private_jobs set locked_by = 'pool-w1', locked_at = now(), attempts = 1`
  const started_at = new Date().toISOString()
  const answer = await beatWorker(db, 'w1.1', {
    running: [{ id: running!, started_at, attempt: 1 }],
    rssBytes: 1e6,
    loopLagMs: 2,
    skewMs: 1,
    stopping: false,
    facts: {
      queues: { default: 4 },
      autoscale: { default: { max: 8, min: 4 } },
      quiet: true,
      processed: { succeeded: 3 },
    },
  })
  t.match(answer, { digest: null, dumps: [] })
  t.match(await inspect('active'), {
    w1: [{ id: running, task: 'demo.add', queue: 'default', attempt: 1, started_at }],
    w2: [],
  })
  t.match(await inspect('reserved', ['w1']), { w1: [{ id: held, task: 'demo.add', priority: 3 }] })
  t.match(await inspect('scheduled'), { null: [{ id: eta, reason: 'eta', task: 'demo.add' }] })
  t.match(await inspect('revoked'), {
    null: [{ id: gone, state: 'REVOKED', reason: 'revoked', message: 'not needed' }],
  })
  await sql`select rowbeat.revoke(${running!}, terminate => true, reason => 'now')`
  t.match((await inspect('revoked')).null, [
    { id: running, state: 'STARTED', terminate: true, message: 'now' },
    { id: gone },
  ])
  t.match(await inspect('stats', ['w1']), {
    w1: { pid: 7, concurrency: 4, running: 1, processed: { succeeded: 3 }, quiet: true, stopping: false },
  })
  t.match(await inspect('active_queues', ['w1']), {
    w1: [{ queue: 'default', concurrency: 4, autoscale: { max: 8, min: 4 }, paused: false }],
  })
  await control('set_concurrency', { concurrency: 3 }, ['w1'])
  const { w1 } = await inspect('report', ['w1'])
  t.match(w1, { hostname: 'host', settings: { w1: { concurrency: 3, autoscale: false } } })
  t.notOk('pools' in w1)
})

t.test('nobody may control or look but who was granted it', async (t) => {
  const open =
    await sql`select proname from pg_proc where pronamespace = 'rowbeat'::regnamespace and proname ~ '^(control|inspect|told|set_(workers|task)|invalid_command)'
    and exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0)`
  t.strictSame([...open], [])
  const loose =
    await sql`select proname from pg_proc where pronamespace = 'rowbeat'::regnamespace and prosecdef and proname ~ '^(control|inspect)'
    and not coalesce(proconfig::text, '') ~ 'search_path=pg_catalog, pg_temp'`
  t.strictSame([...loose], [])
})
