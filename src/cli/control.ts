/**
 * `rowbeat control COMMAND …`: tells workers what to do, in Celery's words. What is told is a row: a setting holds also for
 * workers that are down now. The exit code says whether anybody answered.
 */
import { PROCESS } from '../auth/scopes.ts'
import { createCommandControl, type CommandRecord, type Reply } from '../control/commands.ts'
import { ConfigError, ControlError } from '../errors.ts'
import { readCommandWords } from './commands.ts'
import { withRowbeat } from './database.ts'
import { namesOf, TIMEOUT_MS, type InspectFlags } from './inspect.ts'
import { readSettings } from './options.ts'
import { tableOf } from './table.ts'
import { EXIT, say, tell } from './words.ts'

export async function controlWorkers(
  word: string,
  words: readonly string[],
  flags: InspectFlags,
): Promise<number> {
  const { command, args } = readCommandWords(word, words)
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const control = createCommandControl(rowbeat)
    const timeoutMs = flags.timeout ?? TIMEOUT_MS
    const record = await control
      .control(PROCESS, { command, args, workers: namesOf(flags), timeoutMs })
      .catch((error: unknown) => {
        throw inWords(error, command)
      })
    if (json) say(record)
    else tellReplies(record)
    return record.replies.length > 0 && record.replies.every(({ ok }) => ok) ? EXIT.done : EXIT.failed
  })
}

/** The place of a fault is a word of the command line here. */
function inWords(error: unknown, command: string): unknown {
  if (!(error instanceof ControlError) || error.faults.length === 0) return error
  const [{ pointer, detail }] = error.faults as [ControlError['faults'][number]]
  return new ConfigError(`${command}: ${pointer.replace(/^\/(args\/)?/, '')} ${detail}.`, { cause: error })
}

function tellReplies({ command, replies, awaited }: CommandRecord): void {
  if (replies.length > 0)
    say(command === 'dump_stacks' ? replies.map(stacks).join('\n\n') : tableOf(replies.map(row)))
  if (awaited.length > 0) tell(`rowbeat: not answered in time: ${awaited.join(', ')}.`)
  else if (replies.length === 0) tell('rowbeat: no worker answered; a setting holds for those that come.')
}

function row({ worker, ok, reply }: Reply): string[] {
  return [worker, ok ? 'ok' : 'refused', typeof reply === 'string' ? reply : JSON.stringify(reply)]
}

/** Stacks are text of several lines. */
function stacks({ worker, reply }: Reply): string {
  return `${worker}\n${typeof reply === 'string' ? reply : JSON.stringify(reply, null, 2).replaceAll('\\n', '\n')}`
}
