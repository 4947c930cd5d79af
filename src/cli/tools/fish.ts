/** Completion for fish: one line for each command and flag, which hold where their command was typed. */
import type { Kind, Node } from './tree.ts'

export function fishScript(nodes: readonly Node[]): string {
  const lines = nodes.flatMap((node) => [...memberLines(node), ...flagLines(node), ...placeLines(node)])
  return `# Completion of rowbeat for fish: rowbeat completion fish | source
function __rowbeat_at
  set -l typed (commandline -opc)
  set -l path
  for word in $typed[2..]
    string match -q -- '-*' $word; or set -a path $word
  end
  set -l wanted (string split -n ' ' -- $argv[1])
  test (count $path) -ge (count $wanted); or return 1
  for at in (seq (count $wanted))
    test "$path[$at]" = "$wanted[$at]"; or return 1
  end
  return 0
end
complete -c rowbeat -f
${lines.join('\n')}`
}

function memberLines({ path, members }: Node): string[] {
  const names = members.map(({ name }) => name).join(' ')
  const condition = `__rowbeat_at ${quoted(path)}; and not __fish_seen_subcommand_from ${names}`
  return members.map(
    ({ name, does }) => `complete -c rowbeat -n ${quoted(condition)} -a ${quoted(name)} -d ${quoted(does)}`,
  )
}

function flagLines({ path, flags }: Node): string[] {
  return flags.map(({ words, value, does }) => {
    const names = words.map((word) => (word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`))
    const takes = value === null ? '' : ` -x${offer(value)}`
    return `complete -c rowbeat -n ${quoted(`__rowbeat_at ${quoted(path)}`)} ${names.join(' ')}${takes} -d ${quoted(does)}`
  })
}

function placeLines({ path, places }: Node): string[] {
  const offered = places.map(offer).filter(Boolean)
  return offered.map((words) => `complete -c rowbeat -n ${quoted(`__rowbeat_at ${quoted(path)}`)}${words}`)
}

function offer(kind: Kind): string {
  if (kind === 'none') return ''
  if (kind === 'folder') return " -a '(__fish_complete_directories)'"
  if (typeof kind === 'string') return ` -a '(rowbeat completion ${kind} 2>/dev/null)'`
  return ` -a ${quoted(kind.join(' '))}`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
