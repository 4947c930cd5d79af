/**
 * `rowbeat call NAME JSON`: enqueues one run. Its id is the data; with `--wait` the data is what the task returned, and
 * the exit code tells whether it did. A task that no process ever registered is refused, as REST refuses it.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createRunControl } from '../control/runs.ts'
import { ConfigError } from '../errors.ts'
import type { EnqueueOptions } from '../queue/enqueue.ts'
import { withRowbeat } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { tellOutcome } from './result.ts'
import { EXIT, say } from './words.ts'

export interface CallFlags extends Flags {
  wait?: boolean
  /** Milliseconds. */
  timeout?: number
  queue?: string
  priority?: number
  delay?: string
  eta?: string
  expires?: string
  id?: string
  uniqueKey?: string
  attemptsMax?: number
  timeLimit?: string
  tag?: string[]
}

export async function call(task: string, text: string | undefined, flags: CallFlags): Promise<number> {
  const input = parseInput(text ?? '{}')
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const control = createRunControl(rowbeat)
    const { run } = await control.enqueue(PROCESS, { task, input, options: optionsOf(flags), extra: {} })
    if (flags.wait || flags.timeout !== undefined)
      return await tellOutcome(rowbeat, run.id, { json, timeoutMs: flags.timeout ?? 60_000 })
    say(json ? run : run.id)
    return EXIT.done
  })
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(
      `The input is not JSON (${(cause as Error).message}): write it as in '{"x": 1, "y": 2}'.`,
      { cause },
    )
  }
}

function optionsOf(flags: CallFlags): EnqueueOptions {
  const { queue, priority, id, uniqueKey, attemptsMax, tag: tags } = flags
  const { delay, eta, expires, timeLimit } = flags as Record<string, any>
  const options = { queue, priority, delay, eta, expires, id, uniqueKey, attemptsMax, timeLimit, tags }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
