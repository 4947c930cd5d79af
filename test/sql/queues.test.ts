/** Queues in SQL: an UPDATE is enough to pause, resume, drain and limit; what waits goes where it belongs, and comes back in order. */
import t from 'tap'
import { openGates } from '../../src/db/statements/gates.ts'
import { releaseBacklog, trimHot } from '../../src/db/statements/jobs.ts'
import { holdPaused, raiseOverflow, readBacklogs, resumeDue } from '../../src/db/statements/queues.ts'
import { setup } from '../helpers/bundle.ts'

const { sql, db, admin } = await setup(t)
const enqueue = async (queue: string, priority = 0, count = 1): Promise<string[]> => {
  const runs = Array.from({ length: count }, () => ({ task: 'x.run', queue, priority }))
  const rows = await sql`select id::text from rowbeat.enqueue_many(${sql.json(runs)}) order by ordinal`
  return rows.map(({ id }) => id as string)
}
/** What waits on a queue, by place. */
const places = async (queue: string): Promise<Record<string, number>> => {
  const rows = await sql`select place, n from rowbeat.count_waiting_v1(${queue}, 1000) where n > 0`
  return Object.fromEntries(rows.map(({ place, n }) => [place, n]))
}
const hot = async (queue: string): Promise<string[]> => {
  const rows =
    await sql`select j.key from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id
    where t.identifier like ${`${queue}:%`} order by j.priority, j.run_at, j.id`
  return rows.map(({ key }) => key as string)
}
const row = async (queue: string): Promise<any> =>
  (await sql`select * from rowbeat.queues where name = ${queue}`)[0]
const claim = async (count: number, queue: string): Promise<void> => {
  const keys = (await hot(queue)).slice(0, count)
  await sql`update rowbeat_queue._private_jobs set locked_at = now(), locked_by = 'w', attempts = 1 where key = any (${keys})`
}
const finish = async (queue: string): Promise<void> => {
  await sql`delete from rowbeat_queue._private_jobs where locked_by = 'w' and key = any (${await hot(queue)})`
  await sql`select rowbeat.reclaim_permits_v1()`
}
/** Permits are let be for a second. */
const openAll = async (): Promise<void> => {
  await sql`update rowbeat.permits set at = at - interval '2 seconds'`
  await sql`select rowbeat.reclaim_permits_v1()`
  while ((await openGates(db, 100)).more);
}

t.test('an UPDATE pauses: what waits and what comes is parked, what is claimed is left alone', async (t) => {
  await enqueue('paused', 0, 5)
  await sql`insert into rowbeat.queues (name) values ('paused')`
  await claim(2, 'paused')
  await sql`update rowbeat.queues set paused_at = now(), pause_reason = 'look' where name = 'paused'`
  t.strictSame(await places('paused'), { paused: 3 })
  t.equal((await hot('paused')).length, 2, 'those that were claimed')
  await enqueue('paused', -5)
  await enqueue('paused', 0, 3)
  t.strictSame(await places('paused'), { paused: 7 }, 'alone and in bulk')
  const runs =
    await sql`select distinct state, reason from rowbeat.runs where queue = 'paused' and reason is not null`
  t.strictSame([...runs], [{ state: 'PENDING', reason: 'paused' }])
  await sql`update rowbeat_queue._private_jobs set locked_at = null, locked_by = null where locked_by = 'w'`
  await holdPaused(db)
  t.strictSame(await places('paused'), { paused: 9 }, 'those that were handed back too')
})

t.test('resume brings all back by priority and age, before whatever comes then', async (t) => {
  await sql`select rowbeat.pause_queue('high')`
  const ids: [priority: number, id: string][] = []
  for (const priority of [3, 0, 3, -1, 0]) ids.push([priority, (await enqueue('high', priority))[0]!])
  await sql`select rowbeat.resume_queue('high')`
  t.match(await row('high'), { paused_at: null, pause_reason: null, overflow: -1 })
  const late = await enqueue('high', -1)
  const best = await enqueue('high', -2)
  t.strictSame(await places('high'), { hot: 1, overflow: 1, paused: 5 }, 'a better one does not wait')
  while ((await releaseBacklog(db, 'high', 2, false)).hot > 0);
  const ordered = ids.toSorted(([a], [b]) => a - b).map(([, id]) => id)
  t.strictSame(await hot('high'), [...best, ordered[0]!, ...late, ...ordered.slice(1)])
})

t.test('a pause with an end ends by itself; none that is over can begin', async (t) => {
  await enqueue('timed')
  await sql`select rowbeat.pause_queue('timed', 'tea', clock_timestamp() + interval '1 hour')`
  t.match(await row('timed'), { pause_reason: 'tea', resume_at: Date })
  t.equal(await resumeDue(db), 0)
  await sql`update rowbeat.queues set resume_at = clock_timestamp() - interval '1 ms' where name = 'timed'`
  t.equal(await resumeDue(db), 1)
  t.match(await row('timed'), { paused_at: null, pause_reason: null, resume_at: null })
  for (const late of [
    sql`select rowbeat.pause_queue('timed', null, now() - interval '1 s')`,
    sql`update rowbeat.queues set paused_at = now(), resume_at = now() - interval '1 s' where name = 'timed'`,
  ])
    await t.rejects(late, { code: '22023', message: 'resume_at: must be ahead' })
})

t.test('a drain works off what waits; what comes meanwhile waits for the resume', async (t) => {
  await enqueue('drained', 0, 4)
  await sql`update rowbeat.queues set overflow = 0 where name = 'drained'`
  await sql`select rowbeat.drain_queue('drained')`
  await enqueue('drained', -3, 2)
  t.strictSame(await places('drained'), { hot: 4, paused: 2 })
  t.strictSame(await releaseBacklog(db, 'drained', 10, true), { hot: 0, gated: 0 })
  t.notOk((await readBacklogs(db)).some(({ queue }) => queue === 'drained'))
  await sql`select rowbeat.resume_queue('drained')`
  const backlog = (await readBacklogs(db)).find(({ queue }) => queue === 'drained')
  t.match(backlog, { best: -3, overflow: -3, drains: false })
  t.strictSame(await releaseBacklog(db, 'drained', 10, false), { hot: 2, gated: 0 })
  await sql`select rowbeat.pause_queue('drained')`
  await t.rejects(sql`select rowbeat.drain_queue('drained')`, { code: '55000', message: /resume it first/ })
})

t.test('a queue that nobody knows is refused; one that runs are on needs no row', async (t) => {
  for (const verb of ['pause', 'resume', 'drain'])
    await t.rejects(sql.unsafe(`select rowbeat.${verb}_queue('nobody')`), { code: 'P0002' }, verb)
  await enqueue('rowless')
  t.equal(await row('rowless'), undefined)
  await sql`select rowbeat.pause_queue('rowless')`
  t.strictSame(await places('rowless'), { paused: 1 })
})

t.test('a limit that is switched on holds what waits, and counts what runs', async (t) => {
  await enqueue('busy', 0, 6)
  await claim(2, 'busy')
  await sql`insert into rowbeat.queues (name, concurrency) values ('busy', 3)`
  t.strictSame(await places('busy'), { concurrency: 4 })
  await openAll()
  t.strictSame(await places('busy'), { hot: 1, concurrency: 3 }, 'two run, so one may')
  await sql`update rowbeat.queues set concurrency = 4 where name = 'busy'`
  await openAll()
  t.strictSame(await places('busy'), { hot: 2, concurrency: 2 }, 'raised')
  await sql`update rowbeat.queues set concurrency = 1 where name = 'busy'`
  await finish('busy')
  await openAll()
  t.strictSame(await places('busy'), { hot: 2, concurrency: 2 }, 'lowered: those that passed may run')
  await sql`update rowbeat.queues set concurrency = null where name = 'busy'`
  await openAll()
  t.strictSame(await places('busy'), { hot: 4 }, 'removed')
})

t.test('so does a rate; a pause takes from the gate what comes to it', async (t) => {
  await enqueue('paced', 0, 5)
  await sql`insert into rowbeat.queues (name) values ('paced')`
  await sql`update rowbeat.queues set rate = '1/h', rate_burst = 2 where name = 'paced'`
  t.strictSame(await places('paced'), { rate: 5 })
  await openGates(db, 100)
  const { hot: passed = 0, rate = 0 } = await places('paced')
  t.strictSame([passed + rate, passed <= 2], [5, true])
  await sql`select rowbeat.pause_queue('paced')`
  await sql`update rowbeat.queues set rate = null where name = 'paced'`
  await openAll()
  t.strictSame(await places('paced'), { paused: 5 })
  await sql`select rowbeat.resume_queue('paced')`
  await releaseBacklog(db, 'paced', 10, false)
  t.strictSame(await places('paced'), { hot: 5 })
})

t.test('the mark follows the best that is parked, and nothing worse stays before it', async (t) => {
  await enqueue('ranked', 1, 2)
  await enqueue('ranked', 9, 3)
  await sql`insert into rowbeat.queues (name, overflow) values ('ranked', 4)`
  t.equal(await trimHot(db, 'ranked', 4, 2), 2)
  t.equal(await trimHot(db, 'ranked', 4, 2), 1)
  t.equal(await trimHot(db, 'ranked', 4, 2), 0)
  t.strictSame(await places('ranked'), { hot: 2, overflow: 3 })
  await enqueue('ranked', 5)
  t.strictSame(
    await releaseBacklog(db, 'ranked', 10, false, 5),
    { hot: 0, gated: 0 },
    'none is better than 5',
  )
  t.strictSame(await releaseBacklog(db, 'ranked', 10, false, 6), { hot: 1, gated: 0 })
  await raiseOverflow(db, 'ranked')
  t.equal((await row('ranked')).overflow, 9)
  await enqueue('ranked', 8)
  t.strictSame(await places('ranked'), { hot: 4, overflow: 3 })
  await admin.begin(async (other) => {
    await other`update rowbeat.queues set overflow = 3 where name = 'ranked'`
    await raiseOverflow(db, 'ranked')
  })
  t.equal((await row('ranked')).overflow, 3, 'who has the row is not waited for')
})

t.test('a row that runs need cannot be deleted', async (t) => {
  for (const queue of ['ranked', 'rowless'])
    await t.rejects(sql`delete from rowbeat.queues where name = ${queue}`, { code: '55006' }, queue)
  await sql`insert into rowbeat.queues (name) values ('idle')`
  t.equal((await sql`delete from rowbeat.queues where name = 'idle' returning 1`).length, 1)
})

t.test('what waits is counted up to a number, and its oldest told', async (t) => {
  await enqueue('many', 3, 30)
  await enqueue('many', -3, 2)
  const [counted] = await sql`select n from rowbeat.count_waiting_v1('many', 10) where place = 'hot'`
  t.equal(counted!.n, 10)
  await sql`select rowbeat.pause_queue('many')`
  await sql`update rowbeat.parked set created_at = now() - interval '1 hour'
    where id = (select id from rowbeat.parked where queue = 'many' and priority = 3 order by id limit 1)`
  const [aged] =
    await sql`select round(extract(epoch from now() - oldest))::float8 as age from rowbeat.count_waiting_v1('many', 10) where place = 'paused'`
  t.match(aged, { age: 3600 })
})
