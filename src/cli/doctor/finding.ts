/** What a doctor says: one line for each thing that was looked at, and of what is not well, how to mend it. */

export interface Finding {
  /** What was looked at, in a word or two. */
  check: string
  level: 'ok' | 'warn' | 'fail'
  message: string
  /** null: nothing is to be done. */
  cure: string | null
}

export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, cure: null }
}

export function warn(check: string, message: string, cure: string): Finding {
  return { check, level: 'warn', message, cure }
}

export function fail(check: string, message: string, cure: string): Finding {
  return { check, level: 'fail', message, cure }
}

/** `3.2 s`, `4 min`, `2 h`, `5 d`. */
export function spanOf(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

export function sizeOf(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  const step = bytes <= 0 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 2 ** (10 * step)
  return `${value >= 10 || step === 0 ? Math.round(value) : value.toFixed(1)} ${units[step]}`
}

/** The first few by name, and how many more. */
export function someOf(names: readonly string[]): string {
  const [shown, rest] = [names.slice(0, 5), names.length - 5]
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ')
}

/** `1 run`, `2 runs`, `2 processes`. */
export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`
}
