/** /v1/webhooks: made, read, changed to a version, tested, rotated, deleted; its secret is shown when it is made. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { serve } from './world.ts'

const { call, issue, sql } = await serve(t, { outbound: { allow: ['hooks.internal'] } })
const WEBHOOK = { name: 'billing', url: 'https://billing.example.com/hooks' }

t.test('a webhook is made, and its secret shown once', async (t) => {
  const made = await call('POST', '/v1/webhooks', { ...WEBHOOK, tasks: ['orders.*'], events: ['run.failed'] })
  t.equal(made.status, 201)
  t.equal(made.headers.location, `/v1/webhooks/${made.json.id}`)
  t.equal(made.headers.etag, '"1"')
  t.match(made.json.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const { secret: _, ...rest } = made.json
  t.match(rest, {
    ...WEBHOOK,
    events: ['run.failed'],
    tasks: ['orders.*'],
    queues: null,
    tags: null,
    enabled: true,
    secrets: 1,
  })
  const read = await call('GET', made.headers.location as string)
  t.strictSame(read.json, rest)
  const list = await call('GET', '/v1/webhooks?limit=1')
  t.strictSame(list.json, { items: [rest], next: null })
  t.notMatch(`${read.text}${list.text}`, /whsec/)
})

t.test('pages, in order', async (t) => {
  for (const name of ['two', 'three']) await call('POST', '/v1/webhooks', { ...WEBHOOK, name })
  const first = await call('GET', '/v1/webhooks?limit=2')
  t.strictSame(
    first.json.items.map((one: any) => one.name),
    ['three', 'two'],
  )
  const second = await call('GET', `/v1/webhooks?limit=2&cursor=${first.json.next}`)
  t.strictSame([second.json.items.map((one: any) => one.name), second.json.next], [['billing'], null])
  t.match(await call('GET', '/v1/webhooks?cursor=x'), { status: 422, json: { code: 'RB_QUERY_INVALID' } })
})

t.test('what cannot be called, or is not understood, is refused with its place', async (t) => {
  const wrong: [object, string][] = [
    [{ url: 'https://x.example/' }, '/name'],
    [{ ...WEBHOOK, url: 'ftp://x' }, '/url'],
    [{ ...WEBHOOK, url: 'http://169.254.169.254/' }, '/url'],
    [{ ...WEBHOOK, url: 'https://localhost/' }, '/url'],
    [{ ...WEBHOOK, url: 'https://a:b@x.example/' }, '/url'],
    [{ ...WEBHOOK, url: 'https://[::ffff:10.0.0.1]/' }, '/url'],
    [{ ...WEBHOOK, events: [] }, '/events'],
    [{ ...WEBHOOK, events: ['run.started'] }, '/events'],
    [{ ...WEBHOOK, tasks: ['a b'] }, '/tasks'],
    [{ ...WEBHOOK, queues: ['High'] }, '/queues'],
    [{ ...WEBHOOK, secret: 'mine' }, '/secret'],
    [{ ...WEBHOOK, enabled: 'yes' }, '/enabled'],
    [[], ''],
  ]
  for (const [body, pointer] of wrong) {
    const answer = await call('POST', '/v1/webhooks', body)
    t.match(answer, { status: 422, json: { code: 'RB_WEBHOOK_INVALID', errors: [{ pointer }] } }, pointer)
  }
  t.match(await call('POST', '/v1/webhooks', WEBHOOK), {
    status: 409,
    json: { code: 'RB_WEBHOOK_DUPLICATE' },
  })
  const inside = await call('POST', '/v1/webhooks', { name: 'inside', url: 'http://hooks.internal:8080/' })
  t.equal(inside.status, 201, 'the operator listed it')
})

t.test('a change is made to a version', async (t) => {
  const { json } = await call('POST', '/v1/webhooks', { ...WEBHOOK, name: 'edited', tags: ['a'] })
  const path = `/v1/webhooks/${json.id}`
  const edit = (body: unknown, match?: string) =>
    call('PATCH', path, body, match ? { headers: { 'if-match': match } } : {})
  t.match(await edit({ enabled: false }), { status: 428 })
  t.match(await edit({ enabled: false, tags: null }, '"1"'), {
    status: 200,
    headers: { etag: '"2"' },
    json: { enabled: false, tags: null, version: 2, name: 'edited' },
  })
  t.match(await edit({ enabled: true }, '"1"'), { status: 412, json: { code: 'RB_WEBHOOK_CHANGED' } })
  t.match(await edit({ name: 'billing' }, '*'), { status: 409 })
  t.match(await edit({ url: 'http://127.0.0.1' }, '*'), { status: 422 })
  t.match(await call('DELETE', path), { status: 428 })
  t.match(await call('DELETE', path, undefined, { headers: { 'if-match': '"2"' } }), { status: 204 })
  for (const [method, at] of [
    ['GET', path],
    ['DELETE', path],
    ['POST', `${path}:test`],
    ['POST', `${path}:rotate`],
    ['GET', `${path}/deliveries`],
    ['GET', '/v1/webhooks/x'],
  ] as const)
    t.match(await call(method, at), { status: 404, json: { code: 'RB_WEBHOOK_NOT_FOUND' } }, at)
})

t.test(':rotate makes a second secret, :test a run, and deliveries are listed', async (t) => {
  const { json } = await call('POST', '/v1/webhooks', { ...WEBHOOK, name: 'tried' })
  const path = `/v1/webhooks/${json.id}`
  const rotated = await call('POST', `${path}:rotate`, { keep: '2 hours' })
  t.match(rotated, { status: 200, json: { secrets: 2 } })
  t.not(rotated.json.secret, json.secret)
  t.match(await call('POST', `${path}:rotate`), { status: 200, json: { secrets: 2 } })
  t.match(await call('POST', `${path}:rotate`, { keep: '31 days' }), { status: 422 })
  const tested = await call('POST', `${path}:test`)
  t.match(tested, {
    status: 202,
    json: { task: 'rowbeat.webhook', input: { webhook: json.id, type: 'webhook.test' }, attempts_max: 1 },
  })
  t.equal(tested.headers.location, `/v1/runs/${tested.json.id}`)
  const sent = { webhook_id: json.id, event_id: randomUUID(), type: 'run.failed', attempt: 1, status: 500 }
  for (const outcome of ['retry', 'delivered'])
    await sql`insert into rowbeat.deliveries ${sql({ ...sent, outcome })}`
  t.match(await call('GET', `${path}/deliveries?outcome=retry`), {
    json: { items: [{ ...sent, outcome: 'retry' }], next: null },
  })
  const { items, next } = (await call('GET', `${path}/deliveries?limit=1`)).json
  t.equal(items[0].outcome, 'delivered')
  t.equal((await call('GET', `${path}/deliveries?limit=1&cursor=${next}`)).json.items[0].outcome, 'retry')
})

t.test('who may read may not write', async (t) => {
  const { key: reader } = await issue(['webhooks:read'])
  const { key: stranger } = await issue(['runs:write', 'runs:read'])
  t.equal((await call('GET', '/v1/webhooks', undefined, { key: reader })).status, 200)
  t.equal((await call('POST', '/v1/webhooks', WEBHOOK, { key: reader })).status, 403)
  t.equal((await call('GET', '/v1/webhooks', undefined, { key: stranger })).status, 403)
})
