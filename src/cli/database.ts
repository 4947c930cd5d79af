/**
 * Which database a command talks to: `--database-url`, then DATABASE_URL (or the PG* variables), then the one that
 * `rowbeat start` noted in credentials.json of the data directory.
 */
import type { Config } from '../config.ts'
import { ConfigError, StoreError } from '../errors.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { createRowbeat, type Rowbeat } from '../queue/rowbeat.ts'
import { readCredentials } from './start/credentials.ts'

/** Throws ConfigError when none of the three says. */
export function findDatabase(config: Config): string {
  const url = config.databaseUrl ?? readCredentials(config.dataDir)?.databaseUrl
  if (url) return url
  throw new ConfigError(
    `No database is named: set DATABASE_URL, give --database-url, or run \`rowbeat start\`, which notes its own in ${config.dataDir}.`,
  )
}

/** Runs `work` with a rowbeat that knows no task of its own, and closes it. */
export async function withRowbeat<T>(config: Config, work: (rowbeat: Rowbeat) => Promise<T>): Promise<T> {
  const rowbeat = createRowbeat({
    databaseUrl: findDatabase(config),
    connections: 2,
    prepare: config.prepare,
  })
  try {
    return await work(rowbeat)
  } finally {
    await rowbeat.close()
  }
}
