/**
 * Completion for zsh. One function finds the command in the words of the line and offers what may follow, with what it does.
 */
import type { FlagNode, Kind, Node } from './tree.ts'

export function zshScript(nodes: readonly Node[]): string {
  return `#compdef rowbeat
# Completion of rowbeat for zsh: source <(rowbeat completion zsh), after compinit
_rowbeat_offer() {
  case "$1" in
    @tasks|@queues|@workers|@schedules) compadd -- \${(f)"$(rowbeat completion \${1#@} 2>/dev/null)"};;
    @folder) _files -/;;
    @none|'') _default;;
    *) compadd -- \${(s: :)1};;
  esac
}
_rowbeat() {
  local at='' takes='' word key i place=0
  local -A members value places
  local -a flags names
  members=(
${nodes
  .filter(({ members: some }) => some.length > 0)
  .map(
    ({ path, members: some }) =>
      `    ${quoted(path || '.')} ${quoted(some.map(({ name }) => name).join(' '))}`,
  )
  .join('\n')}
  )
  value=(
${nodes
  .flatMap(({ path, flags }) =>
    flags
      .filter(({ value }) => value !== null)
      .flatMap(({ words, value }) =>
        words.map((word) => `    ${quoted(`${path || '.'}|${word}`)} ${quoted(told(value!))}`),
      ),
  )
  .join('\n')}
  )
  places=(
${nodes
  .flatMap(({ path, places, isEndless }) =>
    [...places.entries(), ...(isEndless ? [['more', places.at(-1)!] as const] : [])].map(
      ([at, kind]) => `    ${quoted(`${path || '.'}|${at}`)} ${quoted(told(kind))}`,
    ),
  )
  .join('\n')}
  )
  at='.'
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $takes ]]; then takes=''; continue; fi
    if [[ $word == -* ]]; then key="$at|$word"; takes=\${value[$key]}; continue; fi
    if (( place == 0 )) && [[ " $members[$at] " == *" $word "* ]]; then
      if [[ $at == . ]]; then at=$word; else at="$at $word"; fi
    else (( place++ )); fi
  done
  if [[ -n $takes ]]; then _rowbeat_offer $takes; return; fi
  if [[ $words[CURRENT] == -* ]]; then
    case $at in
${nodes.map(({ path, flags }) => `      ${quoted(path || '.')}) flags=(${flags.flatMap(described).join(' ')});;`).join('\n')}
    esac
    _describe 'flag' flags; return
  fi
  if (( place == 0 )) && [[ -n $members[$at] ]]; then
    case $at in
${nodes
  .filter(({ members: some }) => some.length > 0)
  .map(
    ({ path, members: some }) =>
      `      ${quoted(path || '.')}) names=(${some.map(({ name, does }) => quoted(`${name}:${does}`)).join(' ')});;`,
  )
  .join('\n')}
    esac
    _describe 'command' names; return
  fi
  key="$at|$place"
  word=\${places[$key]}
  key="$at|more"
  _rowbeat_offer "\${word:-\${places[$key]}}"
}
if [[ $funcstack[1] == _rowbeat ]]; then _rowbeat "$@"; else compdef _rowbeat rowbeat; fi`
}

function described({ words, does }: FlagNode): string[] {
  return words.map((word) => quoted(`${word}:${does}`))
}

function told(kind: Kind): string {
  return typeof kind === 'string' ? `@${kind}` : kind.join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
