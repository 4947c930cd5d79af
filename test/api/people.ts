/** People who are signed in, without the cost of comparing a password: the rows that a sign-in leaves, and a token of it. */
import { createHash, randomBytes } from 'node:crypto'
import { createAccessTokens } from '../../src/auth/tokens.ts'
import type { Role } from '../../src/auth/scopes.ts'
import type { Queryable } from '../../src/db/handle.ts'
import { findSessions, passLogin, type SessionRow } from '../../src/db/statements/sessions.ts'
import { findUser, saveUser } from '../../src/db/statements/users.ts'

export interface Person {
  id: string
  email: string
  session: SessionRow
  accessToken: string
  refreshToken: string
}

export async function signIn(db: Queryable, role: Role, email = `${role}@example.com`): Promise<Person> {
  if (!(await findUser(db, email))) await saveUser(db, { email, passwordHash: 'none', role })
  const user = (await findUser(db, email))!
  const refreshToken = `rbr_${randomBytes(32).toString('base64url')}`
  const hash = createHash('sha256').update(refreshToken).digest('hex')
  const id = await passLogin(db, { userId: user.id, email, address: '192.0.2.1', hash })
  const [session] = await findSessions(db, [id!])
  const accessToken = await createAccessTokens(db).issue(session!)
  return { id: user.id, email, session: session!, accessToken, refreshToken }
}
