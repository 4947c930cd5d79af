/**
 * The terminal while top has it: the alternate screen, no cursor, keys as they are pressed. However the process ends, but for
 * kill -9, the terminal is given back as it was: leaving is what the exit event does, and every signal leads there.
 */
import type { Line, Room } from './frame.ts'
import { keysIn } from './view.ts'

export interface Screen {
  room(): Room
  /** Only lines that changed are sent. */
  draw(lines: readonly Line[]): void
  /** Gives the terminal back and stops, as Ctrl-Z does; `fg` brings it back. */
  suspend(): void
  close(): void
}

export interface Listeners {
  onKeys(keys: readonly string[]): void
  /** The size is another, or the screen was away: draw anew. */
  onChange(): void
  /** A signal, or nobody there any more. */
  onEnd(): void
}

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J'
const LEAVE = '\u001b[0m\u001b[?25h\u001b[?1049l'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function openScreen({ onKeys, onChange, onEnd }: Listeners, hasColors: boolean): Screen {
  const { stdin, stdout } = process
  let isOpen = false
  let last: string[] = []

  const hear = (data: string): void => onKeys(keysIn(data))
  const enter = (): void => {
    if (isOpen) return
    isOpen = true
    last = []
    stdout.write(ENTER)
    if (stdin.isTTY) stdin.setRawMode(true)
  }
  const leave = (): void => {
    if (!isOpen) return
    isOpen = false
    if (stdin.isTTY) stdin.setRawMode(false)
    stdout.write(LEAVE)
  }
  const again = (): void => {
    enter()
    onChange()
  }
  const resized = (): void => {
    last = []
    stdout.write('\u001b[2J')
    onChange()
  }

  enter()
  if (stdin.isTTY) stdin.setEncoding('utf8').on('data', hear).on('error', onEnd).resume()
  stdout.on('resize', resized).on('error', onEnd)
  process.on('exit', leave).on('SIGCONT', again)
  for (const signal of SIGNALS) process.on(signal, onEnd)

  return {
    room: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    draw(lines) {
      const painted = lines.map((line) => paint(line, hasColors))
      const changed = painted.flatMap((text, at) =>
        text === last[at] ? [] : [`\u001b[${at + 1};1H${text}\u001b[0m\u001b[K`],
      )
      last = painted
      if (isOpen && changed.length > 0) stdout.write(changed.join(''))
    },
    suspend() {
      leave()
      // The whole group, as a terminal does: with a launcher before us the shell waits for that one.
      process.kill(0, 'SIGTSTP')
    },
    close() {
      leave()
      stdin.off('data', hear).off('error', onEnd).pause()
      stdout.off('resize', resized)
      process.off('exit', leave).off('SIGCONT', again)
      for (const signal of SIGNALS) process.off(signal, onEnd)
    },
  }
}

const STYLES: Readonly<Record<Line['style'], string>> = {
  plain: '',
  head: '\u001b[1m',
  bad: '\u001b[31m',
  dim: '\u001b[2m',
  chosen: '\u001b[7m',
}

function paint({ text, style }: Line, hasColors: boolean): string {
  return style === 'bad' && !hasColors ? text : STYLES[style] + text
}
