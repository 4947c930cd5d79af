/**
 * The hours ahead of all schedules: which instants each has, and where many fall on the same second, which is how a
 * database gets its load at midnight. What is due more often than about every quarter of an hour is told as a number, not
 * instant by instant: it is due all the time, and collides with everything. What has jitter spreads by itself and
 * collides with nothing.
 *
 * Days of many schedules are some work (a crontab costs a few microseconds an instant), so it lets others have their
 * turn in between.
 */
import { setImmediate } from 'node:timers/promises'
import type { Almanac, Timetable } from '../schedules/almanac.ts'
import { boundsOf, type ScheduleDocument } from './schedule-document.ts'

export interface Window {
  /** Milliseconds since 1970; without it, now by the database's clock. */
  fromMs?: number
  hours: number
}

export interface Timeline {
  from: string
  until: string
  /** Soonest first; those with no instant in it are left out. */
  items: TimelineRow[]
  /** The largest, by time. */
  collisions: Collision[]
  /** There are more schedules than are told. */
  more: boolean
}

export interface TimelineRow {
  id: string
  name: string
  task: string
  queue: string | null
  /** In plain words. */
  text: string
  jitter: number | null
  /** Instants in the window; where there are more than `instants` tells, about so many. */
  count: number
  /** The first hundred of them. */
  instants: string[]
}

/** Schedules that fall on one second. */
export interface Collision {
  /** The first time. */
  at: string
  /** How often these fall together. */
  times: number
  /** How many they are. */
  count: number
  /** The first hundred of them. */
  schedules: { id: string; name: string }[]
  /** Seconds of jitter that would part them. */
  jitter: number
}

/** Instants that are told one by one. */
export const MARKS_MAX = 100
/** Fewer than these on one second is no crowd. */
export const CROWD = 3
const COLLISIONS_MAX = 50
const NAMED_MAX = 100
const TURN = 25

/** A schedule as it is laid, its instants in milliseconds. */
interface Line {
  schedule: ScheduleDocument
  text: string
  times: readonly number[]
  /** More than `times` has where it is due all the time. */
  count: number
}

export async function layTimeline(
  almanac: Almanac,
  schedules: readonly ScheduleDocument[],
  fromMs: number,
  untilMs: number,
  more: boolean,
): Promise<Timeline> {
  const lines: Line[] = []
  for (const [i, schedule] of schedules.entries()) {
    const line = lay(almanac, schedule, fromMs, untilMs)
    if (line) lines.push(line)
    if (i % TURN === TURN - 1) await setImmediate()
  }
  return {
    from: new Date(fromMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    items: lines.toSorted((a, b) => a.times[0]! - b.times[0]!).map(toRow),
    collisions: findCollisions(lines),
    more,
  }
}

function lay(almanac: Almanac, schedule: ScheduleDocument, fromMs: number, untilMs: number): Line | null {
  // By its text, which the almanac keeps: to read one anew costs more than its instants.
  const read = almanac.readText(JSON.stringify(schedule.schedule))
  if ('faults' in read) return null
  const table = almanac.timetable(read.spec, boundsOf(schedule))
  const left = firingsLeft(schedule)
  const times = listTimes(table, fromMs, untilMs, Math.min(left, MARKS_MAX + 1))
  if (times.length === 0) return null
  const isMany = times.length > MARKS_MAX
  const count = isMany ? Math.min(left, project(times, fromMs, untilMs)) : times.length
  return { schedule, text: schedule.text ?? table.text, times: times.slice(0, MARKS_MAX), count }
}

function toRow({ schedule, text, times, count }: Line): TimelineRow {
  const { id, name, task, queue, jitter } = schedule
  return {
    id,
    name,
    task,
    queue,
    text,
    jitter,
    count,
    instants: times.map((ms) => new Date(ms).toISOString()),
  }
}

/** As many as there would be if it went on as it begins: to count a week of a crontab takes longer than it is worth. */
function project(times: readonly number[], fromMs: number, untilMs: number): number {
  const spans = (untilMs - fromMs) / Math.max(1, times.at(-1)! - fromMs)
  return Math.max(times.length, Math.floor((times.length - 1) * spans))
}

function firingsLeft({ one_off, firings_max, firings_total }: ScheduleDocument): number {
  return one_off ? 1 : firings_max === null ? Infinity : Math.max(0, firings_max - firings_total)
}

function listTimes(table: Timetable, fromMs: number, untilMs: number, most: number): number[] {
  const times: number[] = []
  for (let ms = table.next(fromMs - 1); ms !== null && ms < untilMs; ms = table.next(ms)) {
    if (times.length >= most) break
    times.push(ms)
  }
  return times
}

function findCollisions(lines: readonly Line[]): Collision[] {
  const seconds = new Map<number, number[]>()
  for (const [i, { schedule, times, count }] of lines.entries()) {
    if (count > times.length || schedule.jitter) continue
    for (const second of new Set(times.map((ms) => Math.floor(ms / 1000)))) {
      const there = seconds.get(second)
      if (there) there.push(i)
      else seconds.set(second, [i])
    }
  }
  // Who meets, by their places in the list: the same crowd meets again and again.
  const crowds = new Map<string, { second: number; times: number; members: number[] }>()
  for (const [second, members] of seconds) {
    if (members.length < CROWD) continue
    const key = members.join()
    const standing = crowds.get(key)
    if (!standing) crowds.set(key, { second, times: 1, members })
    else {
      standing.times++
      standing.second = Math.min(standing.second, second)
    }
  }
  const largest = [...crowds.values()].toSorted((a, b) => b.members.length - a.members.length)
  const gaps = lines.map(shortestGap)
  return largest
    .slice(0, COLLISIONS_MAX)
    .toSorted((a, b) => a.second - b.second)
    .map(({ second, times, members }) => ({
      at: new Date(second * 1000).toISOString(),
      times,
      count: members.length,
      schedules: members.slice(0, NAMED_MAX).map((i) => pick(lines[i]!)),
      jitter: suggestJitter(members.length, Math.min(...members.map((i) => gaps[i]!))),
    }))
}

function pick({ schedule: { id, name } }: Line): { id: string; name: string } {
  return { id, name }
}

function shortestGap({ times }: Line): number {
  return times.reduce((least, ms, i) => (i === 0 ? least : Math.min(least, ms - times[i - 1]!)), Infinity)
}

/** Seconds: ten for each of them, a minute at least, an hour at most, and never more than a quarter of what lies between two instants of one. */
function suggestJitter(count: number, gapMs: number): number {
  return Math.max(1, Math.round(Math.min(3600, gapMs / 4000, Math.max(60, count * 10))))
}
