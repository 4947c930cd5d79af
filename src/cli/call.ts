/**
 * `rowbeat call NAME JSON`: enqueues one run. Its id is the data; with `--wait` the data is what the task returned, and
 * the exit code tells whether it did. A task that no process ever registered is refused, as REST refuses it.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createRunControl } from '../control/runs.ts'
import { ConfigError } from '../errors.ts'
import type { EnqueueOptions } from '../queue/options.ts'
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
  uniqueWhile?: string
  uniqueFor?: string
  onConflict?: string
  debounce?: string
  debounceMax?: string
  idempotencyKey?: string
  idempotencyFor?: string
  concurrencyKey?: string
  rateKey?: string
  attemptsMax?: number
  timeLimit?: string
  tag?: string[]
}

export async function call(task: string, text: string | undefined, flags: CallFlags): Promise<number> {
  const input = parseInput(text ?? '{}')
  const { config, given, json } = await readSettings(flags)
  const routing = { routes: given.routes, unknownQueue: config.unknownQueue }
  return await withRowbeat(
    config,
    async (rowbeat) => {
      const control = createRunControl(rowbeat)
      const { run } = await control.enqueue(PROCESS, { task, input, options: optionsOf(flags) })
      if (flags.wait || flags.timeout !== undefined)
        return await tellOutcome(rowbeat, run.id, { json, timeoutMs: flags.timeout ?? 60_000 })
      say(json ? run : run.id)
      return EXIT.done
    },
    routing,
  )
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

/** As they are typed: what a value may be, enqueue says. */
const OPTIONS = [
  'queue',
  'priority',
  'delay',
  'eta',
  'expires',
  'id',
  'uniqueKey',
  'uniqueWhile',
  'uniqueFor',
  'onConflict',
  'debounce',
  'debounceMax',
  'idempotencyKey',
  'idempotencyFor',
  'concurrencyKey',
  'rateKey',
  'attemptsMax',
  'timeLimit',
] as const satisfies readonly (keyof CallFlags & keyof EnqueueOptions)[]

function optionsOf(flags: CallFlags): EnqueueOptions {
  const options: Record<string, unknown> = flags.tag ? { tags: flags.tag } : {}
  for (const key of OPTIONS) if (flags[key] !== undefined) options[key] = flags[key]
  return options
}
