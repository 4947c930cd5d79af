/**
 * Which database a command talks to: `--database-url`, then DATABASE_URL (or the PG* variables), then the one that
 * `rowbeat start` noted in credentials.json of the data directory.
 */
import type { Config } from '../config.ts'
import { ConfigError, StoreError } from '../errors.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { createRowbeat, type Rowbeat, type RowbeatOptions } from '../queue/rowbeat.ts'
import { readCredentials } from './start/credentials.ts'
import { asRowbeatError } from './words.ts'

/** Throws ConfigError when none of the three says. */
export function findDatabase(config: Config): string {
  const url = config.databaseUrl ?? readCredentials(config.dataDir)?.databaseUrl
  if (url) return url
  throw new ConfigError(
    `No database is named: set DATABASE_URL, give --database-url, or run \`rowbeat start\`, which notes its own in ${config.dataDir}.`,
  )
}

/** Runs `work` with a rowbeat that knows no task of its own, and closes it. */
export async function withRowbeat<T>(
  config: Config,
  work: (rowbeat: Rowbeat) => Promise<T>,
  routing: Pick<RowbeatOptions, 'routes' | 'unknownQueue'> = {},
): Promise<T> {
  const databaseUrl = findDatabase(config)
  const rowbeat = createRowbeat({
    databaseUrl,
    connections: 2,
    prepare: config.prepare,
    role: 'cli',
    ...routing,
  })
  try {
    return await work(rowbeat)
  } catch (error) {
    throw explainAbsence(error, config)
  } finally {
    await rowbeat.close()
  }
}

/**
 * Of what kept a command from its database, a sentence that names it: the floors below do not know its address, and of
 * one that nobody typed, "correct DATABASE_URL" would be the wrong advice.
 */
export function explainAbsence(thrown: unknown, { databaseUrl, dataDir }: Config): unknown {
  if (asRowbeatError(thrown).code !== 'RB_DB_UNREACHABLE') return thrown
  const cause = thrown instanceof StoreError && thrown.cause ? thrown.cause : thrown
  if (databaseUrl) return explainDatabaseError(cause, databaseUrl)
  return new StoreError(
    'RB_DB_UNREACHABLE',
    `The database noted in ${dataDir} (credentials.json) cannot be reached: run \`rowbeat start\`, or name another with DATABASE_URL or --database-url.`,
    { cause },
  )
}

/** Where it is, for people: without user and password. */
export function placeOf(url: string): string {
  const [, place = 'the database'] = /^[a-z]+:\/\/(?:[^/]*@)?([^?]*)/.exec(url) ?? []
  return place
}
