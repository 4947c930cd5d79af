/**
 * The mail that welcomes a user. As with orders, the user is there when this runs, and that the mail went out
 * is noted on the user, so that a run that comes again sends nothing.
 */
import { z } from 'zod'
import { Discard, task } from '../../index.ts'
import { withDatabase } from '../database.ts'
import { sendMail } from '../mail.ts'

export const sendWelcomeEmail = task(
  'users.send_welcome_email',
  {
    input: z.object({ user_id: z.int().positive() }),
    attemptsMax: 8,
    retry: { base: '5s', cap: '10 minutes' },
    timeLimit: '1 minute',
  },
  async ({ user_id }, { log }) =>
    await withDatabase(async (sql) => {
      const [user] = await sql<{ username: string; email: string; welcomed: boolean }[]>`
        select username, email, welcomed_at is not null as welcomed from examples.users where id = ${user_id}`
      if (!user) throw new Discard(`there is no user ${user_id}`)
      if (user.welcomed) return { sent: false }
      await sendMail({
        to: user.email,
        subject: `Welcome, ${user.username}`,
        text: `Hello ${user.username},\n\nyour account is ready.`,
        messageId: `<user-${user_id}@rowbeat.invalid>`,
      })
      await sql`update examples.users set welcomed_at = now() where id = ${user_id}`
      log.info(`user ${user_id} is welcomed`)
      return { sent: true }
    }),
)
