/**
 * The line that a figure is worth nothing without: processor, cores, memory, versions, server settings.
 */
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type postgres from 'postgres'
import { redisVersion } from './servers.ts'

const SETTINGS = ['fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size']
const PACKAGES = ['graphile-worker', 'pg-boss', 'bullmq', 'ioredis', 'pg', 'postgres']

function versionOf(name: string): string {
  const path = new URL(`./node_modules/${name}/package.json`, import.meta.url)
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return `${name} ${version}`
}

export async function describeMachine(sql: postgres.Sql): Promise<Record<string, string>> {
  const [server] = await sql`select split_part(version(), ' ', 2) as version`
  const settings = await Promise.all(
    SETTINGS.map(
      async (name) => `${name} ${(await sql`select current_setting(${name}) as value`)[0]!['value']}`,
    ),
  )
  return {
    processor: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    PostgreSQL: `${server!['version']} (${settings.join(', ')})`,
    Redis: redisVersion() ?? 'absent',
    Node: process.version,
    packages: PACKAGES.map(versionOf).join(', '),
  }
}
