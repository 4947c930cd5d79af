/**
 * `rowbeat completion bash|zsh|fish`: a script for the shell. Commands and flags are in it; names of tasks, queues, workers and
 * schedules are asked of the database when they are wanted, within a second or not at all.
 */
import type { Command } from 'commander'
import { ConfigError } from '../../errors.ts'
import { EXIT, say } from '../words.ts'
import { bashScript } from './bash.ts'
import { fishScript } from './fish.ts'
import { listNames } from './names.ts'
import { NAMED, readTree } from './tree.ts'
import { zshScript } from './zsh.ts'
import type { Flags } from '../options.ts'

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

export async function completion(shell: string, program: Command, flags: Flags): Promise<number> {
  const kind = NAMED.find((one) => one === shell)
  if (kind) {
    const names = await listNames(kind, flags)
    if (flags.json) say({ items: names })
    else if (names.length > 0) say(names.join('\n'))
    return EXIT.done
  }
  if (!Object.hasOwn(SCRIPTS, shell))
    throw new ConfigError(`"${shell}" is no shell known here: use one of ${Object.keys(SCRIPTS).join(', ')}.`)
  const script = SCRIPTS[shell as keyof typeof SCRIPTS](readTree(program))
  say(flags.json ? { shell, script } : script)
  return EXIT.done
}
