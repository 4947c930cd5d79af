/**
 * Limits over all workers, without a worker: what a gate lets through when a dispatcher looks at it.
 */
import t from 'tap'
import { openGates, reclaimPermits } from '../../src/db/statements/gates.ts'
import { releaseBacklog, releaseDue } from '../../src/db/statements/jobs.ts'
import { setup } from '../helpers/bundle.ts'

const { sql, db } = await setup(t)

/** Enqueues n runs and answers their ids, in order. */
const enqueue = async (task: string, n: number, more: object = {}): Promise<string[]> => {
  const runs = Array.from({ length: n }, () => ({ task, ...more }))
  const rows =
    await sql`select id::text as id from rowbeat.enqueue_many(${JSON.stringify(runs)}::text::jsonb) order by ordinal`
  return rows.map(({ id }) => id)
}
/** How many of a task are where, by reason; queued ones count as `queued`. */
const where = async (task: string): Promise<Record<string, number>> => {
  const rows =
    await sql`select coalesce(reason, case state when 'PENDING' then 'queued' else state end) as place, count(*)::int as n from rowbeat.runs where task = ${task} group by 1`
  return Object.fromEntries(rows.map(({ place, n }) => [place, n]))
}
const queued = async (task: string): Promise<string[]> => {
  const rows =
    await sql`select id::text as id from rowbeat.runs where task = ${task} and state = 'PENDING' and reason is null order by priority, id`
  return rows.map(({ id }) => id)
}
const limit = async (task: string, columns: object): Promise<unknown> =>
  sql`insert into rowbeat.tasks ${sql({ name: task, ...columns })} on conflict (name) do update set ${sql({ ...columns })}`
/** As long as there is something to do at once. */
const open = async (): Promise<number> => {
  let total = 0
  for (let more = true; more;) {
    const opened = await openGates(db, 1000)
    total += opened.moved
    more = opened.more
  }
  return total
}
/** Ends a queued run as a worker would, whose finish statement is shown elsewhere. */
const end = async (id: string): Promise<void> => {
  await sql`delete from rowbeat_queue._private_jobs where key = ${id}`
  await sql`with gone as (delete from rowbeat.permits where run_id = ${id} returning gate) insert into rowbeat.knocks select gate from gone`
}

t.test(
  'a concurrency limit lets through so many, best priority and oldest first, and the next when one ends',
  async (t) => {
    await limit('c.two', { concurrency: 2 })
    const ids = await enqueue('c.two', 4)
    const [urgent] = await enqueue('c.two', 1, { priority: -1 })
    t.match(await where('c.two'), { concurrency: 5 }, 'all wait until a dispatcher looked')
    t.equal(await open(), 2)
    t.strictSame(await queued('c.two'), [urgent, ids[0]])
    t.equal(await open(), 0)
    await end(urgent!)
    t.equal(await open(), 1)
    t.strictSame(await queued('c.two'), [ids[0], ids[1]])
  },
)

t.test('a key has a limit of its own, and is one at a time where the task has none', async (t) => {
  await limit('c.keyed', { concurrency: 2 })
  for (const key of ['a', 'b', 'a', 'a', 'b', 'b']) await enqueue('c.keyed', 1, { concurrency_key: key })
  t.equal(await open(), 4)
  await enqueue('c.lone', 3, { concurrency_key: 'only' })
  await enqueue('c.lone', 1)
  t.equal(await open(), 1)
  t.match(await where('c.lone'), { concurrency: 2, queued: 2 })
})

t.test('above the limit: skip ends as SUCCESS skipped; cancel_oldest keeps the newest', async (t) => {
  await limit('c.skip', { concurrency: 2, concurrency_strategy: 'skip' })
  await enqueue('c.skip', 5)
  await open()
  t.match(await where('c.skip'), { queued: 2, skipped: 3 })
  const [skipped] = await sql`select state, result from rowbeat.results where task = 'c.skip' limit 1`
  t.match(skipped, { state: 'SUCCESS', result: null })

  await limit('c.cancel', { concurrency: 2, concurrency_strategy: 'cancel_oldest' })
  const old = await enqueue('c.cancel', 3)
  await open()
  t.strictSame(await queued('c.cancel'), [old[1], old[2]])
  await sql`update rowbeat_queue._private_jobs set locked_at = now(), locked_by = 'somebody' where key = ${old[1]!}`
  const [fresh] = await enqueue('c.cancel', 1)
  await open()
  const [revoked] = await sql`select terminate, reason from rowbeat.revocations where run_id = ${old[1]!}`
  t.match(
    revoked,
    { terminate: true, reason: 'a newer run took its place' },
    'the oldest runs, so it is told to stop',
  )
  t.match(await where('c.cancel'), { concurrency: 1 }, 'the newest waits for its place')
  await end(old[1]!)
  await open()
  t.strictSame(await queued('c.cancel'), [old[2], fresh])
})

t.test('a queue has limits too, and a run passes one gate after the other', async (t) => {
  await sql`insert into rowbeat.queues (name, concurrency) values ('narrow', 3)`
  await limit('c.both', { concurrency: 2, queue: 'narrow' })
  await enqueue('c.both', 4)
  await enqueue('c.other', 4, { queue: 'narrow' })
  t.equal(await open(), 3)
  const [most] =
    await sql`select count(*)::int as n from rowbeat_queue._private_jobs j join rowbeat_queue._private_tasks t on t.id = j.task_id where t.identifier = 'narrow:c.both'`
  t.ok(most!.n <= 2)
})

t.test('limits are edited live: raised, lowered, taken away, and set on what waits already', async (t) => {
  await limit('c.live', { concurrency: 1 })
  await enqueue('c.live', 6)
  await open()
  await sql`update rowbeat.tasks set concurrency = 3 where name = 'c.live'`
  t.equal(await open(), 2)
  await sql`update rowbeat.tasks set concurrency = 1 where name = 'c.live'`
  for (const id of (await queued('c.live')).slice(0, 2)) await end(id)
  t.equal(await open(), 0, 'one is left, and one is the limit')
  await sql`update rowbeat.tasks set concurrency = null where name = 'c.live'`
  t.equal(await open(), 3)

  const ids = await enqueue('c.late', 4)
  await sql`update rowbeat_queue._private_jobs set locked_at = now(), locked_by = 'somebody' where key = ${ids[3]!}`
  await limit('c.late', { concurrency: 2 })
  t.match(await where('c.late'), { queued: 1, concurrency: 3 }, 'what no worker has goes back')
  t.equal(await open(), 1, 'the one that a worker has is counted')
})

t.test('what comes by eta, retry or from a backlog meets the limit as well', async (t) => {
  await limit('c.due', { concurrency: 1 })
  await enqueue('c.due', 3, { delay: 0.001 })
  await sql`update rowbeat.parked set release_at = now() - interval '1 s' where task = 'c.due'`
  t.match(await releaseDue(db, 100), { moved: 0 })
  t.match(await where('c.due'), { concurrency: 3 })
  t.equal(await open(), 1)
  await sql`insert into rowbeat.queues (name, overflow) values ('full', -32768)`
  await enqueue('c.flood', 3, { queue: 'full' })
  await sql`insert into rowbeat.tasks (name, concurrency) values ('c.flood', 2)`
  t.match(await releaseBacklog(db, 'full', 10, false), { hot: 0, gated: 3 })
  t.equal(await open(), 2)
})

t.test('a rate lets through one a token, and tells when the next one comes', async (t) => {
  await limit('r.slow', { rate: '2/m' })
  await enqueue('r.slow', 3)
  t.equal(await open(), 1)
  const { nextMs } = await openGates(db, 1000)
  t.ok(nextMs! > 20_000 && nextMs! <= 30_000, `${nextMs} ms`)
  await sql`update rowbeat.gates set filled_at = filled_at - interval '30 s', ready_at = now() where key = 'r:t:r.slow'`
  t.equal(await open(), 1)
  await limit('r.burst', { rate: '1/h', rate_burst: 3 })
  await sql`insert into rowbeat.gates (key, tokens) values ('r:t:r.burst', 3)`
  await enqueue('r.burst', 5)
  t.equal(await open(), 3, 'a bucket that is full')
})

t.test('a rate key has a bucket of its own', async (t) => {
  await limit('r.keyed', { rate: '1/h' })
  for (const key of ['a', 'b', 'a', 'b', 'c']) await enqueue('r.keyed', 1, { rate_key: key })
  t.equal(await open(), 3)
})

t.test('permits of runs that ended without a word come free by the net', async (t) => {
  await limit('c.lost', { concurrency: 1 })
  await enqueue('c.lost', 2)
  await open()
  await sql`delete from rowbeat_queue._private_jobs where key = ${(await queued('c.lost'))[0]!}`
  t.equal(await open(), 0)
  await sql`update rowbeat.permits set at = at - interval '1 minute'`
  await reclaimPermits(db)
  t.equal(await open(), 1)
})

t.test('a revoked run gives its place back', async (t) => {
  await limit('c.revoked', { concurrency: 1 })
  const [first, second] = await enqueue('c.revoked', 2)
  await open()
  t.match(await sql`select rowbeat.revoke(${first!}) as state`, [{ state: 'REVOKED' }])
  t.equal(await open(), 1)
  t.strictSame(await queued('c.revoked'), [second])
})

t.test('a transaction that stays open after an enqueue holds up nobody at the same gate', async (t) => {
  await limit('c.open', { concurrency: 5 })
  await enqueue('c.open', 1) // so that its identifier is there: whoever makes that makes others wait
  await sql.begin(async (tx) => {
    await tx`select rowbeat.enqueue('c.open')`
    await enqueue('c.open', 2)
    t.equal(await open(), 3)
  })
  t.equal(await open(), 1)
})

t.test('a limit that is none is refused', async (t) => {
  for (const rate of ['10/', '-5/s', 'x', '0/m', '5/w', ''])
    await t.rejects(
      sql`update rowbeat.queues set rate = ${rate} where name = 'default'`,
      { code: '23514' },
      rate,
    )
  await t.rejects(sql`update rowbeat.queues set concurrency = 0 where name = 'default'`, { code: '23514' })
  const [row] =
    await sql`select rowbeat.rate_v1('10/m') as m, rowbeat.rate_v1('5/d') as d, rowbeat.rate_v1('0.5/s') as s, rowbeat.rate_v1('10') as bare`
  t.match(row, { m: 1 / 6, d: 5 / 86_400, s: 0.5, bare: 10 })
})
