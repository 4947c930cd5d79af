/**
 * `rowbeat runs failures`: what failed in a period, in groups that have task, error and place in common, the largest first. Each
 * comes with the search that finds its runs, for `rowbeat runs` and `rowbeat retry --query`.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { createFailureControl, type FailureDocument } from '../../control/failures.ts'
import { PERIOD_MAX, PERIOD_MIN } from '../../control/stats.ts'
import { toQueryable } from '../../db/handle.ts'
import { ConfigError } from '../../errors.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { harmless, tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'

export interface FailureFlags extends Flags {
  /** Milliseconds. */
  period?: number
  task?: string
  limit?: number
}

const DAY_MS = 86_400_000
const MESSAGE_LENGTH = 60

export async function failures(flags: FailureFlags): Promise<number> {
  const { period = DAY_MS, task, limit = 20 } = flags
  const seconds = Math.round(period / 1000)
  if (seconds < PERIOD_MIN || seconds > PERIOD_MAX) throw new ConfigError('--period must be from 1m to 7d.')
  const { config, json } = await readSettings(flags)
  const found = await withRowbeat(config, (rowbeat) =>
    createFailureControl(toQueryable(rowbeat.db)).list(PROCESS, { period: seconds, task, limit }),
  )
  if (json) say(found)
  else if (found.items.length === 0) tell('Nothing failed.')
  else say(tableOf(rowsOf(found.items)))
  return EXIT.done
}

function rowsOf(items: readonly FailureDocument[]): string[][] {
  return [
    ['FAILED', 'TASK', 'ERROR', 'WHERE', 'LATEST', 'FINGERPRINT'],
    ...items.map(({ count, task, name, message, frame, last_at, fingerprint }) => [
      String(count),
      task,
      harmless(`${name}: ${message}`.slice(0, MESSAGE_LENGTH)),
      harmless(frame || '-'),
      last_at,
      fingerprint,
    ]),
  ]
}
