/**
 * Completion for bash 3.2 and newer (macOS still has it: no associative arrays). The words of the line say which command it is; what
 * may follow is looked up by its path.
 */
import type { Kind, Node } from './tree.ts'

/** What is the same whatever commands there are. */
const REST = `_rowbeat_offer() {
  local IFS=$' \\t\\n' word
  case "$1" in
    @tasks|@queues|@workers|@schedules)
      IFS=$'\\n'
      for word in $(rowbeat completion "\${1#@}" 2>/dev/null); do
        case "$word" in "$2"*) COMPREPLY+=("$(printf '%q' "$word")");; esac
      done;;
    @folder) COMPREPLY=($(compgen -d -- "$2"));;
    @none|'') ;;
    *) set -f; COMPREPLY=($(compgen -W "$1" -- "$2")); set +f;;
  esac
}
_rowbeat() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path='' place=0 i word takes='' known
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [ -n "$takes" ]; then takes=''; continue; fi
    case "$word" in
      --) takes=''; continue;;
      -*=*) continue;;
      -*) takes="$(_rowbeat_value "$path" "$word")"; continue;;
    esac
    known=''
    if [ "$place" -eq 0 ]; then
      case " $(_rowbeat_members "$path") " in *" $word "*) known=1;; esac
    fi
    if [ -n "$known" ]; then path="\${path:+$path }$word"; else place=$((place + 1)); fi
  done
  if [ -n "$takes" ]; then _rowbeat_offer "$takes" "$cur"; return; fi
  case "$cur" in
    -*) _rowbeat_offer "$(_rowbeat_flags "$path")" "$cur"; return;;
  esac
  word=''
  [ "$place" -eq 0 ] && word="$(_rowbeat_members "$path")"
  if [ -n "$word" ]; then _rowbeat_offer "$word" "$cur"; else _rowbeat_offer "$(_rowbeat_place "$path" "$place")" "$cur"; fi
}
complete -o default -F _rowbeat rowbeat`

export function bashScript(nodes: readonly Node[]): string {
  return `# Completion of rowbeat for bash: source <(rowbeat completion bash)
_rowbeat_members() {
  case "$1" in
${nodes
  .filter(({ members }) => members.length > 0)
  .map(({ path, members }) => `    '${path}') echo '${members.map(({ name }) => name).join(' ')}';;`)
  .join('\n')}
  esac
}
_rowbeat_flags() {
  case "$1" in
${nodes.map(({ path, flags }) => `    '${path}') echo '${flags.flatMap(({ words }) => words).join(' ')}';;`).join('\n')}
  esac
}
# What follows a flag: a kind of name, words, or nothing that is known. Without an answer it takes no value.
_rowbeat_value() {
  case "$1|$2" in
${nodes
  .flatMap(({ path, flags }) =>
    flags
      .filter(({ value }) => value !== null)
      .map(
        ({ words, value }) =>
          `    ${words.map((word) => `'${path}|${word}'`).join('|')}) echo '${told(value!)}';;`,
      ),
  )
  .join('\n')}
  esac
}
# What stands at a place, counted from 0.
_rowbeat_place() {
  case "$1|$2" in
${nodes
  .flatMap(({ path, places, isEndless }) =>
    places.map((kind, at) => {
      const isLast = isEndless && at === places.length - 1
      return `    '${path}|'${isLast ? '*' : `'${at}'`}) echo '${told(kind)}';;`
    }),
  )
  .join('\n')}
  esac
}
${REST}`
}

function told(kind: Kind): string {
  return typeof kind === 'string' ? `@${kind}` : kind.join(' ')
}
