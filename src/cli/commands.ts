/**
 * The commands of `rowbeat control` and their arguments in the order of Celery's: words in, what `rowbeat.control` takes
 * out. Dashes may be written for underscores.
 */
import { ConfigError } from '../errors.ts'

type Read = (word: string) => unknown

const text: Read = (word) => word
/** What is not a number is refused by who knows the argument. */
const number: Read = (word) => (/^-?\d+(\.\d+)?$/.test(word) ? Number(word) : word)
const rate: Read = (word) => (word === 'default' ? null : word)
const limit: Read = (word) => (word === 'default' ? null : word === 'none' ? 0 : number(word))

interface Grammar {
  /** In their order; those with a question mark may be left out. */
  takes: readonly [name: string, read: Read][]
  does: string
}

const COMMANDS: Readonly<Record<string, Grammar>> = {
  add_queue: {
    takes: [
      ['queue', text],
      ['concurrency?', number],
    ],
    does: 'serve this queue too',
  },
  cancel_queue: { takes: [['queue', text]], does: 'serve it no more' },
  set_concurrency: {
    takes: [
      ['concurrency', number],
      ['queue?', text],
    ],
    does: 'so many runs at once, of each queue or of this one',
  },
  autoscale: {
    takes: [
      ['max', number],
      ['min?', number],
    ],
    does: 'between so many runs at once, or `off`',
  },
  rate_limit: {
    takes: [
      ['task', text],
      ['rate', rate],
      ['burst?', number],
    ],
    does: 'at most so often, over all workers: 10/m, `none`, or `default` for what the code says',
  },
  time_limit: {
    takes: [
      ['task', text],
      ['soft', limit],
      ['hard?', limit],
    ],
    does: 'seconds or a duration, `none`, or `default` for what the code says',
  },
  quiet: { takes: [], does: 'claim nothing more' },
  unquiet: { takes: [], does: 'claim again' },
  reset: { takes: [['task?', text]], does: 'forget what was set by these commands, of workers or of a task' },
  shutdown: { takes: [['grace?', number]], does: 'stop, as on SIGTERM' },
  dump_stacks: { takes: [], does: 'tell where the code stands' },
  ping: { takes: [], does: 'answer' },
}

/** Celery's names of some. */
const ALIASES: Readonly<Record<string, string>> = {
  add_consumer: 'add_queue',
  cancel_consumer: 'cancel_queue',
}

/** `rowbeat control add_queue high 5`. Throws ConfigError. */
export function readCommandWords(
  word: string,
  words: readonly string[],
): { command: string; args: Record<string, unknown> } {
  const said = word.replaceAll('-', '_')
  const command = Object.hasOwn(ALIASES, said) ? ALIASES[said]! : said
  if (!Object.hasOwn(COMMANDS, command))
    throw new ConfigError(`"${word}" is no command: use one of ${Object.keys(COMMANDS).join(', ')}.`)
  return { command, args: argsOf(command, words) }
}

function argsOf(command: string, words: readonly string[]): Record<string, unknown> {
  const { takes } = COMMANDS[command]!
  if (command === 'autoscale' && words.length === 1 && words[0] === 'off') return { off: true }
  const given = command === 'autoscale' ? words.flatMap((one) => one.split(',')) : words
  const needed = takes.filter(([name]) => !name.endsWith('?')).length
  if (given.length < needed || given.length > takes.length)
    throw new ConfigError(`Write it as: rowbeat control ${usageOf(command)}.`)
  return Object.fromEntries(
    given.map((one, i) => {
      const [name, read] = takes[i]!
      return [name.replace('?', ''), read(one)]
    }),
  )
}

function usageOf(command: string): string {
  const words = COMMANDS[command]!.takes.map(([name]) =>
    name.endsWith('?') ? `[${name.slice(0, -1)}]` : `<${name}>`,
  )
  return [command, ...words].join(' ')
}

/** For `--help`. */
export function describeCommands(): string {
  return Object.entries(COMMANDS)
    .map(([command, { does }]) => `  ${usageOf(command).padEnd(38)}${does}`)
    .join('\n')
}
