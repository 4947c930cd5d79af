/**
 * Orders over HTTP. `placeOrder` is what this example is about: the order and the run that confirms it are
 * written by one transaction, so there is never an order without its mail, nor a mail about an order that was
 * rolled back.
 */
import { sql } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { FastifyInstance } from 'fastify'
import type { Rowbeat } from '../../index.ts'
import { emailAddress } from '../web/email.ts'
import { PUBLIC, sendPage } from '../web/layout.ts'
import { prefersPage, Refusal } from '../web/refusal.ts'
import { ordersPage, type ShownOrder } from './page.ts'
import { orders } from './schema.ts'
import { sendOrderConfirmationEmail } from './tasks.ts'

export interface PlacedOrder {
  id: number
  run_id: string
}

/** `db` may be a transaction of the caller's: then all of it is part of that. */
export async function placeOrder(
  db: Pick<PostgresJsDatabase, 'transaction'>,
  rowbeat: Rowbeat,
  email: string,
): Promise<PlacedOrder> {
  return await db.transaction(async (tx) => {
    const [order] = await tx.insert(orders).values({ email }).returning({ id: orders.id })
    const run = await rowbeat.in(tx).enqueue(sendOrderConfirmationEmail, { order_id: order!.id })
    return { id: order!.id, run_id: run.id }
  })
}

export async function orderRoutes(
  app: FastifyInstance,
  { db, rowbeat }: { db: PostgresJsDatabase; rowbeat: Rowbeat },
): Promise<void> {
  app.get('/orders', PUBLIC, async (request, reply) => {
    const placed = Number((request.query as { placed?: string }).placed) || null
    return sendPage(reply, ordersPage(await latestOrders(db), placed))
  })

  app.post('/orders', PUBLIC, async (request, reply) => {
    const { email } = (request.body ?? {}) as { email?: unknown }
    const address = emailAddress.safeParse(email)
    if (!address.success)
      throw new Refusal(422, '/email', 'An order needs a mail address, as in {"email": "ada@example.net"}.')
    const placed = await placeOrder(db, rowbeat, address.data)
    const url = `/orders?placed=${placed.id}`
    return prefersPage(request)
      ? reply.redirect(url, 303)
      : reply.code(201).header('location', url).send(placed)
  })
}

async function latestOrders(db: PostgresJsDatabase): Promise<ShownOrder[]> {
  return await db.execute<Record<string, unknown> & ShownOrder>(sql`
    select id::int as id, email, confirmed_at is not null as confirmed
    from ${orders} order by id desc limit 20`)
}
