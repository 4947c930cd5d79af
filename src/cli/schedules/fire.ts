/**
 * Commands that fire by hand: run, backfill.
 */
import { PROCESS } from '../../auth/scopes.ts'
import type { EnqueueOptions } from '../../queue/options.ts'
import type { Flags } from '../options.ts'
import { tellOutcome } from '../result.ts'
import { tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'
import { parseJson } from './flags.ts'
import { atDesk, locate } from './setting.ts'

export interface RunFlags extends Flags {
  asOf?: string
  input?: string
  queue?: string
  priority?: number
  wait?: boolean
  /** Milliseconds. */
  timeout?: number
}

export async function run(which: string, flags: RunFlags): Promise<number> {
  const { asOf = null, queue, priority, timeout } = flags
  const input = flags.input === undefined ? {} : { input: parseJson(flags.input, 'input') }
  const options: EnqueueOptions = { queue, priority }
  return await atDesk(flags, async ({ control, rowbeat, json }) => {
    const id = await locate(control, which)
    const request = { task: '', options, ...input }
    const made = await control.run(PROCESS, id, { asOf, request }, 'any')
    if (flags.wait || timeout !== undefined)
      return await tellOutcome(rowbeat, made.id, { json, timeoutMs: timeout ?? 60_000 })
    say(json ? made : made.id)
    return EXIT.done
  })
}

export async function backfill(
  which: string,
  flags: Flags & { from: string; to: string; dryRun?: boolean },
): Promise<number> {
  const { from, to, dryRun = false } = flags
  return await atDesk(flags, async ({ control, json }) => {
    const id = await locate(control, which)
    const done = await control.backfill(PROCESS, id, { from, to, dryRun }, 'any')
    if (json) return say(done)
    if (done.items.length > 0)
      say(tableOf([['DUE', 'RUN'], ...done.items.map(({ due_at, run_id }) => [due_at, run_id ?? '-'])]))
    const count = done.items.length === 1 ? '1 instant' : `${done.items.length} instants`
    tell(`${count} ${dryRun ? 'would be fired' : 'fired'}; ${done.fired_before} had been fired before.`)
  })
}
