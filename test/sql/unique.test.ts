/** Ids of the caller's own and unique keys: one run whoever asks, however many ask at once, wherever the run is. */
import { randomUUID } from 'node:crypto'
import postgres from 'postgres'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'

const { url, sql } = await setup(t)
type Made = { id: string; created: boolean }
const enqueue = async (run: object, db: postgres.Sql | postgres.TransactionSql = sql): Promise<Made> =>
  (
    await db`select id::text as id, created from rowbeat.enqueue_many(${JSON.stringify([run])}::text::jsonb)`
  )[0] as Made
const finish = (id: string): Promise<unknown> =>
  sql`with j as (delete from rowbeat_queue._private_jobs where key = ${id}), p as (delete from rowbeat.parked where id = ${id}) insert into rowbeat.results
    (id, task, queue, state, priority, attempt, attempts_max, redeliveries, created_at, run_at, finished_at, keep_until)
    values (${id}, 'u', 'default', 'SUCCESS', 0, 1, 1, 0, now(), now(), now(), now() + interval '1 day')`
const count = async (task: string): Promise<number> =>
  (await sql`select count(*)::int as n from rowbeat.runs where task = ${task}`)[0]!.n

t.test('an id that is known answers the run that has it, queued, parked or finished', async (t) => {
  for (const [place, options] of [
    ['queued', {}],
    ['parked', { delay: '1h' }],
    ['finished', {}],
  ] as const) {
    const id = randomUUID()
    t.match(
      await enqueue({ task: 'u.id', id, input: { first: true }, ...options }),
      { id, created: true },
      place,
    )
    if (place === 'finished') await finish(id)
    t.match(await enqueue({ task: 'u.id', id, input: { first: false } }), { id, created: false }, place)
    t.match(
      await enqueue({ task: 'u.other', id: id.toUpperCase() }),
      { id, created: false },
      'an id belongs to one run',
    )
    t.match(await enqueue({ task: 'u.id', id: id.replaceAll('-', '') }), { id, created: false }, place)
    t.equal((await sql`select from rowbeat.runs where id = ${id}`).length, 1)
  }
  t.equal((await sql`select from rowbeat.results_default`).length, 1, 'an id that is no UUIDv7 has no day')
})

t.test('an own id in a transaction that rolls back is free again', async (t) => {
  const id = randomUUID()
  await sql
    .begin(async (tx) => {
      t.match(await enqueue({ task: 'u.rolled', id }, tx), { created: true })
      throw new Error('no')
    })
    .catch(() => {})
  t.match(await enqueue({ task: 'u.rolled', id }), { id, created: true })
})

t.test('keep answers the run that holds the key until it has finished', async (t) => {
  const first = await enqueue({ task: 'u.keep', unique_key: 'k' })
  t.match(await enqueue({ task: 'u.keep', unique_key: 'k' }), { id: first.id, created: false })
  t.match(await enqueue({ task: 'u.keep', unique_key: 'k', on_conflict: 'keep', delay: '1h' }), {
    id: first.id,
    created: false,
  })
  t.match(await enqueue({ task: 'u.keep', unique_key: 'K' }), { created: true }, 'another key')
  t.match(await enqueue({ task: 'u.keep2', unique_key: 'k' }), { created: true }, 'another task')
  await finish(first.id)
  const second = await enqueue({ task: 'u.keep', unique_key: 'k' })
  t.match(second, { created: true })
  t.not(second.id, first.id)
  const parked = await enqueue({ task: 'u.keep', unique_key: 'p', delay: '1h' })
  t.match(await enqueue({ task: 'u.keep', unique_key: 'p' }), { id: parked.id, created: false })
})

t.test('reject refuses, naming the key and the run that holds it', async (t) => {
  const first = await enqueue({ task: 'u.reject', unique_key: 'k', on_conflict: 'reject' })
  t.match(first, { created: true }, 'nobody held it')
  await t.rejects(enqueue({ task: 'u.reject', unique_key: 'k', on_conflict: 'reject' }), {
    code: '23505',
    message: new RegExp(`^unique_key: "k" is held by run ${first.id} of task u.reject`),
    detail: first.id,
    hint: /another unique_key/,
  })
  t.equal(await count('u.reject'), 1)
})

t.test('replace ends the waiting run as REVOKED and takes its place; a running one is kept', async (t) => {
  for (const options of [{}, { delay: '1h' }]) {
    const first = await enqueue({
      task: 'u.replace',
      unique_key: 'k',
      input: { n: 1 },
      tags: ['a'],
      headers: { h: 1 },
      ...options,
    })
    const second = await enqueue({
      task: 'u.replace',
      unique_key: 'k',
      on_conflict: 'replace',
      input: { n: 2 },
    })
    t.match(second, { created: true })
    t.match(
      await sql`select state, reason, input, tags, headers, attempt, result from rowbeat.run(${first.id})`,
      [
        {
          state: 'REVOKED',
          reason: 'replaced',
          input: { n: 1 },
          tags: ['a'],
          headers: { h: 1 },
          attempt: 0,
          result: null,
        },
      ],
    )
    t.match(await sql`select state, input from rowbeat.run(${second.id})`, [
      { state: 'PENDING', input: { n: 2 } },
    ])
    await sql`update rowbeat_queue._private_jobs set locked_at = now(), locked_by = 'somebody' where key = ${second.id}`
    t.match(await enqueue({ task: 'u.replace', unique_key: 'k', on_conflict: 'replace' }), {
      id: second.id,
      created: false,
    })
    await finish(second.id)
  }
})

t.test('a key in a transaction that rolls back is free again', async (t) => {
  await sql
    .begin(async (tx) => {
      await enqueue({ task: 'u.back', unique_key: 'k' }, tx)
      throw new Error('no')
    })
    .catch(() => {})
  t.match(await enqueue({ task: 'u.back', unique_key: 'k' }), { created: true })
})

const callers = postgres(url, { max: 50, onnotice: () => {} })

t.test('of fifty callers at once, one makes the run', async (t) => {
  const id = randomUUID()
  const byId = await Promise.all(
    Array.from({ length: 50 }, () => enqueue({ task: 'u.race-id', id }, callers)),
  )
  t.equal(byId.filter((made) => made.created).length, 1)
  t.equal(await count('u.race-id'), 1)
  const byKey = await Promise.all(
    Array.from({ length: 50 }, () => enqueue({ task: 'u.race-key', unique_key: 'k' }, callers)),
  )
  t.equal(byKey.filter((made) => made.created).length, 1)
  t.equal(new Set(byKey.map((made) => made.id)).size, 1)
  t.equal(await count('u.race-key'), 1)
  const rejected = await Promise.allSettled(
    Array.from({ length: 50 }, () =>
      enqueue({ task: 'u.race-reject', unique_key: 'k', on_conflict: 'reject' }, callers),
    ),
  )
  t.equal(rejected.filter((one) => one.status === 'fulfilled').length, 1)
  t.ok(rejected.every((one) => one.status === 'fulfilled' || one.reason.code === '23505'))
  const replaced = await Promise.all(
    Array.from({ length: 50 }, () =>
      enqueue({ task: 'u.race-replace', unique_key: 'k', on_conflict: 'replace' }, callers),
    ),
  )
  const live =
    await sql`select id::text as id from rowbeat.runs where task = 'u.race-replace' and state = 'PENDING'`
  t.equal(live.length, 1, 'one lives')
  t.equal(
    await count('u.race-replace'),
    replaced.filter((made) => made.created).length,
    'the others stand as REVOKED',
  )
})

t.test('batches with crossed ids and keys wait for each other, and never deadlock', async (t) => {
  const ids = Array.from({ length: 8 }, () => randomUUID())
  const batch = (n: number): object[] =>
    ids.map((_, i) => ({
      task: `u.cross${(i * (n + 3)) % 8}`,
      id: ids[(i + n) % 8],
      unique_key: n % 2 ? `k${i}` : `k${7 - i}`,
    }))
  const settled = await Promise.allSettled(
    Array.from(
      { length: 60 },
      (_, n) =>
        callers`select * from rowbeat.enqueue_many(${JSON.stringify(n % 3 ? batch(n) : batch(n).toReversed())}::text::jsonb)`,
    ),
  )
  t.strictSame(
    settled.flatMap((one) => (one.status === 'rejected' ? [one.reason.message] : [])),
    [],
  )
  await callers.end({ timeout: 1 })
})

t.test('one batch may name the same key twice: the second is the first', async (t) => {
  const rows = await sql`select id::text as id, created from rowbeat.enqueue_many(${JSON.stringify([
    { task: 'u.twice', unique_key: 'k', on_conflict: 'replace' },
    { task: 'u.twice', unique_key: 'k', on_conflict: 'replace' },
  ])}::text::jsonb)`
  t.match(rows, [{ created: true }, { created: false, id: rows[0]!.id }])
  await t.rejects(
    sql`select * from rowbeat.enqueue_many('[{"task": "u.t", "unique_key": "x"}, {"task": "u.t", "unique_key": "x", "on_conflict": "reject"}]')`,
    { code: '23505' },
  )
  t.equal(await count('u.t'), 0)
})
