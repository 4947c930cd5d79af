/**
 * Keys that stand for a command: one (`/`, `?`), with Control or Command held (`k`), or one after another (`g r`). Pure: it is told what was pressed
 * and when, and answers the command. Typing into a field is never a command, save for Ctrl-K.
 */
export interface Pressed {
  key: string
  /** Control or Command. */
  held: boolean
  /** Alt, or whatever makes it another key. */
  other: boolean
  typing: boolean
  atMs: number
}

export interface Chords {
  /** Null: not ours. */
  press(pressed: Pressed): string | null
}

const PAUSE_MS = 1200

/** `commands`: as in `{ '/': 'search', 'ctrl+k': 'search', 'g r': 'go:/runs' }`. */
export function createChords(commands: Readonly<Record<string, string>>): Chords {
  let first: { key: string; atMs: number } | null = null
  const starts = new Set(
    Object.keys(commands)
      .filter((chord) => chord.includes(' '))
      .map((chord) => chord.split(' ')[0]!),
  )
  return {
    press({ key, held, other, typing, atMs }) {
      if (other) return null
      if (held) return commands[`ctrl+${key.toLowerCase()}`] ?? null
      if (typing) {
        first = null
        return null
      }
      const chord = first && atMs - first.atMs <= PAUSE_MS ? `${first.key} ${key}` : null
      first = null
      if (chord && commands[chord]) return commands[chord]
      if (starts.has(key)) {
        first = { key, atMs }
        return null
      }
      return commands[key] ?? null
    },
  }
}
