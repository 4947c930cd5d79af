/**
 * `rowbeat config print`: every setting with its value and where it comes from. Nothing is connected to, and secrets are
 * masked, so that what it prints can be shown to others.
 */
import type { Flags } from '../options.ts'
import { tableOf } from '../table.ts'
import { EXIT, say } from '../words.ts'
import type { WorkingFlags } from '../working.ts'
import { listSettings } from './settings.ts'

export interface PrintFlags extends Flags, WorkingFlags {
  /** Only what somebody said. */
  changed?: boolean
}

export async function printConfig(flags: PrintFlags): Promise<number> {
  const all = await listSettings(flags)
  const items = flags.changed ? all.filter(({ source }) => source !== 'default') : all
  if (flags.json) say({ items })
  else
    say(
      tableOf([
        ['SETTING', 'VALUE', 'FROM', 'VARIABLE'],
        ...items.map(({ name, variable, value, source }) => [name, value ?? '-', source, variable]),
      ]),
    )
  return EXIT.done
}
