/**
 * The next runs of a crontab for people: each with the local time the clock will show, and what a change of the clock has to do with
 * it. Rows alone cannot explain a run that is missing, so the changes themselves come with them, and a sentence for each that
 * moves, drops or doubles a run.
 */
import { createCrontabClock } from './crontab-clock.ts'
import { fieldsOf, isEitherDay, isWildcard, type CrontabSpec } from './crontab-spec.ts'
import { createWallCalendar, type WallCalendar } from './crontab-wall.ts'
import type { Change, Zones } from './zone.ts'

export interface PreviewRun {
  readonly at: number
  /** Wall time with its offset, as in 2026-03-29T04:00:00+03:00. */
  readonly local: string
  /**
   * moved: its wall time does not come that day, so it runs right after the clock went forward. first-only: its wall time comes
   * twice, and it runs the first time. first-of-two, second-of-two: it runs both times, since minute or hour begins with `*`.
   */
  readonly dst: null | 'moved' | 'first-only' | 'first-of-two' | 'second-of-two'
}

export interface Preview {
  readonly runs: PreviewRun[]
  readonly changes: Change[]
  readonly notes: string[]
}

const DAY = 86_400_000
/** Rows of 29 February on a Monday go on for ages; changes are told of the first hundred years. */
const CHANGES_TOLD = 36_525 * DAY
/** More skipped times than this are not listed. */
const TIMES_LISTED = 4

/** The next `count` runs after an instant, and the changes of the clock among them. */
export function previewCrontab(spec: CrontabSpec, zones: Zones, afterMs: number, count: number): Preview {
  const clock = createCrontabClock(spec, zones)
  const instants: number[] = []
  for (let at = clock.next(afterMs); at !== null && instants.length < count; at = clock.next(at))
    instants.push(at)
  const last = instants.at(-1)
  if (last === undefined) return { runs: [], changes: [], notes: [] }

  const calendar = createWallCalendar(fieldsOf(spec), isEitherDay(spec))
  const changes = zones
    .changes(spec.timezone, afterMs - 2 * DAY, Math.min(last, afterMs + CHANGES_TOLD) + 2 * DAY)
    .filter(({ at, before, after }) => at + Math.max(0, before - after) > afterMs)
    .filter(({ at, before, after }) => at - Math.max(0, before - after) <= last)
  const runs = instants.map((at) => {
    const offset = zones.offsetAt(spec.timezone, at)
    return { at, local: localText(at, offset), dst: classify(spec, calendar, changes, at, at + offset) }
  })
  return { runs, changes, notes: changes.flatMap((change) => explain(spec, calendar, change) ?? []) }
}

function classify(
  spec: CrontabSpec,
  calendar: WallCalendar,
  changes: readonly Change[],
  at: number,
  wall: number,
): PreviewRun['dst'] {
  if (calendar.atOrAfter(wall) !== wall) return 'moved'
  const change = changes.find(
    (change) => wall >= change.at + change.after && wall < change.at + change.before,
  )
  if (!change) return null
  if (!isWildcard(spec)) return 'first-only'
  return at < change.at ? 'first-of-two' : 'second-of-two'
}

/** What a change does to the job; null if no run of it falls in the hour that is skipped or comes twice. */
function explain(spec: CrontabSpec, calendar: WallCalendar, { at, before, after }: Change): string | null {
  const [from, to] = [at + Math.min(before, after), at + Math.max(before, after)]
  const walls: number[] = []
  for (let wall = calendar.atOrAfter(from); wall !== null && wall < to; wall = calendar.atOrAfter(wall + 1))
    walls.push(wall)
  if (walls.length === 0) return null
  const isForward = after > before
  const [last, first] = [dayAndTime(at + before), dayAndTime(at + after)]
  const day = first.day === last.day ? '' : ` of ${first.day}`
  const change = `On ${last.day} the clocks of ${spec.timezone} go ${isForward ? 'forward' : 'back'} from ${last.time} to ${first.time}${day}`
  return `${change}: ${wordEffect(walls, isForward, isWildcard(spec), first.time)}.`
}

function wordEffect(walls: readonly number[], isForward: boolean, follows: boolean, landing: string): string {
  const times = walls.map((wall) => dayAndTime(wall).time)
  const isOne = times.length === 1
  const which =
    times.length > TIMES_LISTED
      ? `the ${times.length} runs between ${times[0]} and ${times.at(-1)}`
      : `${times.slice(0, -1).join(', ')}${isOne ? '' : ' and '}${times.at(-1)}`
  const [come, run] = isOne ? ['comes', 'runs'] : ['come', 'run']
  if (!isForward) return `${which} ${come} twice and ${run} ${follows ? 'both times' : 'the first time only'}`
  const missing = `${which} ${isOne ? 'does' : 'do'} not come`
  if (follows) return `${missing} and ${isOne ? 'does' : 'do'} not run`
  return `${missing} and ${run} ${isOne ? '' : 'once, '}at ${landing} instead`
}

function dayAndTime(wall: number): { day: string; time: string } {
  const text = new Date(wall).toISOString()
  return { day: text.slice(0, 10), time: text.slice(11, 16) }
}

function localText(at: number, offset: number): string {
  const minutes = Math.abs(Math.trunc(offset / 60_000))
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0'))
  return `${new Date(at + offset).toISOString().slice(0, 19)}${offset < 0 ? '-' : '+'}${hour}:${minute}`
}
