/**
 * The wall calendar of a crontab: which minutes on a wall clock match its fields, and the nearest one before or after any time. No
 * zone is known here, every day has 24 hours; crontab-clock.ts finds the instants at which a real clock shows them.
 *
 * Times of the day are a sorted list. Days are searched a month at a time, as a mask of 31 bits: the fields' days of the month,
 * met or joined with their weekdays as they fall in a month that begins on that weekday. A shift drops the days too early or
 * too late; the nearest bit left is the answer.
 */
import type { CronFieldCollection } from 'cron-parser'

/** Wall times are milliseconds, as if the wall's clock were UTC. */
export interface WallCalendar {
  /** The first match at or after a wall time; null if a century has none. */
  atOrAfter(wall: number): number | null
  atOrBefore(wall: number): number | null
}

const MINUTE = 60_000
const DAY = 86_400_000
/** 29 February on a Monday may be 40 years away, over 2100. */
const MONTHS_SEARCHED = 100 * 12
const ALL_DAYS = 0x7fff_ffff

export function createWallCalendar(fields: CronFieldCollection, isEitherDay: boolean): WallCalendar {
  const times = fields.hour.values.flatMap((hour) => fields.minute.values.map((minute) => hour * 60 + minute))
  const [firstTime, lastTime] = [times[0]!, times.at(-1)!]
  const months = new Set<number>(fields.month.values)
  const daysByStart = WEEK.map((start) => layDays(fields, start, isEitherDay))

  /** Matching days of a month, bit 0 being the 1st. */
  function daysOf(month: number, first: number): number {
    if (!months.has(remainder(month, 12) + 1)) return 0
    return daysByStart[weekdayOf(first)]! & (ALL_DAYS >>> (31 - (firstOf(month + 1) - first)))
  }

  function dayFrom(day: number): number | null {
    let month = monthOf(day)
    for (let tries = 0; tries < MONTHS_SEARCHED; tries++, month++) {
      const first = firstOf(month)
      const found = daysOf(month, first) & (tries === 0 ? ALL_DAYS << (day - first) : ALL_DAYS)
      if (found !== 0) return first + 31 - Math.clz32(found & -found)
    }
    return null
  }

  function dayUntil(day: number): number | null {
    let month = monthOf(day)
    for (let tries = 0; tries < MONTHS_SEARCHED; tries++, month--) {
      const first = firstOf(month)
      const found = daysOf(month, first) & (tries === 0 ? ALL_DAYS >>> (30 - (day - first)) : ALL_DAYS)
      if (found !== 0) return first + 31 - Math.clz32(found)
    }
    return null
  }

  return {
    atOrAfter(wall) {
      const minute = Math.ceil(wall / MINUTE)
      const today = Math.floor(minute / 1440)
      const time = times[countBelow(times, minute - today * 1440)]
      const day = dayFrom(time === undefined ? today + 1 : today)
      if (day === null) return null
      return day * DAY + (day === today ? time! : firstTime) * MINUTE
    },
    atOrBefore(wall) {
      const minute = Math.floor(wall / MINUTE)
      const today = Math.floor(minute / 1440)
      const time = times[countBelow(times, minute - today * 1440 + 1) - 1]
      const day = dayUntil(time === undefined ? today - 1 : today)
      if (day === null) return null
      return day * DAY + (day === today ? time! : lastTime) * MINUTE
    },
  }
}

const WEEK = [0, 1, 2, 3, 4, 5, 6]

/** The matching days of a month of 31 days that begins on the weekday `start`. */
function layDays({ dayOfMonth, dayOfWeek }: CronFieldCollection, start: number, isEither: boolean): number {
  const [dates, weekdays] = [new Set<unknown>(dayOfMonth.values), new Set<unknown>(dayOfWeek.values)]
  let days = 0
  for (let bit = 0; bit < 31; bit++) {
    const [isDate, isDay] = [dates.has(bit + 1), weekdays.has((start + bit) % 7)]
    if (isEither ? isDate || isDay : isDate && isDay) days |= 1 << bit
  }
  return days
}

/** How many of the sorted numbers are below one. */
function countBelow(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < limit) low = middle + 1
    else high = middle
  }
  return low
}

// Days and months are counted from January 1970, which began on a Thursday.
const firstOf = (month: number): number => Date.UTC(1970, month) / DAY
const weekdayOf = (day: number): number => remainder(day + 4, 7)
const remainder = (value: number, size: number): number => ((value % size) + size) % size

function monthOf(day: number): number {
  const date = new Date(day * DAY)
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
}
