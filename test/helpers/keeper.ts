/**
 * Holds the tests' PostgreSQL (see server.ts): `node keeper.ts <server file> <runner pid or 0>`. Ends it, and removes
 * its files, on SIGTERM, or when the runner is gone (or was none) and no test has been connected for a while. What an
 * interrupted run left is taken over by the launcher under test itself; what it cannot start is thrown away.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import { startPostgres } from '../../src/embedded/postgres.ts'
import type { EmbeddedPostgres } from '../../src/embedded/postgres.ts'
import { ConfigError } from '../../src/errors.ts'
import { isAlive } from './process.ts'
import { findServer } from './server.ts'

const [, , file = '', runnerText = '0'] = process.argv
const runner = Number(runnerText)
const dataDir = dirname(file)
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  max_connections: '300',
  autovacuum_naptime: '60',
}

const server = await start()
const admin = postgres(server.adminUrl, { max: 1, onnotice: () => {} })
const quit = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => quit.abort())

await dropLeftovers()
const { adminUrl, url } = server
writeFileSync(`${file}.half`, JSON.stringify({ adminUrl, url, keeper: process.pid, runner }), { mode: 0o600 })
renameSync(`${file}.half`, file)

await Promise.race([server.exited, untilUnused()])
rmSync(file, { force: true })
await admin.end({ timeout: 1 })
await server.stop()
// Out of the way first: the next keeper may be making its own already.
renameSync(dataDir, `${dataDir}.gone`)
rmSync(`${dataDir}.gone`, { recursive: true, force: true })

/** An earlier keeper may be on its way out: its directory is ours as soon as it is free. */
async function start(): Promise<EmbeddedPostgres> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startPostgres({ dataDir, port: 0, settings: SETTINGS })
    } catch (error) {
      if (findServer()) process.exit(0)
      if (attempt === 50) throw error
      if (error instanceof ConfigError) await pause(200)
      else rmSync(`${dataDir}/postgres`, { recursive: true, force: true })
    }
  }
}

async function dropLeftovers(): Promise<void> {
  const names = await admin`select datname from pg_database where datname ~ '^(test|template)_'`
  for (const { datname } of names) await admin.unsafe(`drop database "${datname}" with (force)`)
}

async function untilUnused(): Promise<void> {
  const patienceMs = runner ? 3000 : 60_000
  for (let idleSince = performance.now(); performance.now() - idleSince < patienceMs;) {
    await pause(500, undefined, { signal: quit.signal }).catch(() => {})
    if (quit.signal.aborted) return
    if ((runner && isAlive(runner)) || (await hasVisitors())) idleSince = performance.now()
  }
}

async function hasVisitors(): Promise<boolean> {
  const rows = await admin`
    select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`
  return rows.length > 0
}
