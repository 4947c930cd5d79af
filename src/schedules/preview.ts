/**
 * The next few instants of a schedule, for people and as `POST /v1/schedules:preview` answers them: in UTC, on the wall clock of the
 * schedule's zone, and with what a change of that clock does to them. The instants are those that the beat will fire.
 */
import type { Bounds, Timetable } from './almanac.ts'
import { previewCrontab, type CrontabSpec, type PreviewRun as CrontabRun } from './crontab.ts'
import type { ScheduleSpec } from './spec.ts'
import type { Zones } from './zone.ts'

/** Instants are RFC 3339 in UTC with milliseconds. */
export interface Preview {
  next: string[]
  runs: PreviewRun[]
  /** Changes of the zone's offset that explain the runs; offsets as in "+02:00". */
  changes: { at: string; before: string; after: string }[]
  text: string
  notes: string[]
}

export interface PreviewRun {
  at: string
  /** What the clock of the zone shows; of a kind that knows no zone, UTC. */
  local: string
  dst: CrontabRun['dst']
}

const PREVIEW_MAX = 1000
const DAY_MS = 86_400_000

/** The next `count` instants after `afterMs`, a thousand at most. */
export function preview(
  spec: ScheduleSpec,
  table: Timetable,
  bounds: Bounds,
  zones: Zones,
  afterMs: number,
  count: number,
): Preview {
  const times: number[] = []
  const wanted = Math.min(count, PREVIEW_MAX)
  for (let ms = afterMs; times.length < wanted;) {
    const next = table.next(ms)
    if (next === null) break
    times.push(next)
    ms = next
  }
  const next = times.map(iso)
  if (spec.kind === 'crontab' && times.length > 0) {
    const fromMs = Math.max(afterMs, (bounds.startMs ?? -Infinity) - 1)
    return { next, ...onTheClock(spec, zones, fromMs, times.length), text: table.text }
  }
  const runs = next.map((at) => ({ at, local: at, dst: null }))
  const notes = wanted > 0 ? remarks(spec, times) : []
  return { next, runs, changes: [], text: table.text, notes }
}

function onTheClock(
  spec: CrontabSpec,
  zones: Zones,
  afterMs: number,
  count: number,
): Pick<Preview, 'runs' | 'changes' | 'notes'> {
  const { runs, changes, notes } = previewCrontab(spec, zones, afterMs, count)
  return {
    runs: runs.map(({ at, local, dst }) => ({ at: iso(at), local, dst })),
    changes: changes.map(({ at, before, after }) => ({
      at: iso(at),
      before: offsetText(before),
      after: offsetText(after),
    })),
    notes,
  }
}

function remarks(spec: ScheduleSpec, times: readonly number[]): string[] {
  if (times.length === 0) return ['No instant of it lies ahead.']
  if (spec.kind === 'solar') {
    const isRare = times.some((ms, i) => ms - (times[i - 1] ?? ms) > 2 * DAY_MS)
    return isRare ? ['So near a pole it does not happen each day; the next day it does counts.'] : []
  }
  const isCalendar = spec.kind === 'interval' && (spec.period === 'months' || spec.period === 'years')
  const days = new Set(times.map((ms) => new Date(ms).getUTCDate()))
  return isCalendar && days.size > 1 ? ['A month without the day of the anchor has it on its last day.'] : []
}

function offsetText(ms: number): string {
  const minutes = Math.trunc(Math.abs(ms) / 60_000)
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0'))
  return `${ms < 0 ? '-' : '+'}${hour}:${minute}`
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
