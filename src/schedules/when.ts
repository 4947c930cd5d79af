/**
 * The words in which code says when: `every('15 minutes')`, `cron('0 3 * * *')`, `solar('sunset', place)`, `at(instant)`. Each gives
 * REST's schedule object, a plain frozen value, read by the same strict reader as every other. What is wrong throws
 * where it is written. A crontab that names no zone leaves it open: the default zone belongs to the process that declares it.
 */
import { isObject } from '../check.ts'
import { parseDuration, type Duration } from '../duration.ts'
import { ScheduleError, type Fault } from '../errors.ts'
import type { CrontabSpec } from './crontab.ts'
import { parseCronLine, readCrontab } from './crontab.ts'
import { momentText, type ClockedSpec } from './clocked.ts'
import { PERIOD_MS, readInterval, type IntervalSpec } from './interval.ts'
import { readSolar, type SolarEvent, type SolarSpec } from './solar.ts'

/** When a schedule that code declares is due. */
export type When = Readonly<IntervalSpec | SolarSpec | ClockedSpec | CronWhen>
type CronWhen = { kind: 'crontab' } & Partial<Omit<CrontabSpec, 'kind'>>

type CalendarUnit = 'month' | 'months' | 'year' | 'years'
/** Seconds as a number, or text such as `'15 minutes'`, `'1 month'`; anything else does not compile. */
export type Every = Duration | `${number}${CalendarUnit}` | `${number} ${CalendarUnit}`

/**
 * An interval from 100 ms to 100 years. It counts from the schedule's `anchorAt`, by default its start. Throws
 * ScheduleError.
 */
export function every(interval: Every): When {
  const refuse = (detail: string): never => {
    throw refusal(`every(${JSON.stringify(interval)}) ${detail}`)
  }
  const [, number, unit] =
    /^ ?(\d+) ?(month|year)s?$/.exec(typeof interval === 'string' ? interval : '') ?? []
  const spec =
    unit === undefined ? fromMs(parseDuration(interval)) : { every: Number(number), period: `${unit}s` }
  if (spec === null)
    return refuse(
      'is no interval: give seconds as a number, or text such as "15 minutes", "1 day", "2 months".',
    )
  const read = readInterval(spec, '')
  return 'spec' in read ? Object.freeze(read.spec) : refuse(`${read.faults[0]!.detail}.`)
}

/** In the largest unit that has a whole number of them: `every(3600)` and `every('60 minutes')` are one schedule. */
function fromMs(ms: number | null): { every: number; period: string } | null {
  if (ms === null) return null
  const whole = Object.entries(PERIOD_MS).findLast(([, unitMs]) => ms % unitMs === 0)
  return whole ? { every: ms / whole[1], period: whole[0] } : null
}

export type CronAlias = '@yearly' | '@annually' | '@monthly' | '@weekly' | '@daily' | '@midnight' | '@hourly'
/** Five fields, or an alias; `'* * * *'` and `'@dayly'` do not compile. A text that is not known before it runs does. */
export type CronLine = `${string} ${string} ${string} ${string} ${string}` | CronAlias
type LineOf<Line> = Line extends string
  ? string extends Line
    ? Line
    : Line extends CronLine
      ? Line
      : CronLine
  : CronFields

export type CronField = string | number | readonly (string | number)[]
/** What is left out is `*`. */
export interface CronFields {
  minute?: CronField
  hour?: CronField
  dayOfMonth?: CronField
  monthOfYear?: CronField
  /** 0 and 7 are Sunday; names too. */
  dayOfWeek?: CronField
}

export interface CronOptions {
  /** An IANA name such as Europe/Kyiv; default ROWBEAT_TIMEZONE. */
  timezone?: string
  /** celery (default): a day must match day of month and day of week. cron: where both are given, one of them. */
  mode?: 'celery' | 'cron'
}

const CRON_FIELDS: Readonly<Record<keyof CronFields, string>> = {
  minute: 'minute',
  hour: 'hour',
  dayOfMonth: 'day_of_month',
  monthOfYear: 'month_of_year',
  dayOfWeek: 'day_of_week',
}

/** A crontab, as a line or by its fields. Throws ScheduleError. */
export function cron<const Line extends string | CronFields>(
  line: LineOf<Line>,
  options: CronOptions = {},
): When {
  const what = `cron(${JSON.stringify(line)})`
  const given = { ...cronFields(line, what), ...known(options, ['timezone', 'mode'], what) }
  const read = readCrontab({ kind: 'crontab', ...given }, '', 'UTC')
  if ('faults' in read) throw refusal(`${what}: ${tell(read.faults[0]!)}.`, read.faults)
  const { timezone, ...open } = read.spec
  return Object.freeze(options.timezone == null ? open : { ...open, timezone })
}

function cronFields(line: unknown, what: string): Record<string, unknown> {
  if (typeof line === 'string') {
    const parsed = parseCronLine(line)
    if ('fault' in parsed) throw refusal(`${what}: ${parsed.fault}.`)
    return { ...parsed.fields }
  }
  if (!isObject(line))
    throw refusal(`${what}: give five fields such as "0 3 * * *", an alias, or { minute, hour }.`)
  const fields = known(line, Object.keys(CRON_FIELDS), what)
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      CRON_FIELDS[key as keyof CronFields],
      Array.isArray(value) ? value.join(',') : typeof value === 'number' ? String(value) : value,
    ]),
  )
}

/** An event of the sun at a place, in degrees, north and east positive. Throws ScheduleError. */
export function solar(event: SolarEvent, place: { latitude: number; longitude: number }): When {
  const read = readSolar({ event, ...place }, '')
  if ('spec' in read) return Object.freeze(read.spec)
  throw refusal(`solar(${JSON.stringify(event)}): ${tell(read.faults[0]!)}.`, read.faults)
}

/** One instant, once: a Date, or RFC 3339 text with its offset. Throws ScheduleError. */
export function at(instant: Date | string): When {
  const text = instant instanceof Date && !Number.isNaN(instant.getTime()) ? instant.toISOString() : instant
  const moment = momentText(text)
  if (moment !== null) return Object.freeze({ kind: 'clocked', at: moment })
  throw refusal(`at(${String(instant)}): give a Date, or an instant such as "2026-01-31T12:00:00Z".`)
}

function known(value: unknown, names: readonly string[], what: string): Record<string, unknown> {
  const entries = Object.entries((value ?? {}) as object).filter(([, entry]) => entry != null)
  const unknown = entries.find(([key]) => !names.includes(key))
  if (unknown) throw refusal(`${what}: "${unknown[0]}" is not known; known are ${names.join(', ')}.`)
  return Object.fromEntries(entries)
}

function tell({ pointer, detail }: Fault): string {
  return `${pointer.slice(1)} ${detail}`.trim()
}

function refusal(message: string, faults: readonly Fault[] = []): ScheduleError {
  return new ScheduleError('RB_SCHEDULE_INVALID', message, faults)
}
