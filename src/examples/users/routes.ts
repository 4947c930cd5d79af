/**
 * `POST /users`: the user and the run that mails a welcome are one transaction. Celery's own guide does this
 * with `delay_on_commit`, which gives no id and forgets the mail when the process dies after the commit; here
 * the run is a row of the same commit.
 */
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { FastifyInstance } from 'fastify'
import type { Rowbeat } from '../../index.ts'
import { ApiRefusal, refuseFaults, refuseOtherMethods, speakLikeDjango } from '../web/api-refusal.ts'
import { emailAddress } from '../web/email.ts'
import { readFields } from '../web/fields.ts'
import { PUBLIC } from '../web/layout.ts'
import { prefersPage } from '../web/refusal.ts'
import type { PasswordKeeper } from './password.ts'
import { users } from './schema.ts'
import { sendWelcomeEmail } from './tasks.ts'

export interface UserOptions {
  db: PostgresJsDatabase
  rowbeat: Rowbeat
  passwords: PasswordKeeper
}

export interface CreatedUser {
  id: number
  username: string
  email: string
  run_id: string
}

/** `db` may be a transaction of the caller's: then all of it is part of that. */
export async function createUser(
  db: Pick<PostgresJsDatabase, 'transaction'>,
  rowbeat: Rowbeat,
  values: { username: string; email: string; password: string | null },
): Promise<CreatedUser> {
  return await db.transaction(async (tx) => {
    const [made] = await tx.insert(users).values(values).onConflictDoNothing().returning({ id: users.id })
    if (!made) throw new ApiRefusal(400, { username: ['A user with that username already exists.'] })
    const run = await rowbeat.in(tx).enqueue(sendWelcomeEmail, { user_id: made.id })
    return { id: made.id, username: values.username, email: values.email, run_id: run.id }
  })
}

export async function userRoutes(
  app: FastifyInstance,
  { db, rowbeat, passwords }: UserOptions,
): Promise<void> {
  speakLikeDjango(app)
  app.post('/users', PUBLIC, async (request, reply) => {
    const { password, ...rest } = readUser(request.body)
    const hash = password === undefined ? null : await passwords.hash(password)
    const user = await createUser(db, rowbeat, { ...rest, password: hash })
    if (prefersPage(request)) return reply.redirect(`/widgets?user=${user.id}`, 303)
    return reply.code(201).send(user)
  })
  refuseOtherMethods(app, '/users', ['POST'])
}

/**
 * Who has no password never signs in, and is called by the address. Who has one chooses a name, because the
 * names of those who write are shown to everybody.
 */
function readUser(body: unknown): { username: string; email: string; password: string | undefined } {
  const fields = readFields(blankIsMissing(body))
  const { faults } = fields
  const email = fields.text('email', true, { maxLength: 254 })
  const password = fields.text('password', false, { maxLength: 128 })
  const username = fields.text('username', password !== undefined, { maxLength: 150 })
  if (email !== undefined && !emailAddress.safeParse(email).success)
    faults.email = ['Enter a valid email address.']
  if (username !== undefined && !/^[\p{L}\p{M}\p{N}_.@+-]+$/u.test(username))
    faults.username = [
      'Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.',
    ]
  if (password !== undefined && [...password].length < 8)
    faults.password = ['This password is too short. It must contain at least 8 characters.']
  refuseFaults(faults)
  return { email: email!, username: username ?? email!, password }
}

/** A form sends every field, also those that were left empty. */
function blankIsMissing(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  return Object.fromEntries(Object.entries(body).filter(([name, value]) => name === 'email' || value !== ''))
}
