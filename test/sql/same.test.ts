/**
 * Runs that differ only in their input take a shorter way through the database. It must not be seen: what they become
 * is compared, column by column, with the same runs sent one by one.
 */
import t from 'tap'
import { createRowbeat, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

const echo = task('test.echo', { attemptsMax: 3 }, (input: { n: number }) => input)
const ways = [
  {},
  { queue: 'high', priority: -5 },
  { tags: ['a', 'b'], headers: { trace: null, deep: { x: 1 } } },
  { delay: '1 hour' },
  { timeLimit: '10s', expires: '1h', retention: '2 days' },
] as const

t.test('many of one kind become what each alone would have become, in their order', async (t) => {
  const { url, sql } = await setup(t)
  const rowbeat = createRowbeat({ databaseUrl: url, tasks: [echo] })
  t.teardown(() => rowbeat.close())
  for (const options of ways) {
    const many = await rowbeat.enqueueMany([1, 2, 3].map((n) => ({ task: echo, input: { n }, ...options })))
    const alone = [
      await rowbeat.enqueue(echo, { n: 1 }, options),
      await rowbeat.enqueue(echo, { n: 2 }, options),
      await rowbeat.enqueue(echo, { n: 3 }, options),
    ]
    const plain = async (id: string) =>
      (
        await sql`select to_jsonb(r) - '{id,created_at,run_at,expires_at}'::text[] as run, expires_at is null as lasts,
          run_at > created_at as waits from rowbeat.run(${id}) r`
      )[0]
    for (const [i, { id }] of many.entries()) t.strictSame(await plain(id), await plain(alone[i]!.id))
    const order =
      await sql`select id from rowbeat.runs where id = any (${many.map(({ id }) => id)}) order by created_at`
    t.strictSame(
      order.map(({ id }) => id),
      many.map(({ id }) => id),
    )
  }
})

t.test('one bad input of many is named by its place, and nothing is written', async (t) => {
  const { url, sql } = await setup(t)
  const rowbeat = createRowbeat({ databaseUrl: url })
  t.teardown(() => rowbeat.close())
  const inputs = [{}, { text: 'x'.repeat(2_000_000) }, {}]
  await t.rejects(rowbeat.enqueueMany(inputs.map((input) => ({ task: 'a.task', input }))), {
    code: 'RB_INPUT_TOO_LARGE',
  })
  await t.rejects(sql`select rowbeat.enqueue_same_v1('{"task": "a.task"}', ${sql.json(inputs)})`, {
    code: '54000',
    detail: '1',
  })
  await t.rejects(sql`select rowbeat.enqueue_same_v1('{"task": "a b"}', '[{}, {}]')`, { code: '22023' })
  await t.rejects(sql`select rowbeat.enqueue_same_v1('{"task": "a", "unique_key": "k"}', '[{}, {}]')`, {
    code: '22023',
  })
  t.match(await sql`select count(*)::int as n from rowbeat.runs`, [{ n: 0 }])
})

t.test('a queue that overflows or is paused parks them all', async (t) => {
  const { url, sql } = await setup(t)
  const rowbeat = createRowbeat({ databaseUrl: url })
  t.teardown(() => rowbeat.close())
  await sql`update rowbeat.queues set overflow = 0 where name = 'default'`
  await sql`update rowbeat.queues set paused_at = now() where name = 'high'`
  await rowbeat.enqueueMany([1, 2].map((n) => ({ task: 'a.task', input: { n } })))
  await rowbeat.enqueueMany([1, 2].map((n) => ({ task: 'a.task', input: { n }, queue: 'high' })))
  t.strictSame(
    (await sql`select queue, reason, count(*)::int as n from rowbeat.parked group by 1, 2 order by 1`).map(
      (row) => ({ ...row }),
    ),
    [
      { queue: 'default', reason: 'overflow', n: 2 },
      { queue: 'high', reason: 'paused', n: 2 },
    ],
  )
})
