/**
 * What a crontab is, and the one strict reader of it: the form, the API, code, SQL and the beat all read through here, so what was
 * saved can be run. A crontab keeps the text its user wrote; what the text means is computed from it, as cron-parser's
 * CronFieldCollection. (cron-parser's own parser guesses where we refuse, and its next() is not used: see crontab-clock.ts.)
 *
 * Every wrong field gets its own fault. What can never fire (31 February) is refused too, at the day, which is what to mend.
 */
import {
  CronDayOfMonth,
  CronDayOfWeek,
  CronFieldCollection,
  CronHour,
  CronMinute,
  CronMonth,
  CronSecond,
} from 'cron-parser'
import { ScheduleError, type Fault } from '../errors.ts'
import { CRONTAB_FIELDS, FIELD_NAMES, readField, type FieldName } from './crontab-field.ts'
import { checkZone, nameZone } from './zone-names.ts'

export interface CrontabSpec {
  kind: 'crontab'
  minute: string
  hour: string
  day_of_month: string
  month_of_year: string
  day_of_week: string
  /** An IANA name. */
  timezone: string
  /** celery: the day of the month AND the weekday must match. cron: where both are restricted, one of them is enough. */
  mode: 'celery' | 'cron'
}

type FieldValues = Record<FieldName, number[]>

const MODES = ['celery', 'cron'] as const
const KEYS: readonly string[] = ['kind', ...FIELD_NAMES, 'timezone', 'mode']
const LONGEST_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** The spec an object stands for, missing fields filled in (`zone` for a missing timezone); or a fault for every wrong place. */
export function readCrontab(
  value: Record<string, unknown>,
  pointer: string,
  zone: string,
): { spec: CrontabSpec } | { faults: Fault[] } {
  const faults: Fault[] = []
  const fail = (key: string, detail: string): number =>
    faults.push({ pointer: `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, detail })

  for (const key of Object.keys(value))
    if (!KEYS.includes(key)) fail(key, `is no part of a crontab (${KEYS.join(', ')})`)
  if (value.kind !== undefined && value.kind !== 'crontab') fail('kind', 'must be "crontab"')
  const texts = {} as Record<FieldName, string>
  for (const name of FIELD_NAMES) {
    const text = textOf(value[name])
    if (text === null)
      fail(name, `must be ${CRONTAB_FIELDS[name].allowed}: it is ${JSON.stringify(value[name])}`)
    texts[name] = text ?? '*'
  }
  const timezone = value.timezone === undefined ? zone : value.timezone
  const zoneFault = checkZone(typeof timezone === 'string' ? timezone.trim() : '')
  if (zoneFault) fail('timezone', zoneFault)
  const mode = value.mode === undefined ? 'celery' : MODES.find((known) => known === value.mode)
  if (!mode) fail('mode', 'must be "celery" (both day fields must match) or "cron" (either is enough)')

  const spec: CrontabSpec = {
    kind: 'crontab',
    ...texts,
    timezone: String(timezone).trim(),
    mode: mode ?? 'celery',
  }
  const read = readFields(spec)
  if ('faults' in read) for (const { name, detail } of read.faults) fail(name, detail)
  return faults.length > 0 ? { faults } : { spec: { ...spec, timezone: nameZone(spec.timezone) } }
}

/** What a spec's texts mean. A ScheduleError if they mean nothing, which readCrontab would have said. */
export function fieldsOf(spec: CrontabSpec): CronFieldCollection {
  const read = readFields(spec)
  if ('values' in read) return collect(read.values, isEitherDay(spec))
  const faults = read.faults.map(({ name, detail }) => ({ pointer: `/${name}`, detail }))
  const [{ name, detail }] = read.faults as [FieldFault]
  throw new ScheduleError('RB_SCHEDULE_INVALID', `The crontab cannot run: ${name} ${detail}.`, faults)
}

/** True where cron's rule is asked for and applies: both day fields are restricted, and a match of either is enough. */
export function isEitherDay({ mode, day_of_month, day_of_week }: CrontabSpec): boolean {
  return mode === 'cron' && !day_of_month.startsWith('*') && !day_of_week.startsWith('*')
}

/** True when minute or hour begins with `*`: such a job follows the clock through its changes, others run once for each wall time. */
export function isWildcard({ minute, hour }: CrontabSpec): boolean {
  return minute.startsWith('*') || hour.startsWith('*')
}

/** A field as JSON gives it: text, a number or a list of numbers; missing is every value, null nothing that can be read. */
function textOf(given: unknown): string | null {
  if (given === undefined) return '*'
  if (typeof given === 'string') return given.trim()
  const numbers = Array.isArray(given) ? given : [given]
  return numbers.every((number) => typeof number === 'number') ? numbers.join(',') : null
}

interface FieldFault {
  name: FieldName
  detail: string
}

function readFields(spec: CrontabSpec): { values: FieldValues } | { faults: FieldFault[] } {
  const values = {} as FieldValues
  const faults: FieldFault[] = []
  for (const name of FIELD_NAMES) {
    const read = readField(CRONTAB_FIELDS[name], spec[name])
    if ('fault' in read) faults.push({ name, detail: read.fault })
    else values[name] = read.values
  }
  if (faults.length > 0) return { faults }
  const never = isEitherDay(spec) ? null : findNever(values)
  return never ? { faults: [{ name: 'day_of_month', detail: never }] } : { values }
}

/** Why month and day never meet, or null. No other two fields can miss each other: every date comes on every weekday. */
function findNever({ month_of_year, day_of_month }: FieldValues): string | null {
  const [first] = day_of_month as [number]
  if (month_of_year.some((month) => first <= LONGEST_MONTH[month - 1]!)) return null
  const names = month_of_year.map((month) => CRONTAB_FIELDS.month_of_year.names[month - 1])
  return `must be a day that comes: there is no ${first} in ${names.join(', ')}`
}

type Values<Field extends new (values: never) => unknown> = ConstructorParameters<Field>[0]

function collect(values: FieldValues, isEither: boolean): CronFieldCollection {
  // Its weekdays are 0-7, so it has to be told what a whole week is; beside a day that never comes it takes none (31 2 0-6).
  const isWholeWeek = values.day_of_week.length === 7 && !isEither
  return new CronFieldCollection({
    second: new CronSecond([0]),
    minute: new CronMinute(values.minute as Values<typeof CronMinute>),
    hour: new CronHour(values.hour as Values<typeof CronHour>),
    dayOfMonth: new CronDayOfMonth(values.day_of_month as Values<typeof CronDayOfMonth>),
    month: new CronMonth(values.month_of_year as Values<typeof CronMonth>),
    dayOfWeek: new CronDayOfWeek(values.day_of_week as Values<typeof CronDayOfWeek>, {
      rawValue: '',
      wildcard: isWholeWeek,
    }),
  })
}
