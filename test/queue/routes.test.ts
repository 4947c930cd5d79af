/** Routes and the policy for unknown queues where runs are enqueued: what decides, in which order, by which door. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { createRowbeat, currentRun, EnqueueError, task, type Routes } from '../../src/index.ts'
import { createRules } from '../../src/queue/rowbeat.ts'
import { buildBody } from '../../src/queue/enqueue.ts'
import { setup } from '../helpers/bundle.ts'

const fieldsOf = async (
  routes: Routes | undefined,
  name: any,
  input: unknown = {},
  options = {},
): Promise<any> => (await buildBody(createRules({ routes }), name, input, options)).fields

t.test("the order is call, routes, task, as Celery's router has it", async (t) => {
  const { router } = JSON.parse(readFileSync('test/fixtures/conformance/routing.json', 'utf8'))
  // The recorded answers leave out which routes they were asked of; these are the ones they show.
  const routes: Routes = [
    { 'feed.tasks.import_feed': { queue: 'feeds', priority: 3 } },
    (name) => (name.startsWith('web.') ? 'web' : null),
  ]
  for (const { name, options, result } of router) {
    // An exchange or routing key has no counterpart, and a missing queue is told by the store (below).
    if (options.routing_key || result.error) continue
    const { queue, priority } = await fieldsOf(routes, name, {}, options)
    // What stands in no route goes to the default queue: `celery` there, `default` here.
    t.equal(queue ?? 'celery', result.queue, name)
    t.equal(priority, result.priority)
  }
  const mail = task('mail.send', { queue: 'mail', priority: 2 }, () => null)
  t.match(await fieldsOf(undefined, mail), { queue: 'mail', priority: 2 })
  t.match(
    await fieldsOf({ 'mail.*': 'slow' }, mail),
    { queue: 'slow', priority: 2 },
    'each of the two by itself',
  )
  t.match(await fieldsOf({ 'mail.*': { priority: 0 } }, mail), { queue: 'mail', priority: 0 })
  t.match(await fieldsOf({ 'mail.*': { queue: 'slow', priority: 7 } }, mail, {}, { priority: -1 }), {
    queue: 'slow',
    priority: -1,
  })
  t.match(
    await fieldsOf({ 'mail.*': 'default' }, mail),
    { queue: 'default' },
    'told even where it is the default',
  )
})

t.test('a function sees the input as it will be stored, and the options of the call', async (t) => {
  const routes: Routes = (name, { big, at }, { tags }) => {
    t.same([name, at, tags], ['a', '2026-01-01T00:00:00.000Z', ['t']])
    return big ? 'slow' : null
  }
  const input = { big: true, at: new Date(Date.UTC(2026)) }
  const body = fieldsOf(routes, 'a', input, { tags: ['t'] })
  input.big = false
  t.match(await body, { queue: 'slow' }, 'as of the call')
})

const { url, sql } = await setup(t)

t.test('enqueue, enqueueMany and a transaction route alike', async (t) => {
  const rowbeat = createRowbeat({ databaseUrl: url, routes: { 'r.*': { queue: 'high', priority: -5 } } })
  t.teardown(() => rowbeat.close())
  await rowbeat.enqueue('r.a')
  await rowbeat.enqueueMany([{ task: 'r.b' }, { task: 'r.c' }])
  await sql.begin((tx) => rowbeat.in(tx).enqueue('r.d'))
  const rows = await sql`select queue, priority from rowbeat.runs where task like 'r.%'`
  t.equal(rows.length, 4)
  t.ok(rows.every(({ queue, priority }) => queue === 'high' && priority === -5))
})

t.test('an unknown queue is made by default, and refused where that is asked for', async (t) => {
  const easy = createRowbeat({ databaseUrl: url })
  const strict = createRowbeat({ databaseUrl: url, unknownQueue: 'refuse', routes: { 'b.*': 'missing' } })
  t.teardown(() => Promise.all([easy.close(), strict.close()]))
  t.ok((await easy.enqueue('a.x', {}, { queue: 'nobody' })).created)
  t.ok((await strict.enqueue('a.x', {}, { queue: 'high' })).created)
  t.ok((await strict.enqueue('a.x')).created)
  const refused = { constructor: EnqueueError, code: 'RB_QUEUE_UNKNOWN', faults: [{ pointer: '/queue' }] }
  await t.rejects(strict.enqueue('b.x'), { ...refused, message: /"missing" is not defined; define it/ })
  await t.rejects(strict.enqueue('c.x', {}, { queue: 'nope' }), { ...refused, message: /"nope"/ })
  await t.rejects(strict.enqueueMany([{ task: 'c.x' }, { task: 'c.x', queue: 'nope' }]), {
    ...refused,
    faults: [{ pointer: '/1/queue' }],
  })
  await t.rejects(
    strict.enqueueMany([{ task: 'b.x' }, { task: 'b.x' }]),
    { code: 'RB_QUEUE_UNKNOWN' },
    'all alike',
  )
  t.equal((await sql`select from rowbeat.runs where task in ('b.x', 'c.x')`).length, 0)
  await sql`insert into rowbeat.queues (name) values ('nope')`
  t.ok((await strict.enqueue('c.x', {}, { queue: 'nope' })).created, 'a row defines it')
  await t.rejects(strict.enqueue('c.x', {}, { queue: 'No' }), { code: 'RB_OPTION_INVALID' })
  t.throws(
    () => createRowbeat({ databaseUrl: url, unknownQueue: 'maybe' as 'refuse' }),
    /give 'create' or 'refuse'/,
  )
  t.equal(currentRun(), null)
})
