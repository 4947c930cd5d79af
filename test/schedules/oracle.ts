/**
 * The slow oracle: what a cron daemon would do, minute by minute, written without a look at the engine. Nothing of src/schedules is
 * imported: offsets come from temporal-polyfill, the fields of each job are a predicate written by hand beside its text.
 *
 * The daemon looks at the wall once a minute. A job that follows the clock runs when the wall shows a match. Any other runs when
 * a match lies among the wall minutes that the clock has newly reached or passed since the highest it ever showed: one at a
 * time as a rule, an hour's worth right after it went forward, none while it repeats an hour.
 */
import { Temporal } from 'temporal-polyfill'

export interface Wall {
  minute: number
  hour: number
  day: number
  month: number
  /** 0 is Sunday. */
  weekday: number
}

export interface Job {
  /** Five fields. */
  readonly line: string
  readonly mode: 'celery' | 'cron'
  /** Minute or hour begins with `*`. */
  readonly follows: boolean
  readonly matches: (wall: Wall) => boolean
}

export interface OffsetChange {
  /** Milliseconds, as all of these. */
  readonly at: number
  readonly before: number
  readonly after: number
}

const MINUTE = 60_000
const HOUR = 3_600_000
/** The daemon is started this much before it is watched, so that it knows what the clock has shown. */
const RUN_UP = 27 * HOUR

const job = (
  line: string,
  follows: boolean,
  matches: (wall: Wall) => boolean,
  mode: Job['mode'] = 'celery',
): Job => ({ line, mode, follows, matches })

const FIXED = false
const FOLLOWS = true

export const JOBS: readonly Job[] = [
  job('* * * * *', FOLLOWS, () => true),
  job('*/5 * * * *', FOLLOWS, ({ minute }) => minute % 5 === 0),
  job('0 * * * *', FOLLOWS, ({ minute }) => minute === 0),
  job('30 * * * *', FOLLOWS, ({ minute }) => minute === 30),
  job('*/20 0-4 * * *', FOLLOWS, ({ minute, hour }) => minute % 20 === 0 && hour <= 4),
  job('* 2 * * *', FOLLOWS, ({ hour }) => hour === 2),
  job('15 */2 * * *', FOLLOWS, ({ minute, hour }) => minute === 15 && hour % 2 === 0),
  job('0-59 0-23 * * *', FIXED, () => true),
  job('0 0 * * *', FIXED, ({ minute, hour }) => minute === 0 && hour === 0),
  job('30 0 * * *', FIXED, ({ minute, hour }) => minute === 30 && hour === 0),
  job('30 1 * * *', FIXED, ({ minute, hour }) => minute === 30 && hour === 1),
  job('0 2 * * *', FIXED, ({ minute, hour }) => minute === 0 && hour === 2),
  job('15 2 * * *', FIXED, ({ minute, hour }) => minute === 15 && hour === 2),
  job('59 2 * * *', FIXED, ({ minute, hour }) => minute === 59 && hour === 2),
  job('0,30 1-3 * * *', FIXED, ({ minute, hour }) => minute % 30 === 0 && hour >= 1 && hour <= 3),
  job('45 23 * * *', FIXED, ({ minute, hour }) => minute === 45 && hour === 23),
  job(
    '10-50/20 22-3/2 * * *',
    FIXED,
    ({ minute, hour }) => [10, 30, 50].includes(minute) && [22, 0, 2].includes(hour),
  ),
  job(
    '0 9 * * 1-5',
    FIXED,
    ({ minute, hour, weekday }) => minute === 0 && hour === 9 && weekday > 0 && weekday < 6,
  ),
  job('30 2 * * sun', FIXED, ({ minute, hour, weekday }) => minute === 30 && hour === 2 && weekday === 0),
  job(
    '0 3 * mar,oct 7',
    FIXED,
    ({ minute, hour, month, weekday }) =>
      minute === 0 && hour === 3 && (month === 3 || month === 10) && weekday === 0,
  ),
  job(
    '5 2 25-31 * fri-mon',
    FIXED,
    ({ minute, hour, day, weekday }) =>
      minute === 5 && hour === 2 && day >= 25 && [5, 6, 0, 1].includes(weekday),
  ),
  job(
    '5 2 25-31 * fri-mon',
    FIXED,
    ({ minute, hour, day, weekday }) =>
      minute === 5 && hour === 2 && (day >= 25 || [5, 6, 0, 1].includes(weekday)),
    'cron',
  ),
  job(
    '*/10 1 */2 * 0',
    FOLLOWS,
    ({ minute, hour, day, weekday }) => minute % 10 === 0 && hour === 1 && day % 2 === 1 && weekday === 0,
    'cron',
  ),
  job('0 0 1 * *', FIXED, ({ minute, hour, day }) => minute === 0 && hour === 0 && day === 1),
  job(
    '59 23 31 12 *',
    FIXED,
    ({ minute, hour, day, month }) => minute === 59 && hour === 23 && day === 31 && month === 12,
  ),
]

/** Every change of a zone's offset from `fromMs` up to `toMs`. */
export function listChanges(zone: string, fromMs: number, toMs: number): OffsetChange[] {
  const changes: OffsetChange[] = []
  let time = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(zone)
  for (;;) {
    const next = time.getTimeZoneTransition('next')
    if (next === null || next.epochMilliseconds > toMs) return changes
    const before = next.subtract({ nanoseconds: 1 }).offsetNanoseconds / 1e6
    const after = next.offsetNanoseconds / 1e6
    if (before !== after) changes.push({ at: next.epochMilliseconds, before, after })
    time = next
  }
}

/** One look of the daemon: the wall, and which wall minutes are new since the highest shown before. */
interface Look {
  readonly at: number
  readonly wall: Wall
  readonly passed: readonly Wall[]
}

/** The daemon's looks within [fromMs, toMs), both on whole minutes. */
export function watch(offsetAt: (ms: number) => number, fromMs: number, toMs: number): Look[] {
  const looks: Look[] = []
  let reached = fromMs - RUN_UP + offsetAt(fromMs - RUN_UP) - MINUTE
  for (let at = fromMs - RUN_UP; at < toMs; at += MINUTE) {
    const shown = at + offsetAt(at)
    const passed: Wall[] = []
    for (; reached < shown; reached += MINUTE) passed.push(wallOf(reached + MINUTE))
    if (at >= fromMs) looks.push({ at, wall: wallOf(shown), passed })
  }
  return looks
}

/** When the job runs, by those looks. */
export function runsOf(job: Job, looks: readonly Look[]): number[] {
  const isRun = ({ wall, passed }: Look): boolean =>
    job.follows ? job.matches(wall) : passed.some((each) => job.matches(each))
  return looks.filter(isRun).map(({ at }) => at)
}

function wallOf(ms: number): Wall {
  const date = new Date(ms)
  return {
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    weekday: date.getUTCDay(),
  }
}

/** What somebody else answers, held against the oracle. */
export interface Answers {
  next(afterMs: number): number | null
  previous(beforeMs: number): number | null
}

export interface Verdict {
  /** Runs the oracle knows of. */
  runs: number
  /** Answers compared. */
  asked: number
  /** Runs of the oracle that were not named. */
  missing: number
  /** Instants named that the oracle does not know. */
  extra: number
  throws: number
  /** The first that differed, for a person. */
  example: string
}

export const emptyVerdict = (): Verdict => ({
  runs: 0,
  asked: 0,
  missing: 0,
  extra: 0,
  throws: 0,
  example: '',
})

/** So far before and after a change everything is compared; nearer than `NEAR` also from instants that are no run. */
const AROUND = 26 * HOUR
const NEAR = 3 * HOUR
const PROBE_STEP = 11 * MINUTE + 30_001

/** Compares every job round one change of a zone's offset, in both directions and from in between; adds to `verdict`. */
export function compareAround(
  zone: string,
  { at, before, after }: OffsetChange,
  answersOf: (job: Job, zone: string) => Answers,
  verdict: Verdict,
): void {
  const [fromMs, toMs] = [at - AROUND, at + AROUND]
  const others = listChanges(zone, fromMs - RUN_UP, toMs + RUN_UP)
  const known = others.length > 0 ? others : [{ at, before, after }]
  const offsetAt = (ms: number): number => {
    const latest = known.findLast((change) => change.at <= ms)
    return latest ? latest.after : known[0]!.before
  }
  const looks = watch(offsetAt, fromMs, toMs)
  for (const each of JOBS) {
    const runs = runsOf(each, looks)
    const where = `${each.line} (${each.mode}) ${zone} round ${new Date(at).toISOString()}`
    try {
      const answers = answersOf(each, zone)
      compareSeries(runs, walkForward(answers, fromMs, toMs), `next ${where}`, verdict)
      compareSeries(runs, walkBack(answers, fromMs, toMs), `previous ${where}`, verdict)
      probe(runs, answers, at, [fromMs, toMs], where, verdict)
    } catch (error) {
      verdict.throws++
      verdict.example ||= `${where}: ${String(error)}`
    }
  }
}

/** An engine that stands still would be walked for ever: one answer a minute is all there can be. */
const ANSWERS_MOST = (2 * AROUND) / MINUTE + 1

function walkForward(answers: Answers, fromMs: number, toMs: number): number[] {
  const found: number[] = []
  for (let at = answers.next(fromMs - 1); at !== null && at < toMs; at = answers.next(at))
    if (found.push(at) > ANSWERS_MOST) break
  return found
}

function walkBack(answers: Answers, fromMs: number, toMs: number): number[] {
  const found: number[] = []
  for (let at = answers.previous(toMs); at !== null && at >= fromMs; at = answers.previous(at))
    if (found.push(at) > ANSWERS_MOST) break
  return found.reverse()
}

function compareSeries(
  runs: readonly number[],
  found: readonly number[],
  where: string,
  verdict: Verdict,
): void {
  verdict.runs += runs.length
  verdict.asked += found.length + 1
  if (found.length === runs.length && found.every((at, index) => at === runs[index])) return
  const [known, named] = [new Set(runs), new Set(found)]
  const missing = runs.filter((at) => !named.has(at))
  const extra = found.filter((at) => !known.has(at))
  verdict.missing += missing.length
  // The same instants in another order, or one twice, are wrong too.
  verdict.extra += missing.length + extra.length === 0 ? 1 : extra.length
  const times = (list: readonly number[]): string => list.map((at) => new Date(at).toISOString()).join(' ')
  verdict.example ||= `${where}: missing ${times(missing)}, extra ${times(extra)}`
}

/** Asks from instants near the change that are, by their odd step, mostly no run and no whole minute. */
function probe(
  runs: readonly number[],
  answers: Answers,
  at: number,
  [fromMs, toMs]: readonly [number, number],
  where: string,
  verdict: Verdict,
): void {
  for (let from = at - NEAR; from < at + NEAR; from += PROBE_STEP) {
    for (const [name, found, expected] of [
      ['next', answers.next(from), runs.find((run) => run > from)],
      ['previous', answers.previous(from), runs.findLast((run) => run < from)],
    ] as const) {
      verdict.asked++
      const isInside = found !== null && found >= fromMs && found < toMs
      if (expected === (isInside ? found : undefined)) continue
      if (expected === undefined) verdict.extra++
      else verdict.missing++
      verdict.example ||= `${name} ${where} from ${new Date(from).toISOString()}: ${found}, expected ${expected}`
    }
  }
}

/** A moment to look at where a zone never changes: every zone is asked. */
export function standIn(zone: string): OffsetChange {
  const at = Date.UTC(2026, 2, 29, 1)
  const offset = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).offsetNanoseconds / 1e6
  return { at, before: offset, after: offset }
}
