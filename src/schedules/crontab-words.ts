/**
 * A crontab in plain words, by cronstrue, in English and the 24-hour clock. cronstrue believes what it is given, so it gets only
 * what the strict reader understood, as canonical text, and not the kinds that it words misleadingly: steps that begin anew every
 * hour, day or month ("every 7 minutes", with 56 and 0 next to each other), several minutes of single hours ("every minute, at
 * 09:00 and 17:00"), and a range of weekdays beside a day of the month, where AND and OR would read the same.
 *
 * The time of the day and the days are worded apart and joined.
 */
import cronstrue from 'cronstrue'
import { fieldsOf, isEitherDay, type CrontabSpec } from './crontab-spec.ts'

/** A field as values and as canonical text. */
interface Part {
  readonly values: readonly number[]
  readonly text: string
}

/** So many times of the day are listed; more are described. */
const TIMES_LISTED = 6

/** Such as "at 03:00" or "every 15 minutes, Monday through Friday". The time zone is not part of it. */
export function describeCrontab(spec: CrontabSpec): string {
  const fields = fieldsOf(spec)
  const texts = fields.stringify().split(' ')
  const part = (index: number, values: readonly unknown[]): Part => ({
    values: values as number[],
    text: texts[index]!.includes('/') ? values.join(',') : texts[index]!,
  })
  const time = wordTime(part(0, fields.minute.values), part(1, fields.hour.values))
  const days = wordDays(
    part(2, fields.dayOfMonth.values),
    part(3, fields.month.values),
    part(4, fields.dayOfWeek.values),
    isEitherDay(spec),
  )
  return time.charAt(0).toLowerCase() + time.slice(1) + days
}

function wordTime(minutes: Part, hours: Part): string {
  const times = hours.values.flatMap((hour) => minutes.values.map((minute) => clock(hour, minute)))
  if (times.length <= TIMES_LISTED) return `at ${list(times)}`
  const minute = evenStep(minutes, 60, minutes.text)
  const [first, last] = [hours.values[0]!, hours.values.at(-1)!]
  const isStretch = last - first === hours.values.length - 1 && (last > first || !minute.includes(','))
  if (isStretch) return word(`${minute} ${hours.text} * * *`)
  if (minutes.values.length === 1)
    return word(`${minute} ${evenStep(hours, 24, hours.values.join(','))} * * *`)
  const starts = list(hours.values.map((hour) => clock(hour, 0)))
  return `${word(`${minute} * * * *`)}, in the hour${last > first ? 's' : ''} of ${starts}`
}

/** What follows the time, such as ", on day 13 of the month, only on Friday", or nothing. */
function wordDays(dates: Part, months: Part, weekdays: Part, isEither: boolean): string {
  const isEveryDate = dates.values.length === 31
  const isEveryWeekday = weekdays.values.length === 7
  const isEveryDay = isEither ? isEveryDate || isEveryWeekday : isEveryDate && isEveryWeekday
  const date = isEveryDay || isEveryDate ? '*' : dates.text
  const weekday =
    isEveryDay || isEveryWeekday ? '*' : date === '*' ? weekdays.text : weekdays.values.join(',')
  const words = word(`0 0 ${date} ${months.text} ${weekday}`, !isEither).replace('At 00:00', '')
  return words.replace(', and on ', ' or on ')
}

/** A step from 0 that meets its own beginning when the hour or the day is over, so that it may be called "every n"; or `text`. */
function evenStep({ values }: Part, cycle: number, text: string): string {
  const step = cycle / values.length
  const isEven = Number.isInteger(step) && values.every((value, index) => value === index * step)
  return isEven && step > 1 && values.length > 1 ? `*/${step}` : text
}

const word = (line: string, logicalAndDayFields = true): string =>
  cronstrue.toString(line, { use24HourTimeFormat: true, logicalAndDayFields })

const clock = (hour: number, minute: number): string =>
  `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`

/** "a", "a and b", "a, b and c". */
const list = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
