/** The audit log: every address that changes something writes one row, with who did it; edits by SQL are in it too. */
import t from 'tap'
import { makeSchedule, PASSWORD, TRIES, UNLOGGED, type Wanted } from './deeds.ts'
import { serve } from './world.ts'

t.test('every address that changes something writes exactly one row', async (t) => {
  const endpoints = new Set<string>()
  const world = await serve(t, {
    prepare: (app) =>
      void app.addHook('onRoute', ({ method, config }) => {
        const id = config?.rowbeat?.endpoint?.id
        if (id && ![method].flat().some((one) => one === 'GET' || one === 'HEAD')) endpoints.add(id)
      }),
  })
  t.strictSame(new Set([...Object.keys(TRIES), ...UNLOGGED]), endpoints, 'and none is forgotten here')
  await world.call('POST', '/v1/runs', { task: 'demo.echo' })
  const rows = async (): Promise<Wanted[]> => await world.sql`select * from rowbeat.audit_log order by id`
  for (const [id, prepare] of Object.entries(TRIES)) {
    const act = await prepare(world)
    const before = (await rows()).length
    const [answer, wanted] = await act()
    t.ok(answer.status < 300, `${id}: ${answer.status} ${answer.text}`)
    const written = (await rows()).slice(before)
    t.match(
      written,
      [
        {
          actor: 'a test',
          via: 'rest',
          request_id: answer.headers['x-request-id'],
          address: '127.0.0.1',
          ...wanted,
        },
      ],
      id,
    )
    t.equal(written.length, 1, `${id} writes one row`)
  }
  const [dump] = await world.sql`select string_agg(a::text, ' ') as text from rowbeat.audit_log a`
  const hashes = await world.sql`select encode(hash, 'hex') as secret from rowbeat.api_keys
    union all select password_hash from rowbeat.users where password_hash <> 'none' union all select secret from rowbeat.webhook_secrets`
  for (const { secret } of hashes) t.notOk(dump!.text.includes(secret), 'no secret is in it')
  t.notMatch(dump!.text, PASSWORD)
})

t.test('the log is read by pages and filters, with the scope audit:read', async (t) => {
  const world = await serve(t)
  const { call } = world
  const [first, second] = [await makeSchedule(world), await makeSchedule(world)]
  await call(
    'POST',
    `/v1/schedules/${first}:pause`,
    { reason: 'tea' },
    { headers: { 'x-request-id': 'req-1' } },
  )
  await world.sql`update rowbeat.queues set concurrency = 5 where name = 'high'`
  const list = async (query: string): Promise<string[]> =>
    (await call('GET', `/v1/audit?${query}`)).json.items.map((row: { action: string }) => row.action)
  t.strictSame(await list('target_kind=schedule'), ['schedule.pause', 'schedule.create', 'schedule.create'])
  t.strictSame(await list(`target=${first}`), ['schedule.pause', 'schedule.create'])
  t.strictSame(await list(`target=${second}&action=schedule.create`), ['schedule.create'])
  t.strictSame(await list('via=sql&target_kind=queue'), ['queue.update'])
  t.strictSame(await list('request_id=req-1'), ['schedule.pause'])
  t.strictSame(await list('actor=nobody'), [])
  t.strictSame(await list('until=2020-01-01T00:00:00Z'), [])
  const pages: string[] = []
  let next = ''
  do {
    const page = await call('GET', `/v1/audit?limit=2${next && `&cursor=${next}`}`)
    pages.push(...page.json.items.map((row: { id: string }) => row.id))
    next = page.json.next as string
  } while (next)
  const all = await world.sql<{ id: string }[]>`select id from rowbeat.audit_log order by id desc`
  t.strictSame(
    pages,
    all.map(({ id }) => id),
  )
  const wrong = await call('GET', '/v1/audit?via=fax&acter=x')
  t.match(wrong.json, { status: 422, errors: [{ pointer: '/via' }, { pointer: '/acter' }] })
  const { key } = await world.issue(['users:read'])
  t.equal((await call('GET', '/v1/audit', undefined, { key })).status, 403)
})
