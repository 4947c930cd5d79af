/**
 * The almanac answers when: a schedule and its bounds become a timetable, which a beat asks for the next instant and a
 * person for the next few, and both get the same. It keeps what is dear to make (zones, parsed crontabs, days of the
 * sun) for the schedules that were asked for last, and nothing that could be stale: a timetable depends on its schedule,
 * its bounds and the question alone.
 *
 *   schedule ──► cadence (all its instants) ──► timetable: those from start to end, up to the year 9999
 */
import { FIRST_MS, LAST_MS, type Cadence } from './cadence.ts'
import { preview, type Preview } from './preview.ts'
import { createShelf } from './shelf.ts'
import { createCadence, describeSpec, readSpec, type ReadSpec, type ScheduleSpec } from './spec.ts'
import { createZones } from './zone.ts'

export interface Bounds {
  /** Where an interval counts from. */
  anchorMs: number
  /** The first instant that may be one. */
  startMs?: number | null
  /** The last instant that may be one. */
  endMs?: number | null
}

export interface Timetable {
  /** The first instant after `afterMs`, or null when none is left. */
  next(afterMs: number): number | null
  /** The last instant before `beforeMs`, or null when there was none. */
  previous(beforeMs: number): number | null
  /** How many instants lie from `fromMs` to `untilMs`, both included; `cap` when there are as many or more. */
  count(fromMs: number, untilMs: number, cap: number): number
  /** In plain words. */
  readonly text: string
}

export interface Almanac {
  /** Reads REST's schedule object strictly; faults have pointers below `pointer`, by default /schedule. */
  read(value: unknown, pointer?: string): ReadSpec
  /** The same of JSON text, as a row has it, with pointers below the schedule; a text that was read before costs next to nothing. */
  readText(text: string): ReadSpec
  timetable(spec: ScheduleSpec, bounds: Bounds): Timetable
  /** The next `count` instants after `afterMs`, a thousand at most, with what there is to say of them. */
  preview(spec: ScheduleSpec, bounds: Bounds, afterMs: number, count: number): Preview
}

/** Schedules that are kept ready; a crontab takes 60 µs to read and about 2 kB. */
const KEPT = 5000

/** `zone` is that of crontabs which name none; default UTC. */
export function createAlmanac({ zone = 'UTC' }: { zone?: string } = {}): Almanac {
  const zones = createZones()
  const cadences = createShelf<string, Cadence>(KEPT)
  const specs = createShelf<string, ReadSpec>(KEPT)
  const look = (spec: ScheduleSpec, anchorMs: number): Cadence => {
    const make = (): Cadence => createCadence(spec, anchorMs, zones)
    // Intervals and instants cost less to make than to find.
    return spec.kind === 'crontab' || spec.kind === 'solar'
      ? cadences.get(JSON.stringify(spec), make)
      : make()
  }
  const timetable = (spec: ScheduleSpec, bounds: Bounds): Timetable =>
    bound(spec, look(spec, bounds.anchorMs), bounds)

  return {
    read: (value, pointer = '/schedule') => readSpec(value, pointer, zone),
    readText: (text) => specs.get(text, () => readSpec(JSON.parse(text), '', zone)),
    timetable,
    preview: (spec, bounds, afterMs, count) =>
      preview(spec, timetable(spec, bounds), bounds, zones, afterMs, count),
  }
}

function bound(spec: ScheduleSpec, cadence: Cadence, { startMs, endMs }: Bounds): Timetable {
  const firstMs = Math.ceil(Math.max(startMs ?? FIRST_MS, FIRST_MS))
  const lastMs = Math.floor(Math.min(endMs ?? LAST_MS, LAST_MS))
  return Object.freeze<Timetable>({
    get text() {
      return describeSpec(spec)
    },
    next(afterMs) {
      if (afterMs >= lastMs) return null
      const time = cadence.next(Math.max(Math.floor(afterMs), firstMs - 1))
      return time !== null && time <= lastMs ? time : null
    },
    previous(beforeMs) {
      if (beforeMs <= firstMs) return null
      const time = cadence.previous(Math.min(Math.ceil(beforeMs), lastMs + 1))
      return time !== null && time >= firstMs ? time : null
    },
    count(fromMs, untilMs, cap) {
      const [from, until] = [Math.max(Math.ceil(fromMs), firstMs), Math.min(untilMs, lastMs)]
      if (from > until || cap <= 0) return 0
      if (cadence.count) return Math.min(cap, cadence.count(from, until))
      let count = 0
      for (let time = cadence.next(from - 1); time !== null && time <= until; time = cadence.next(time))
        if (++count >= cap) break
      return count
    },
  })
}
