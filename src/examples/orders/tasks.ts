/**
 * The mail that confirms an order. The order is there when this runs, always: both came with the same commit.
 *
 * Not `transactional`: a mail cannot be rolled back, and no transaction should stay open while a mail server
 * thinks. That it went out is noted on the order, so a run that comes again sends nothing; only a crash
 * between the two leads to a second mail, which carries the same Message-ID.
 */
import { z } from 'zod'
import { Discard, task } from '../../index.ts'
import { withDatabase } from '../database.ts'
import { sendMail } from '../mail.ts'

export const sendOrderConfirmationEmail = task(
  'orders.send_order_confirmation_email',
  {
    input: z.object({ order_id: z.int().positive() }),
    attemptsMax: 8,
    retry: { base: '5s', cap: '10 minutes' },
    timeLimit: '1 minute',
  },
  async ({ order_id }, { log }) =>
    await withDatabase(async (sql) => {
      const [order] = await sql<{ email: string; confirmed: boolean }[]>`
        select email, confirmed_at is not null as confirmed from examples.orders where id = ${order_id}`
      if (!order) throw new Discard(`there is no order ${order_id}`)
      if (order.confirmed) return { sent: false }
      await sendMail({
        to: order.email,
        subject: `Your order ${order_id} is confirmed`,
        text: `Thank you for your order!\n\nIts number is ${order_id}. We will write when it is on its way.`,
        messageId: `<order-${order_id}@rowbeat.invalid>`,
      })
      await sql`update examples.orders set confirmed_at = now() where id = ${order_id}`
      log.info(`order ${order_id} is confirmed`)
      return { sent: true }
    }),
)
