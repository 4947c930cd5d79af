/**
 * Who proves a password. Against guessing, every attempt first takes a ticket (drizzle/0009), by which all API processes count together:
 * it is refused with the seconds to wait, and no password is compared. Whether an account exists is not told: for one that does not, or is
 * disabled, a password is compared all the same, with a hash that nobody has the password of, and the answer is the same.
 */
import { randomBytes } from 'node:crypto'
import { hashPassword, isPassword } from '../auth/password.ts'
import { placeOf } from '../auth/place.ts'
import type { Origin } from '../auth/scopes.ts'
import { createTurnstile } from '../auth/turnstile.ts'
import { objectSchema, text } from '../check.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { takeLoginTicket } from '../db/statements/sessions.ts'
import { AccessError } from '../errors.ts'
import { readFields } from './access-draft.ts'

const LOGIN = { email: text(320), password: text(1024) }
export const LOGIN_BODY = objectSchema(LOGIN, ['email', 'password'])

/** Whoever has the account, and where the attempt came from, as it is counted. */
export interface Proven {
  userId: string
  email: string
  address: string
}

/** Passwords compared at once in this process, and how many may wait for it. */
const COMPARED = 2
const WAITING = 40

/** `{ email, password }`. Throws AccessError: RB_LOGIN_INVALID, RB_LOGIN_BLOCKED with the time to wait, RB_ACCESS_INVALID. */
export function createPasswordCheck(db: Queryable): (body: unknown, origin: Origin) => Promise<Proven> {
  const compare = createTurnstile(COMPARED, WAITING)
  /** Of the same cost as any, so that an account that is unknown takes as long as one that is known. */
  let nobody: Promise<string> | null = null

  return async (body, origin) => {
    const { email, password } = readFields(body, LOGIN, ['email', 'password']) as Record<string, string>
    const address = placeOf(origin.address ?? '')
    const ticket = takeLoginTicket(db, email!, address)
    const { wait, userId, passwordHash } = await ticket.catch((error: unknown) => {
      throw explainDatabaseError(error)
    })
    if (wait > 0)
      throw new AccessError(
        'RB_LOGIN_BLOCKED',
        `There were too many wrong passwords: try again in ${Math.ceil(wait)} s.`,
        [],
        { retryAfterMs: wait * 1000 },
      )
    const spare = await (nobody ??= hashPassword(randomBytes(32).toString('base64url')))
    const isRight = await compare(() => isPassword(password!, passwordHash ?? spare))
    if (!isRight || userId === null) throw refuseLogin()
    return { userId, email: email!, address }
  }
}

export function refuseLogin(): AccessError {
  return new AccessError(
    'RB_LOGIN_INVALID',
    'E-mail address and password do not fit together: check both, or ask an admin whether the account is enabled.',
  )
}
