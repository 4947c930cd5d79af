/**
 * The commands as a shell needs to know them: for each its members, its flags, and what kind of thing stands at each place, read from
 * the very tree that parses the command line, so that completion knows what the command knows.
 */
import type { Argument, Command, Option } from 'commander'
import { ROLES, SCOPES } from '../../auth/scopes.ts'
import { RUN_STATES } from '../../results/run.ts'

/** Names that only the database knows, words that are fixed, files, or nothing that could be offered. */
export type Kind = 'tasks' | 'queues' | 'workers' | 'schedules' | 'folder' | 'none' | readonly string[]

export const NAMED = ['tasks', 'queues', 'workers', 'schedules'] as const

export interface FlagNode {
  /** As in `--queues` and `-Q`. */
  words: string[]
  /** null: it takes no value. */
  value: Kind | null
  does: string
}

export interface Node {
  /** As in `runs show`; the program itself is empty. */
  path: string
  does: string
  members: { name: string; does: string }[]
  flags: FlagNode[]
  places: Kind[]
  /** The last place is taken by any number of words. */
  isEndless: boolean
}

const ASPECTS = [
  'active',
  'active_queues',
  'ping',
  'registered',
  'report',
  'reserved',
  'revoked',
  'scheduled',
  'stats',
]
const SHELLS = ['bash', 'zsh', 'fish']

const FLAGS: Readonly<Record<string, Kind>> = {
  task: 'tasks',
  queue: 'queues',
  destination: 'workers',
  schedule: 'schedules',
  dataDir: 'folder',
  state: RUN_STATES,
  scope: ['*', ...SCOPES],
  role: ROLES,
  onConflict: ['keep', 'replace', 'reject'],
  uniqueWhile: ['queued', 'unfinished'],
  format: ['csv', 'json', 'ndjson'],
}

const PLACES: Readonly<Record<string, Kind>> = {
  task: 'tasks',
  queue: 'queues',
  queues: 'queues',
  to: 'queues',
  schedule: 'schedules',
  what: ASPECTS,
  shell: SHELLS,
}

/** Every command, the program itself first. */
export function readTree(program: Command): Node[] {
  const visit = (command: Command, path: string): Node[] => {
    const help = command.createHelp()
    const members = help.visibleCommands(command).filter((one) => one.name() !== 'help')
    const node: Node = {
      path,
      does: command.description(),
      members: members.map((one) => ({ name: one.name(), does: one.description() })),
      flags: help.visibleOptions(command).map(flagOf),
      places: command.registeredArguments.map((argument) => placeOf(argument, path)),
      isEndless: command.registeredArguments.at(-1)?.variadic ?? false,
    }
    return [node, ...members.flatMap((one) => visit(one, `${path} ${one.name()}`.trim()))]
  }
  return visit(program, '')
}

function flagOf(option: Option): FlagNode {
  const words = [option.long, option.short].filter((word) => word !== undefined)
  const takes = option.required || option.optional
  return {
    words,
    value: takes ? (FLAGS[option.attributeName()] ?? 'none') : null,
    does: option.description,
  }
}

function placeOf(argument: Argument, path: string): Kind {
  if (path === 'workers' && argument.name() === 'name') return 'workers'
  if (path === 'tasks' && argument.name() === 'name') return 'tasks'
  return PLACES[argument.name()] ?? 'none'
}
