/** This machine: its Node, and room for the database where `rowbeat start` keeps one in the data directory. */
import { existsSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { fail, ok, sizeOf, warn, type Finding } from './finding.ts'

const NEEDED: readonly [number, number] = [22, 18]
const SCARCE = 2 * 2 ** 30
const GONE = 200 * 2 ** 20

export function examineHost(dataDir: string): Finding[] {
  return [examineNode(process.versions.node), ...examineDisk(dataDir)]
}

export function examineNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const words = `Node ${version} on ${process.platform} ${process.arch}`
  if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1]))
    return fail('node', words, `Install Node ${NEEDED.join('.')} or newer.`)
  if (major % 2 === 1)
    return warn('node', `${words}, which gets no long-term support`, `Install an even release, such as 24.`)
  return ok('node', words)
}

function examineDisk(dataDir: string): Finding[] {
  if (!existsSync(join(dataDir, 'postgres.json'))) return []
  const { bavail, bsize, blocks } = statfsSync(dataDir)
  const [free, all] = [bavail * bsize, blocks * bsize]
  const words = `${sizeOf(free)} of ${sizeOf(all)} are free at ${dataDir}`
  const cure =
    'Make room: without any, PostgreSQL stops. Older results go with a shorter ROWBEAT_RESULT_RETENTION.'
  if (free < GONE) return [fail('disk', words, cure)]
  return [free < SCARCE ? warn('disk', words, cure) : ok('disk', words)]
}
