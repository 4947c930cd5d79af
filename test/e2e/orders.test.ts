/** Orders: the order and its mail are one transaction, and the mail goes out through a real mail server. */
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import t from 'tap'
import { placeOrder } from '../../src/examples/orders/routes.ts'
import { setupExamples, setupMail, type World } from '../examples/world.ts'
import { until } from '../helpers/wait.ts'

async function order(
  world: World,
  email: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${world.origin}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

t.test('an order is confirmed by a mail, once', async (t) => {
  const world = await setupExamples(t)
  const { mails } = await setupMail(t)
  await world.work()
  const { status, body } = await order(world, 'ada@example.net')
  t.equal(status, 201)
  const runId = body.run_id as string
  t.match(await world.rowbeat.run(null, runId).get(), {
    task: 'orders.send_order_confirmation_email',
    input: { order_id: body.id },
  })
  t.strictSame(await world.rowbeat.run(null, runId).result({ timeout: '10s' }), { sent: true })
  t.equal(mails.length, 1)
  t.match(mails[0], /^To: ada@example\.net\r$/m)
  t.match(mails[0], new RegExp(`^Subject: Your order ${body.id} is confirmed\\r$`, 'm'))
  t.match(mails[0], new RegExp(`^Message-ID: <order-${body.id}@`, 'im'))
  const [row] =
    await world.sql`select email, confirmed_at is not null as confirmed from examples.orders where id = ${body.id as number}`
  t.strictSame({ ...row }, { email: 'ada@example.net', confirmed: true })

  const again = await world.rowbeat.enqueue('orders.send_order_confirmation_email', { order_id: body.id })
  t.strictSame(await again.result({ timeout: '10s' }), { sent: false })
  t.equal(mails.length, 1)
})

t.test('a transaction rolled back leaves neither order nor run', async (t) => {
  const world = await setupExamples(t)
  const client = postgres(world.url, { max: 1 })
  t.teardown(() => client.end({ timeout: 1 }))
  const db = drizzle({ client })
  const boom = new Error('boom')
  let placed: { id: number; run_id: string } | undefined
  await t.rejects(
    db.transaction(async (tx) => {
      placed = await placeOrder(tx, world.rowbeat, 'ada@example.net')
      throw boom
    }),
    boom,
  )
  t.ok(placed!.run_id)
  t.equal(await world.rowbeat.run(null, placed!.run_id).get(), null)
  t.strictSame([...(await world.sql`select from examples.orders`)], [])
  t.strictSame([...(await world.sql`select from rowbeat.runs`)], [])
})

t.test(
  'an order that cannot be stored leaves no run, and one whose run is refused is not stored',
  async (t) => {
    const world = await setupExamples(t)
    await world.sql`alter table examples.orders add check (email <> 'refused@example.net')`
    const refused = await order(world, 'refused@example.net')
    t.match(refused, { status: 500, body: { detail: /Try again/ } })
    t.notMatch(JSON.stringify(refused), /insert into|check constraint/i)
    t.strictSame([...(await world.sql`select from rowbeat.runs`)], [])
    await world.admin`alter schema rowbeat rename to elsewhere`
    t.match(await order(world, 'ada@example.net'), { status: 500 })
    t.strictSame([...(await world.sql`select from examples.orders`)], [])
  },
)

t.test('what is no mail address is refused with words', async (t) => {
  const world = await setupExamples(t)
  for (const email of ['', 'nobody', 'a@b@c', 'a@b\r\nBcc: x@y', 7, null, ['a@b'], undefined]) {
    t.match(await order(world, email), {
      status: 422,
      body: { status: 422, errors: [{ pointer: '/email' }] },
    })
  }
  const text = await fetch(`${world.origin}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"email":',
  })
  t.equal(text.status, 400)
  t.strictSame([...(await world.sql`select from examples.orders`)], [])
})

t.test('the page takes an order by its form and shows it without giving the address away', async (t) => {
  const world = await setupExamples(t)
  await setupMail(t)
  const browser = { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' }
  const response = await fetch(`${world.origin}/orders`, {
    method: 'POST',
    headers: browser,
    body: 'email=grace%40example.net',
    redirect: 'manual',
  })
  t.equal(response.status, 303)
  const url = world.origin + response.headers.get('location')
  const waiting = await (await fetch(url)).text()
  t.match(waiting, 'gr…@example.net')
  t.notMatch(waiting, 'grace@')
  t.match(waiting, /http-equiv="refresh"/)
  await world.work()
  await until('the page says sent', async () => /chip good">sent/.test(await (await fetch(url)).text()))
  t.notMatch(await (await fetch(url)).text(), /http-equiv="refresh"/)
})

t.test('a mailbox that does not exist ends the run, a server that is down does not', async (t) => {
  const world = await setupExamples(t)
  await world.work()
  await t.test('refused for good', async (t) => {
    await setupMail(t, 550)
    const { body } = await order(world, 'ghost@example.net')
    const run = world.rowbeat.run(null, body.run_id as string)
    await t.rejects(run.result({ timeout: '10s' }), {
      message: /the mail server refused the mail to ghost@example\.net/,
    })
    t.match(await run.get(), { state: 'FAILURE', reason: 'discarded', attempt: 1 })
  })
  await t.test('down', async (t) => {
    process.env.SMTP_URL = 'smtp://127.0.0.1:1'
    t.teardown(() => delete process.env.SMTP_URL)
    const { body } = await order(world, 'ada@example.net')
    const run = world.rowbeat.run(null, body.run_id as string)
    await until('it waits to be tried again', async () => (await run.state()) === 'RETRY')
    t.match(await run.get(), { attempt: 1, attemptsMax: 8 })
  })
})
