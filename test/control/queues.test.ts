/** The verbs on queues below REST and the command line: who may, and figures that stay cheap however much waits. */
import t from 'tap'
import { PROCESS, type Caller } from '../../src/auth/scopes.ts'
import { createQueueControl } from '../../src/control/queues.ts'
import { COUNT_MAX } from '../../src/db/statements/queue-figures.ts'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

const { sql } = await setup(t)
const rowbeat = createRowbeat({ db: sql })
t.teardown(() => rowbeat.close())
const control = createQueueControl(rowbeat)
const caller = (...scopes: string[]): Caller => ({ kind: 'key', id: 'k', name: 'a test', scopes })

t.test('each verb asks for its scope, before it looks at anything', async (t) => {
  const reading: Record<string, (by: Caller) => Promise<unknown>> = {
    list: (by) => control.list(by),
    read: (by) => control.read(by, 'nobody'),
  }
  const writing: Record<string, (by: Caller) => Promise<unknown>> = {
    define: (by) => control.define(by, 'No', {}),
    edit: (by) => control.edit(by, 'nobody', {}),
    pause: (by) => control.pause(by, 'nobody', { reason: null, until: null }),
    resume: (by) => control.resume(by, 'nobody'),
    drain: (by) => control.drain(by, 'nobody'),
    purge: (by) => control.purge(by, 'nobody', {}),
    move: (by) => control.move(by, 'nobody', { to: 'high' }),
    remove: (by) => control.remove(by, 'nobody'),
  }
  t.strictSame(Object.keys(control).toSorted(), [...Object.keys(reading), ...Object.keys(writing)].toSorted())
  for (const [verbs, scope] of [
    [reading, 'queues:read'],
    [writing, 'queues:write'],
  ] as const)
    for (const [name, verb] of Object.entries(verbs)) {
      const other = scope === 'queues:read' ? 'queues:write' : 'queues:read'
      const message = new RegExp(`lacks the scope ${scope}`)
      await t.rejects(verb(caller(other, 'runs:write')), { code: 'RB_SCOPE_MISSING', message }, name)
      await verb(caller(scope)).then(
        () => {},
        ({ code }) => t.match(code, /^RB_QUEUE_/, name),
      )
    }
})

t.test('of what waits, a hundred thousand are counted, and then it says so', async (t) => {
  await sql`select rowbeat.pause_queue('high')`
  await sql`insert into rowbeat.parked (id, reason, task, queue, priority, payload, created_at)
    select rowbeat.uuid7(), 'paused', 'x.run', 'high', g % 5, '{}', now() - interval '1 day' from generate_series(1, ${COUNT_MAX + 5}) g`
  const queue = await control.read(PROCESS, 'high')
  t.match(queue, { capped: true, waiting: { paused: COUNT_MAX, overflow: 0 } })
  t.ok(Math.abs(queue.oldest_age! - 86_400) < 60)
  // In one transaction, what this session read is known at once.
  const [read] = await sql.begin(async (tx) => {
    await createQueueControl(createRowbeat({ db: tx })).list(PROCESS)
    return await tx`select seq_tup_read::int as n from pg_stat_xact_user_tables where relid = 'rowbeat.parked'::regclass`
  })
  t.equal(read!.n, 0, 'and no row of the table is read one after the other')
})

t.test('words for what the database refuses', async (t) => {
  await t.rejects(control.drain(PROCESS, 'high'), {
    code: 'RB_QUEUE_PAUSED',
    message: 'Queue "high" is paused: resume it first.',
  })
  await t.rejects(control.remove(PROCESS, 'high'), {
    code: 'RB_QUEUE_IN_USE',
    message: /^Queue "high" has runs that/,
  })
  await t.rejects(control.read(PROCESS, 'nobody'), {
    code: 'RB_QUEUE_NOT_FOUND',
    message: /^No queue is named "nobody"/,
  })
})
