/**
 * credentials.json in the data directory (mode 0600): where this Rowbeat is, its database, a key for the REST API and
 * the first person who may log in. Random on the first start, kept after; the other commands find their database here.
 *
 * The database may be another one than last time (DATABASE_URL), or somebody may have revoked the key: a start makes
 * the key and the person known to the database it has. A password changed later in the panel is not touched; only a
 * new ROWBEAT_ADMIN_PASSWORD is a wish to have that one.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashKey, issueKey, makeKey } from '../../auth/key.ts'
import { hashPassword, makePassword } from '../../auth/password.ts'
import type { Config } from '../../config.ts'
import type { Queryable } from '../../db/handle.ts'
import { findKeys } from '../../db/statements/keys.ts'
import { findUser, saveUser } from '../../db/statements/users.ts'
import { ownAs } from '../../embedded/record.ts'
import { ConfigError } from '../../errors.ts'

export interface Credentials {
  readonly url: string
  readonly databaseUrl: string
  readonly apiKey: string
  readonly admin: { readonly email: string; readonly password: string }
}

/** What is still to be settled: the addresses come with the start. */
export type Identity = Pick<Credentials, 'apiKey' | 'admin'> & {
  /** Made by this start, so the password is new and worth showing. */
  readonly isNew: boolean
  /** The hash of a password that the database has to take, already being worked out. */
  readonly passwordHash: Promise<string> | null
}

const fileOf = (dataDir: string): string => join(dataDir, 'credentials.json')

/** null before the first start. Throws ConfigError when the file cannot be used. */
export function readCredentials(dataDir: string): Credentials | null {
  const file = fileOf(dataDir)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new ConfigError(`${file} cannot be read (${(cause as Error).message}): give it to this user.`, {
      cause,
    })
  }
  try {
    const { url, databaseUrl, apiKey, admin } = JSON.parse(text) as Credentials
    if ([url, databaseUrl, apiKey, admin.email, admin.password].every((word) => typeof word === 'string'))
      return { url, databaseUrl, apiKey, admin }
  } catch {
    // Said below.
  }
  throw new ConfigError(
    `${file} is damaged: remove it, and the next \`rowbeat start\` makes a new key and password.`,
  )
}

/** Written whole and renamed, never half. */
export function writeCredentials(dataDir: string, credentials: Credentials): void {
  const half = `${fileOf(dataDir)}.${process.pid}`
  try {
    writeFileSync(half, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 })
    ownAs(dataDir, half)
    renameSync(half, fileOf(dataDir))
  } catch (error) {
    rmSync(half, { force: true })
    throw error
  }
}

/** The key and person of this data directory, made when there are none. */
export function chooseIdentity({ dataDir, adminEmail, adminPassword }: Config): Identity {
  const kept = readCredentials(dataDir)
  const password = adminPassword ?? kept?.admin.password ?? makePassword()
  const isNew = password !== kept?.admin.password
  return {
    apiKey: kept?.apiKey ?? makeKey(),
    admin: { email: adminEmail.toLowerCase(), password },
    isNew,
    passwordHash: isNew ? hashPassword(password) : null,
  }
}

/** Makes key and person known to the database; answers the key that is good there. */
export async function establish(db: Queryable, { apiKey, admin, passwordHash }: Identity): Promise<string> {
  if (passwordHash || !(await findUser(db, admin.email))) {
    const hash = await (passwordHash ?? hashPassword(admin.password))
    await saveUser(db, { email: admin.email, passwordHash: hash, role: 'admin' })
  }
  const [known] = await findKeys(db, [hashKey(apiKey)])
  if (known && !known.revoked && !known.expired) return apiKey
  const { key } = await issueKey(db, {
    name: 'rowbeat start',
    scopes: ['*'],
    ...(known ? {} : { key: apiKey }),
  })
  return key
}
