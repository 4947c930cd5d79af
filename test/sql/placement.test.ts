/** Where a run goes when it is enqueued: the one placement rule, the overflow flag, and the doorbell. */
import t from 'tap'
import { clearOverflow, readBacklogs } from '../../src/db/statements/queues.ts'
import { releaseDue, releaseBacklog } from '../../src/db/statements/jobs.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

const { sql, db, admin } = await setup(t)
const enqueue = async (options: string): Promise<string> =>
  (await sql.unsafe(`select rowbeat.enqueue('x.run', ${options})::text as id`))[0]!.id
const reason = async (id: string): Promise<string | null> => {
  const [row] = await sql`select reason, state from rowbeat.run(${id})`
  return row?.reason ?? null
}
const empty = async (): Promise<void> => {
  await sql`delete from rowbeat_queue._private_jobs`
  await sql`delete from rowbeat.parked`
  await sql`update rowbeat.queues set paused_at = null, overflow = null, hot_limit = 20000, hot_until = null`
}
t.beforeEach(empty)

t.test(
  'the rule: a future eta, then a pause, then overflow of this priority or a better one, else hot',
  async (t) => {
    const rule = async (
      eta: string,
      paused: string,
      overflow: string,
      priority: number,
    ): Promise<string | null> =>
      (
        await sql.unsafe(
          `select rowbeat.placement_v1(${eta}, now(), ${paused}, ${overflow}::smallint, ${priority}) as reason`,
        )
      )[0]!.reason
    const past = `now() - interval '1 s'`
    const future = `now() + interval '1 s'`
    t.equal(await rule('null', 'null', 'null', 0), null)
    t.equal(await rule(past, 'null', 'null', 0), null)
    t.equal(await rule('now()', 'null', 'null', 0), null)
    t.equal(await rule(future, 'null', 'null', 0), 'eta')
    t.equal(await rule(future, past, '0', 0), 'eta')
    t.equal(await rule(past, past, '0', 0), 'paused')
    t.equal(await rule('null', 'null', '0', 0), 'overflow')
    t.equal(await rule('null', 'null', '0', 5), 'overflow')
    t.equal(await rule('null', 'null', '0', -1), null)
    t.equal(await rule('null', 'null', '-3', -3), 'overflow')
  },
)

t.test('enqueue asks it, for one and for many', async (t) => {
  t.equal(await reason(await enqueue(`'{}'`)), null)
  t.equal(await reason(await enqueue(`'{}', delay => '1h'`)), 'eta')
  await sql`update rowbeat.queues set paused_at = now() where name = 'default'`
  t.equal(await reason(await enqueue(`'{}'`)), 'paused')
  t.equal(await reason(await enqueue(`'{}', delay => '1h'`)), 'eta')
  t.equal(await reason(await enqueue(`'{}', queue => 'high'`)), null)
  t.equal(await reason(await enqueue(`'{}', queue => 'unheard-of'`)), null)
  await sql`update rowbeat.queues set paused_at = null where name = 'default'`
  t.equal(await reason(await enqueue(`'{}'`)), 'overflow', 'behind what waited while it was paused')
  await sql`update rowbeat.queues set overflow = 5 where name = 'default'`
  const many =
    await sql`select id::text as id from rowbeat.enqueue_many('[{"task":"x.run"},{"task":"x.run","priority":5},{"task":"x.run","priority":9,"delay":60},{"task":"x.run","priority":9}]') order by ordinal`
  const reasons = []
  for (const { id } of many) reasons.push(await reason(id))
  t.strictSame(reasons, [null, 'overflow', 'eta', 'overflow'])
})

t.test('a due run moves into the queue, or to its next reason', async (t) => {
  const [hot, paused, over] = [
    await enqueue(`'{}', delay => '1h'`),
    await enqueue(`'{}', delay => '1h', queue => 'high'`),
    await enqueue(`'{}', delay => '1h', queue => 'low'`),
  ]
  await sql`insert into rowbeat.queues (name, overflow) values ('low', 0) on conflict (name) do update set overflow = 0`
  await sql`update rowbeat.queues set paused_at = now() where name = 'high'`
  t.match(await releaseDue(db, 10), { moved: 0 })
  await sql`update rowbeat.parked set release_at = now()`
  t.match(await releaseDue(db, 10), { moved: 1, nextMs: null })
  t.equal(await reason(hot), null)
  t.equal(await reason(paused), 'paused')
  t.equal(await reason(over), 'overflow')
  t.match(await sql`select state, input, created_at < clock_timestamp() as made from rowbeat.run(${hot})`, [
    { state: 'PENDING', input: {}, made: true },
  ])
  const soon = await enqueue(`'{}', delay => '1 minute'`)
  const { nextMs } = await releaseDue(db, 10)
  t.ok(nextMs! > 50_000 && nextMs! <= 60_000, `${nextMs}`)
  t.equal(await reason(soon), 'eta')
})

t.test('the flag is set when the hot rows pass the limit, at the priority that fills it', async (t) => {
  await sql`update rowbeat.queues set hot_limit = 10 where name = 'default'`
  const flag = async (): Promise<number | null> =>
    (await sql`select overflow from rowbeat.queues where name = 'default'`)[0]!.overflow
  const mark = (coming = 1, best = 0): Promise<unknown> =>
    sql`select rowbeat.mark_overflow_v1('default', ${coming}, ${best})`
  for (let n = 0; n < 9; n++) await enqueue(`'{}', priority => ${n}`)
  await mark()
  t.equal(await flag(), null, 'nine of ten')
  for (let n = 0; n < 5; n++) await enqueue(`'{}', priority => ${n}`)
  await mark()
  t.equal(await flag(), 4, 'the tenth best of 0,0,1,1,2,2,3,3,4,4,5')
  t.equal(await reason(await enqueue(`'{}', priority => 4`)), 'overflow')
  t.equal(await reason(await enqueue(`'{}', priority => 3`)), null)
  await sql`update rowbeat.queues set overflow = 2 where name = 'default'`
  await mark()
  t.equal(await flag(), 2, 'never to a worse one: only the dispatcher takes it down')
  await sql`update rowbeat.queues set overflow = null where name = 'default'`
  await sql`delete from rowbeat_queue._private_jobs`
  await mark(11, -4)
  t.equal(await flag(), -4, 'what comes is more than the limit by itself')
  await sql`select rowbeat.mark_overflow_v1('a_b', 1, 0), rowbeat.mark_overflow_v1('brand-new', 30000, 3)`
  t.match(await sql`select overflow from rowbeat.queues where name = 'brand-new'`, [{ overflow: 3 }])
})

t.test('a busy row of the queue makes no enqueue wait', async (t) => {
  await sql`update rowbeat.queues set hot_limit = 1 where name = 'default'`
  await sql.unsafe(`select rowbeat.enqueue('x.run') from generate_series(1, 3)`)
  const holder = await admin.reserve()
  await holder`begin`
  await holder`update rowbeat.queues set hot_until = now() where name = 'default'`
  await sql.begin(async (tx) => {
    await tx`set local lock_timeout = '500ms'`
    await tx`select rowbeat.mark_overflow_v1('default', 1, 0)`
    await tx`select rowbeat.enqueue('x.run')`
  })
  await holder`commit`
  holder.release()
  t.match(
    await sql`select overflow from rowbeat.queues where name = 'default'`,
    [{ overflow: null }],
    'the next one marks it',
  )
  await sql`select rowbeat.mark_overflow_v1('default', 1, 0)`
  t.match(await sql`select overflow from rowbeat.queues where name = 'default'`, [{ overflow: 0 }])
  await sql.begin(async (tx) => {
    await tx`select rowbeat.mark_overflow_v1('default', 1, 0)`
    await admin`set lock_timeout = '500ms'`
    await admin`update rowbeat.queues set hot_until = now() where name = 'default'`
    t.pass('a flag that stands is not locked again')
  })
})

t.test('overflow follows in order of priority and age, and the flag comes down with the last', async (t) => {
  await sql`update rowbeat.queues set overflow = -100 where name = 'default'`
  const ids = []
  for (const priority of [5, -3, 0, -3, 9])
    ids.push(await enqueue(`'{"p": ${priority}}', priority => ${priority}`))
  t.match(await readBacklogs(db), [
    { queue: 'default', hotLimit: 20_000, best: -3, overflow: -100, drains: false },
  ])
  t.match(await releaseBacklog(db, 'default', 3, false), { hot: 3 })
  const left = await sql`select id::text as id from rowbeat.parked order by priority`
  t.strictSame(
    left.map((row) => row.id),
    [ids[0], ids[4]],
  )
  await clearOverflow(db, 'default')
  t.match(await readBacklogs(db), [{ best: 5 }], 'two wait, so it stands')
  t.match(await releaseBacklog(db, 'default', 3, false), { hot: 2 })
  t.match(await releaseBacklog(db, 'default', 3, false), { hot: 0 })
  t.match(await readBacklogs(db), [{ best: null }])
  await clearOverflow(db, 'default')
  t.equal((await readBacklogs(db)).length, 0)
  t.match(await sql`select count(*)::int as n from rowbeat.runs where state = 'PENDING' and reason is null`, [
    { n: 5 },
  ])
})

t.test('a parked run whose identifier was cleaned away waits; it is not lost', async (t) => {
  const [eta, over] = [await enqueue(`'{}', delay => '1h'`), await enqueue(`'{}', queue => 'low'`)]
  await sql`update rowbeat.parked set release_at = now() where id = ${eta}`
  await sql`with j as (delete from rowbeat_queue._private_jobs where key = ${over} returning *)
    insert into rowbeat.parked (id, reason, task, queue, priority, payload, created_at) select key::uuid, 'overflow', 'x.run', 'low', 0, payload, created_at from j`
  await sql`delete from rowbeat_queue._private_tasks where identifier like '%:x.run'`
  t.match(await releaseDue(db, 10), { moved: 0 })
  t.match(await releaseBacklog(db, 'low', 10, false), { hot: 0 })
  t.equal((await sql`select from rowbeat.parked`).length, 2)
  await enqueue(`'{}'`)
  await enqueue(`'{}', queue => 'low'`)
  t.match(await releaseDue(db, 10), { moved: 1 })
  t.match(await releaseBacklog(db, 'low', 10, false), { hot: 1 })
})

t.test(
  'the bell rings where no worker looks by itself, once for each queue, and for runs due soon',
  async (t) => {
    const heard: string[] = []
    const subscription = await sql.listen('rowbeat_queue', (queue) => heard.push(queue))
    const parked = await sql.listen('rowbeat_parked', () => heard.push('parked'))
    const rings = async (act: () => Promise<unknown>): Promise<string[]> => {
      heard.length = 0
      await act()
      await sql`select pg_notify('rowbeat_queue', 'end')`
      await until('the end is heard', () => heard.includes('end'))
      return heard.filter((queue) => queue !== 'end').sort()
    }
    const many = (queues: string[]): Promise<unknown> =>
      sql`select * from rowbeat.enqueue_many(${JSON.stringify(queues.map((queue) => ({ task: 'x.run', queue })))}::text::jsonb)`
    t.strictSame(await rings(() => enqueue(`'{}'`)), [], 'nobody is there to be woken')
    await sql`insert into rowbeat.workers (id, name, kind, hostname, pid, version) values ('w', 'w', 'worker', 'h', 1, '0')`
    t.strictSame(await rings(() => enqueue(`'{}'`)), ['default'])
    t.strictSame(await rings(() => many(['high', 'default', 'high', 'high'])), ['default', 'high'])
    await sql`update rowbeat.queues set hot_until = clock_timestamp() + interval '1 minute' where name = 'high'`
    t.strictSame(
      await rings(() => many(['high', 'default'])),
      ['default'],
      'workers look at high by themselves',
    )
    t.strictSame(
      await rings(() =>
        sql.begin(
          'isolation level repeatable read',
          (tx) => tx`select rowbeat.enqueue('x.run', queue => 'high')`,
        ),
      ),
      ['high'],
      'an old snapshot may not trust what it read',
    )
    t.strictSame(await rings(() => enqueue(`'{}', delay => '1h'`)), [])
    t.strictSame(await rings(() => enqueue(`'{}', delay => '200 ms'`)), ['parked'])
    t.strictSame(
      await rings(() =>
        sql
          .begin(async (tx) => {
            await tx`select rowbeat.enqueue('x.run')`
            throw new Error('no')
          })
          .catch(() => {}),
      ),
      [],
    )
    await sql`update rowbeat.workers set seen_at = now() - interval '1 minute'`
    t.strictSame(await rings(() => enqueue(`'{}'`)), [], 'a dead worker hears nothing')
    await subscription.unlisten()
    await parked.unlisten()
  },
)
