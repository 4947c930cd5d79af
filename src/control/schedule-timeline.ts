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
  /** Instants in the window. */
  count: number
  /** Each of them; only the first ones where `count` is higher. */
  instants: string[]
}

/** Schedules that fall on one second. */
export interface Collision {
  /** The first time. */
  at: string
  /** How often these fall together. */
  times: number
  schedules: { id: string; name: string }[]
  /** Seconds of jitter that would part them. */
  jitter: number
}

/** Instants that are told one by one. */
export const MARKS_MAX = 100
const COUNT_MAX = 5000
/** Fewer than these on one second is no crowd. */
export const CROWD = 3
const COLLISIONS_MAX = 50
const TURN = 25

export async function layTimeline(
  almanac: Almanac,
  schedules: readonly ScheduleDocument[],
  fromMs: number,
  untilMs: number,
  more: boolean,
): Promise<Timeline> {
  const rows: TimelineRow[] = []
  for (const [i, schedule] of schedules.entries()) {
    const row = layRow(almanac, schedule, fromMs, untilMs)
    if (row) rows.push(row)
    if (i % TURN === TURN - 1) await setImmediate()
  }
  return {
    from: new Date(fromMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    items: rows.toSorted((a, b) => (a.instants[0]! < b.instants[0]! ? -1 : 1)),
    collisions: findCollisions(rows),
    more,
  }
}

function layRow(
  almanac: Almanac,
  schedule: ScheduleDocument,
  fromMs: number,
  untilMs: number,
): TimelineRow | null {
  const { id, name, task, queue, jitter } = schedule
  const read = almanac.read(schedule.schedule)
  if ('faults' in read) return null
  const table = almanac.timetable(read.spec, boundsOf(schedule))
  const left = firingsLeft(schedule)
  const instants = listMarks(table, fromMs, untilMs, Math.min(left, MARKS_MAX + 1))
  if (instants.length === 0) return null
  const isMany = instants.length > MARKS_MAX
  const count = isMany ? Math.min(left, table.count(fromMs, untilMs - 1, COUNT_MAX)) : instants.length
  const text = schedule.text ?? table.text
  return { id, name, task, queue, text, jitter, count, instants: instants.slice(0, MARKS_MAX) }
}

function firingsLeft({ one_off, firings_max, firings_total }: ScheduleDocument): number {
  return one_off ? 1 : firings_max === null ? Infinity : Math.max(0, firings_max - firings_total)
}

function listMarks(table: Timetable, fromMs: number, untilMs: number, most: number): string[] {
  const marks: string[] = []
  for (let ms = table.next(fromMs - 1); ms !== null && ms < untilMs; ms = table.next(ms)) {
    if (marks.length >= most) break
    marks.push(new Date(ms).toISOString())
  }
  return marks
}

function findCollisions(rows: readonly TimelineRow[]): Collision[] {
  const seconds = new Map<string, TimelineRow[]>()
  for (const row of rows) {
    if (row.count > row.instants.length || row.jitter) continue
    for (const second of new Set(row.instants.map((at) => at.slice(0, 19)))) {
      const there = seconds.get(second)
      if (there) there.push(row)
      else seconds.set(second, [row])
    }
  }
  const crowds = new Map<string, Collision>()
  for (const [second, crowd] of [...seconds].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (crowd.length < CROWD) continue
    const key = crowd.map(({ id }) => id).join()
    const standing = crowds.get(key)
    if (standing) standing.times++
    else crowds.set(key, collide(second, crowd))
  }
  const largest = [...crowds.values()].toSorted((a, b) => b.schedules.length - a.schedules.length)
  return largest.slice(0, COLLISIONS_MAX).toSorted((a, b) => (a.at < b.at ? -1 : 1))
}

function collide(second: string, crowd: readonly TimelineRow[]): Collision {
  const schedules = crowd.map(({ id, name }) => ({ id, name }))
  return { at: `${second}.000Z`, times: 1, schedules, jitter: suggestJitter(crowd) }
}

/** Ten seconds for each of them, a minute at least; never more than a quarter of what lies between two instants of one. */
function suggestJitter(crowd: readonly TimelineRow[]): number {
  const gaps = crowd.flatMap(({ instants }) =>
    instants.slice(1).map((at, i) => (Date.parse(at) - Date.parse(instants[i]!)) / 1000),
  )
  const most = Math.min(3600, ...gaps.map((gap) => gap / 4))
  return Math.max(1, Math.round(Math.min(most, Math.max(60, crowd.length * 10))))
}
