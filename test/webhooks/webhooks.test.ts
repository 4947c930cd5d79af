/** Webhooks from the end of a run to the receiver, with a real worker: what is told, when, to whom, and how often. */
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { createWebhookControl, type WebhookWithSecret } from '../../src/control/webhooks.ts'
import { createRunControl } from '../../src/control/runs.ts'
import { PROCESS } from '../../src/auth/scopes.ts'
import { deleteDeliveries } from '../../src/db/statements/webhooks.ts'
import { backoffMs } from '../../src/webhooks/deliver.ts'
import { setup } from '../helpers/bundle.ts'
import { startReceiver, type Received } from '../helpers/receiver.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const { url, sql, db } = await setup(t)
const outbound = { allow: ['127.0.0.1'] }
const receiver = await startReceiver(t)
const { rowbeat } = await startWorker(t, url, { outbound })
const runs = createRunControl(rowbeat)
const webhooks = createWebhookControl(rowbeat, { outbound, readRun: (id) => runs.read(PROCESS, id) })

const make = (name: string, more: object = {}): Promise<WebhookWithSecret> =>
  webhooks.create(PROCESS, { name, url: `${receiver.url}/${name}`, ...more })
const remove = (id: string): Promise<void> => webhooks.remove(PROCESS, id, 'any')
const at = (path: string): Received[] => receiver.received.filter((one) => one.path === path)
const eventOf = ({ body }: Received): any => JSON.parse(body)
/** Of webhooks that are there: what an earlier test left to be tried again belongs to one that was removed. */
const quiet = (): Promise<unknown> =>
  until('all deliveries ended', async () => {
    const [row] = await sql`select count(*)::int as n from rowbeat.runs
      where task = 'rowbeat.webhook' and finished_at is null and input->>'webhook' in (select id::text from rowbeat.webhooks)`
    return row!.n === 0
  })

t.test('an end is told: CloudEvents in structured mode, signed by Standard Webhooks', async (t) => {
  const { id, secret } = await make('first')
  const done = await rowbeat.enqueue('test.scripted', { fate: 'ok', value: { a: 'ї' } }, { tags: ['x'] })
  await done.result({ timeout: '10s' })
  const [sent] = await until('it is told', () => at('/first').length > 0 && at('/first'))
  const event = new Webhook(secret).verify(sent!.body, sent!.headers) as any
  const { data, time, id: eventId, ...rest } = event
  t.strictSame(rest, {
    specversion: '1.0',
    source: `urn:rowbeat:${new URL(url).pathname.slice(1)}`,
    type: 'dev.rowbeat.run.succeeded',
    subject: done.id,
    datacontenttype: 'application/json',
  })
  t.strictSame(data, await runs.read(PROCESS, done.id), 'data is the run as REST tells it')
  t.equal(time, data.finished_at)
  t.match(sent, {
    method: 'POST',
    headers: { 'webhook-id': eventId, 'content-type': /^application\/cloudevents\+json/ },
  })
  t.throws(() => new Webhook(secret).verify(`${sent!.body} `, sent!.headers), 'another body is not signed')
  const stale = {
    ...sent!.headers,
    'webhook-timestamp': String(Number(sent!.headers['webhook-timestamp']) - 600),
  }
  t.throws(() => new Webhook(secret).verify(sent!.body, stale), 'nor is another time')
  await quiet()
  t.match(await webhooks.deliveries(PROCESS, id, { before: null, outcome: null, limit: 5 }), {
    items: [
      { event_id: eventId, run_id: done.id, attempt: 1, outcome: 'delivered', status: 204, error: null },
    ],
  })
  t.equal(at('/first').length, 1, 'the delivery is a run, and its end is told to nobody')
  await remove(id)
})

t.test('whatever ends a run is told: a failure, a revocation, an operation, an expiry', async (t) => {
  const { id } = await make('all')
  const failed = await rowbeat.enqueue('test.scripted', { fate: 'fail', message: 'no' })
  const revoked = await rowbeat.enqueue('test.scripted', { fate: 'ok' }, { delay: '1 hour' })
  await sql`select rowbeat.revoke(${revoked.id})`
  const purged = await rowbeat.enqueue('test.scripted', { fate: 'ok' }, { delay: '1 hour', tags: ['purge'] })
  const late = await rowbeat.enqueue('test.scripted', { fate: 'ok' }, { delay: '1 hour', expires: '100 ms' })
  await rowbeat.operate('revoke', { tag: 'purge' })
  const told = await until('four are told', () => at('/all').length >= 4 && at('/all').map(eventOf))
  const types = Object.fromEntries(
    told.map((event: any) => [event.subject, event.type.slice(12), event.data.reason]),
  )
  t.strictSame(types, {
    [failed.id]: 'run.failed',
    [revoked.id]: 'run.revoked',
    [purged.id]: 'run.revoked',
    [late.id]: 'run.revoked',
  })
  await quiet()
  await remove(id)
})

t.test(
  'only what a webhook asks for: events, tasks by a glob, queues, tags; and two are told apart',
  async (t) => {
    const made = [
      await make('fails', { events: ['run.failed'] }),
      await make('glob', { tasks: ['test.scr*', 'a_b?'] }),
      await make('other-glob', { tasks: ['test_scripted', 'scripted', 'test.scripte'] }),
      await make('high', { queues: ['high'] }),
      await make('tagged', { tags: ['vip', 'other'] }),
      await make('off', { enabled: false }),
    ]
    const plain = await rowbeat.enqueue('test.scripted', { fate: 'ok' })
    const vip = await rowbeat.enqueue('test.scripted', { fate: 'ok' }, { tags: ['vip'] })
    await Promise.all([plain.result(), vip.result()])
    await until('all are told', () => at('/glob').length === 2 && at('/tagged').length === 1)
    await quiet()
    const subjects = Object.fromEntries(
      ['fails', 'glob', 'other-glob', 'high', 'tagged', 'off'].map((name) => [
        name,
        at(`/${name}`)
          .map((one) => eventOf(one).subject)
          .sort(),
      ]),
    )
    t.strictSame(subjects, {
      fails: [],
      glob: [plain.id, vip.id].sort(),
      'other-glob': [],
      high: [],
      tagged: [vip.id],
      off: [],
    })
    const ids = [...at('/glob'), ...at('/tagged')]
      .filter((one) => eventOf(one).subject === vip.id)
      .map((one) => eventOf(one).id)
    t.equal(new Set(ids).size, 1, 'one event, told twice, has one id')
    for (const { id } of made) await remove(id)
  },
)

t.test('what is rolled back is told to nobody', async (t) => {
  const { id } = await make('rolled')
  const run = await rowbeat.enqueue('test.scripted', { fate: 'ok' }, { delay: '1 hour' })
  const undone = sql.begin(async (tx) => {
    await tx`select rowbeat.revoke(${run.id})`
    const [{ n }] =
      (await tx`select count(*)::int as n from rowbeat.runs where task = 'rowbeat.webhook' and finished_at is null`) as any
    t.equal(n, 1)
    throw new Error('undone')
  })
  await t.rejects(undone, { message: 'undone' })
  await quiet()
  t.strictSame(at('/rolled'), [])
  await remove(id)
})

t.test(
  'a failing receiver is asked again, under the same id, not before it said; a retry by hand goes at once',
  async (t) => {
    const { id } = await make('flaky', { tags: ['flaky'] })
    receiver.answer(() => ({ status: 503, headers: { 'retry-after': '7200' }, body: 'not now' }))
    const run = await rowbeat.enqueue('test.scripted', { fate: 'ok' }, { tags: ['flaky'] })
    await run.result()
    const [parked] = await until('it is parked', async () => {
      const rows =
        await sql`select id, state, reason, extract(epoch from run_at - now())::float8 as wait from rowbeat.runs where task = 'rowbeat.webhook' and state = 'RETRY'`
      return rows.length > 0 && rows
    })
    t.ok(parked!.wait > 7000 && parked!.wait <= 7200, `Retry-After is heeded: ${parked!.wait} s`)
    t.type((await webhooks.read(PROCESS, id)).failing_since, 'string')
    receiver.answer(() => ({ status: 200 }))
    t.equal((await rowbeat.retry(parked!.id)).id, parked!.id)
    await until('it came again', () => at('/flaky').length === 2)
    await quiet()
    const [one, two] = at('/flaky')
    t.equal(one!.headers['webhook-id'], two!.headers['webhook-id'])
    t.equal(one!.body, two!.body)
    t.equal((await webhooks.read(PROCESS, id)).failing_since, null, 'it works again')
    const { items } = await webhooks.deliveries(PROCESS, id, { before: null, outcome: null, limit: 5 })
    t.match(items, [
      { attempt: 2, outcome: 'delivered', status: 200, sender: parked!.id },
      { attempt: 1, outcome: 'retry', status: 503, error: /503: not now/, response: 'not now' },
    ])
    const again = await rowbeat.retry(parked!.id)
    t.not(again.id, parked!.id)
    await until('it is delivered again', () => at('/flaky').length === 3)
    t.equal(at('/flaky')[2]!.headers['webhook-id'], one!.headers['webhook-id'], 'sent again by hand, too')
    await quiet()
    await remove(id)
  },
)

t.test(
  '410 disables a webhook, and so does failing for days; what is disabled is told nothing',
  async (t) => {
    const gone = await make('gone')
    receiver.answer(({ path }) => ({ status: path === '/gone' ? 410 : 500 }))
    const first = await rowbeat.enqueue('test.scripted', { fate: 'ok' })
    await first.result()
    const disabled = await until('it is disabled', async () => {
      const now = await webhooks.read(PROCESS, gone.id)
      return !now.enabled && now
    })
    t.match(disabled, { disabled_reason: 'it answered 410: it is gone', version: 2 })
    await quiet()
    await remove(gone.id)

    const failing = await make('failing')
    await sql`update rowbeat.webhooks set failing_since = now() - interval '4 days' where id = ${failing.id}`
    t.equal((await webhooks.read(PROCESS, failing.id)).version, 1, 'what deliveries write is no edit')
    const second = await rowbeat.enqueue('test.scripted', { fate: 'ok' })
    await second.result()
    const given = await until('it is given up', async () => {
      const now = await webhooks.read(PROCESS, failing.id)
      return !now.enabled && now
    })
    t.match(given.disabled_reason, /^no event was delivered since .*500/)
    const [waiting] =
      await sql`select id from rowbeat.runs where task = 'rowbeat.webhook' and state = 'RETRY'`
    await rowbeat.retry(waiting!.id)
    const { error } = await until('it ended', async () => {
      const document = await runs.read(PROCESS, waiting!.id)
      return document.state === 'FAILURE' && document
    })
    t.match(error!.message, /disabled/)
    receiver.answer(() => ({ status: 204 }))
    const back = await webhooks.edit(PROCESS, failing.id, { enabled: true }, [given.version])
    t.match(back, { enabled: true, disabled_reason: null, failing_since: null, version: given.version + 1 })
    await remove(failing.id)
  },
)

t.test('while a secret rotates both verify, and an old one no more', async (t) => {
  const { id, secret: first } = await make('rotating')
  const { secret: second } = await webhooks.rotate(PROCESS, id, 3600)
  t.equal((await webhooks.read(PROCESS, id)).secrets, 2)
  const send = async (): Promise<Received> => {
    const count = at('/rotating').length
    await webhooks.test(PROCESS, id)
    return await until('it is told', () => at('/rotating')[count])
  }
  const sent = await send()
  t.match(eventOf(sent), { type: 'dev.rowbeat.webhook.test', data: { webhook: id } })
  for (const secret of [first, second]) t.ok(new Webhook(secret).verify(sent.body, sent.headers))
  const { secret: third } = await webhooks.rotate(PROCESS, id, 0)
  const later = await send()
  t.ok(new Webhook(third).verify(later.body, later.headers))
  for (const secret of [first, second]) t.throws(() => new Webhook(secret).verify(later.body, later.headers))
  t.equal(JSON.stringify(await webhooks.read(PROCESS, id)).includes('whsec'), false)
  await quiet()
  await remove(id)
})

t.test('a run that is larger than an event may be is told without input and result', async (t) => {
  const { id } = await make('large')
  const value = 'x'.repeat(300_000)
  const run = await rowbeat.enqueue('test.scripted', { fate: 'ok', value })
  await run.result()
  const [sent] = await until('it is told', () => at('/large').length > 0 && at('/large'))
  t.ok(sent!.body.length < 10_000)
  t.match(eventOf(sent!), {
    truncated: true,
    subject: run.id,
    data: { id: run.id, state: 'SUCCESS', input: null, result: null },
  })
  await quiet()
  await remove(id)
})

t.test('an address that may not be called is tried again later; nothing is sent', async (t) => {
  const { id } = await make('inside')
  await sql`update rowbeat.webhooks set url = 'http://169.254.169.254/latest/meta-data' where id = ${id}`
  const run = await rowbeat.enqueue('test.scripted', { fate: 'ok' })
  await run.result()
  const [tried] = await until('it was tried', async () => {
    const { items } = await webhooks.deliveries(PROCESS, id, { before: null, outcome: 'retry', limit: 5 })
    return items.length > 0 && items
  })
  t.match(tried, { status: null, error: /169\.254\.169\.254, a link-local address/ })
  await remove(id)
})

t.test('an event that cannot be enqueued keeps no run from ending, and says so', async (t) => {
  const { id } = await make('stuck')
  await sql.unsafe(`create function rowbeat.refuse_test() returns trigger language plpgsql as
    $$ begin if new.payload::text like '%${id}%' then raise check_violation using message = 'full'; end if; return new; end $$;
    create trigger refuse_test before insert on rowbeat.parked for each row execute function rowbeat.refuse_test()`)
  t.teardown(() => sql.unsafe('drop function rowbeat.refuse_test cascade').then(() => remove(id)))
  const run = await rowbeat.enqueue('test.scripted', { fate: 'ok', value: 1 })
  t.equal(await run.result({ timeout: '10s' }), 1)
  t.match(await webhooks.deliveries(PROCESS, id, { before: null, outcome: null, limit: 5 }), {
    items: [{ run_id: run.id, attempt: 0, outcome: 'failed', error: 'could not be enqueued: full' }],
  })
})

t.test('what somebody enqueues is not signed: only ends of runs make events', async (t) => {
  const { id } = await make('forged')
  const run = await rowbeat.enqueue('test.scripted', { fate: 'ok' })
  await run.result()
  await until('it is told', () => at('/forged').length === 1)
  const [row] =
    await sql`select input from rowbeat.runs where task = 'rowbeat.webhook' and input->>'webhook' = ${id}`
  const genuine = row!.input as Record<string, unknown>
  const { proof: _, ...unproven } = genuine
  for (const input of [
    { ...genuine, type: 'run.failed' },
    { ...genuine, run: id },
    unproven,
    { webhook: 'x' },
    {},
    null,
  ]) {
    const forged = await rowbeat.enqueue('rowbeat.webhook', input)
    await t.rejects(forged.result(), { message: /Discard/ }, JSON.stringify(input))
  }
  t.equal(at('/forged').length, 1)
  await rowbeat.enqueue('rowbeat.webhook', genuine)
  await until('what is true may be told again', () => at('/forged').length === 2)
  await quiet()
  await remove(id)
})

t.test('the tries of an event span about a day', async (t) => {
  const span = (random: number): number =>
    Array.from({ length: 17 }, (_, n) => backoffMs(n + 1, random)).reduce((sum, ms) => sum + ms, 0) /
    3_600_000
  t.ok(
    span(0) > 17 && span(0.5) > 23 && span(0.5) < 26 && span(1) < 31,
    String([span(0), span(0.5), span(1)]),
  )
})

t.test('tries are kept for a while, and secrets as long as they count', async (t) => {
  const { id } = await make('kept')
  await webhooks.rotate(PROCESS, id, 0)
  await sql`insert into rowbeat.deliveries (webhook_id, event_id, type, attempt, outcome, at)
    select ${id}, gen_random_uuid(), 'run.failed', 1, 'failed', now() - n * interval '1 day' from generate_series(0, 9) n`
  t.equal(await deleteDeliveries(db, 5 * 86_400 - 60, 3), 3)
  t.equal(await deleteDeliveries(db, 5 * 86_400 - 60, 3), 2)
  const [left] =
    await sql`select (select count(*)::int from rowbeat.deliveries where webhook_id = ${id}) as tries,
    (select count(*)::int from rowbeat.webhook_secrets where webhook_id = ${id}) as secrets`
  t.strictSame(left, { tries: 5, secrets: 1 })
  await remove(id)
})

t.test('every change of a webhook is in the audit log, without its secrets', async (t) => {
  const { id } = await make('audited')
  await webhooks.edit(PROCESS, id, { tasks: ['a.*'] }, 'any')
  await webhooks.rotate(PROCESS, id, 60)
  await remove(id)
  const rows = await sql`select action, before, after from rowbeat.audit_log where target = ${id} order by id`
  t.strictSame(
    rows.map((row) => row.action),
    ['webhook.create', 'webhook.update', 'webhook.rotate', 'webhook.delete'],
  )
  t.match(rows[1], { before: { tasks: null }, after: { tasks: ['a.*'] } })
  t.notMatch(JSON.stringify(rows), /whsec/)
})
