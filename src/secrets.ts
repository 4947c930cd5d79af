/**
 * Secrets of the configuration: their names, and how they are read from files, as container platforms hand them over. A secret that
 * is a file is in no list of processes and in no `docker inspect`.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError } from './errors.ts'

/** What nobody may read over a shoulder; each may be given as a file instead, named by the variable with _FILE behind it. */
export const SECRETS = ['DATABASE_URL', 'ROWBEAT_ADMIN_PASSWORD', 'ROWBEAT_SECRET', 'SMTP_URL'] as const

export function isSecret(variable: string): boolean {
  return (SECRETS as readonly string[]).includes(variable)
}

/**
 * `DATABASE_URL_FILE=/run/secrets/database_url` is its content, without the line break at its end. Answers the environment with what the
 * files say, and without their names. Throws ConfigError.
 */
export function readSecrets(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const read: Record<string, string | undefined> = {}
  for (const name of SECRETS) {
    const file = env[`${name}_FILE`]
    if (!file) continue
    if (env[name]) throw new ConfigError(`${name} and ${name}_FILE are both set: unset one of them.`)
    read[name] = readText(resolve(file), `${name}_FILE: `).replace(/\r?\n$/, '')
    read[`${name}_FILE`] = undefined
    if (!read[name]) throw new ConfigError(`${name}_FILE: ${file} is empty: write the secret into it.`)
  }
  return { ...env, ...read }
}

/** Throws ConfigError; `what` stands in front. */
export function readText(file: string, what = ''): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigError(
      `${what}${file} cannot be read (${(cause as Error).message}): make it readable for this user.`,
      { cause },
    )
  }
}
