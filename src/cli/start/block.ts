/** The block that `rowbeat start` ends with: where it is, how to get in, one call to try. */
import { relative } from 'node:path'
import { VERSION } from '../../version.ts'
import type { Credentials } from './credentials.ts'
import { journalFile } from './journal.ts'

export interface Started {
  credentials: Credentials
  dataDir: string
  /** Which database, in words. */
  database: string
  /** Where the panel is; null: there is none. */
  panel: string | null
  /** The password was made by this start: the one time it is shown. */
  isNew: boolean
}

export function describeStart({ credentials, dataDir, database, panel, isNew }: Started): string {
  const { url, apiKey, admin } = credentials
  const folder = shortPath(dataDir)
  const password = isNew ? admin.password : `see ${folder}/credentials.json`
  const facts: [string, string][] = [
    ['Address', url],
    ...(panel ? [['Panel', panel] as [string, string]] : []),
    ['Log in', `${admin.email}, password ${password}`],
    ['API key', apiKey],
    ['Database', database],
    ['Kept in', `${folder} (credentials.json, ${relative(dataDir, journalFile(dataDir))})`],
  ]
  return [
    '',
    `Rowbeat ${VERSION}`,
    '',
    ...facts.map(([name, value]) => `  ${name.padEnd(10)}${value}`),
    '',
    `  curl ${url}/v1/runs \\`,
    `    -H "Authorization: Bearer ${apiKey}" \\`,
    '    -H "Content-Type: application/json" \\',
    `    -d '{"task": "demo.add", "input": {"x": 1, "y": 2}}'`,
    '',
    `Rowbeat is ready at ${url}`,
  ].join('\n')
}

/** From here, when that is shorter to say. */
export function shortPath(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') || near === '' ? path : near
}
