/**
 * Figures as people read them: a length of time, how long ago, a count. Pure, in the language it is given.
 */
const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
]

/** What every language in Latin letters writes; the others have their own. */
const SYMBOLS = { millisecond: 'ms', second: 's', minute: 'min', hour: 'h', day: 'd' } as const
const LATIN = /^(?:de|en|es|it|pl|pt)\b/

/** `450 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function durationText(seconds: number, language = 'en'): string {
  const tell = (value: number, unit: keyof typeof SYMBOLS, digits = 0): string =>
    LATIN.test(language)
      ? `${numberText(value, language, digits)} ${SYMBOLS[unit]}`
      : new Intl.NumberFormat(language, {
          style: 'unit',
          unit,
          unitDisplay: 'short',
          maximumFractionDigits: digits,
        }).format(value)
  const pair = (
    whole: number,
    unit: 'minute' | 'hour' | 'day',
    rest: number,
    small: 'second' | 'minute' | 'hour',
  ) => (rest === 0 ? tell(whole, unit) : `${tell(whole, unit)} ${tell(rest, small)}`)
  const sign = seconds < 0 ? '-' : ''
  const length = Math.abs(seconds)
  if (length < 0.001) return tell(0, 'second')
  if (length < 0.9995) return sign + tell(Math.round(length * 1000), 'millisecond')
  if (length < 59.995) return sign + tell(length, 'second', length < 10 ? 2 : 1)
  const whole = Math.round(length)
  if (whole < 3600) return sign + pair(Math.floor(whole / 60), 'minute', whole % 60, 'second')
  if (whole < 86_400)
    return sign + pair(Math.floor(whole / 3600), 'hour', Math.floor((whole % 3600) / 60), 'minute')
  return sign + pair(Math.floor(whole / 86_400), 'day', Math.floor((whole % 86_400) / 3600), 'hour')
}

/** `3 minutes ago`, `in 2 days`. */
export function relativeText(atMs: number, nowMs: number, language: string): string {
  const seconds = (atMs - nowMs) / 1000
  const [unit, size] =
    UNITS.find(([, length]) => Math.abs(seconds) >= length * 0.95) ?? UNITS[UNITS.length - 1]!
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(Math.round(seconds / size), unit)
}

/** The whole instant in the viewer's zone, or another. */
export function absoluteText(at: string, language: string, timeZone?: string): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return at
  return new Intl.DateTimeFormat(language, {
    dateStyle: 'medium',
    timeStyle: 'long',
    ...(timeZone ? { timeZone } : {}),
  }).format(date)
}

/** `1,234`; past 100,000 `123K`. A count that was capped has a plus behind. */
export function countText(count: number, language: string, capped = false): string {
  const format: Intl.NumberFormatOptions =
    count >= 100_000 ? { notation: 'compact', maximumFractionDigits: 1 } : { maximumFractionDigits: 2 }
  return `${new Intl.NumberFormat(language, format).format(count)}${capped ? '+' : ''}`
}

/** `12.3 MB`. */
export function bytesText(bytes: number, language = 'en'): string {
  const step = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  return `${numberText(bytes / 1000 ** step, language, step === 0 ? 0 : 1)} ${['B', 'kB', 'MB', 'GB', 'TB'][step]}`
}

function numberText(value: number, language: string, digits: number): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, useGrouping: false }).format(value)
}
