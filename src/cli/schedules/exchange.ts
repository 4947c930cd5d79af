/**
 * Commands that move schedules between databases: export prints a file, import takes it, whole or not at all.
 */
import { readFileSync } from 'node:fs'
import { PROCESS } from '../../auth/scopes.ts'
import { ConfigError } from '../../errors.ts'
import type { Flags } from '../options.ts'
import { say, tell } from '../words.ts'
import { parseJson } from './flags.ts'
import { filterFrom, type FilterFlags } from './look.ts'
import { atDesk } from './setting.ts'

export async function exportFile(flags: FilterFlags): Promise<number> {
  return await atDesk(flags, async ({ control }) => say(await control.export(PROCESS, filterFrom(flags))))
}

export async function importFile(
  path: string,
  flags: Flags & { mode?: 'skip' | 'replace' },
): Promise<number> {
  const file = parseJson(readText(path), 'file')
  return await atDesk(flags, async ({ control, json }) => {
    const done = await control.import(PROCESS, file, flags.mode ?? 'refuse')
    if (json) say(done)
    else tell(`${done.created} created, ${done.replaced} replaced, ${done.skipped} skipped.`)
  })
}

function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (cause) {
    throw new ConfigError(
      `${path} cannot be read (${(cause as Error).message}): name a file that export made.`,
      { cause },
    )
  }
}
