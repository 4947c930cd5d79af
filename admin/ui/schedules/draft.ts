/**
 * A schedule as it is filled in: texts, as inputs hold them, until they become what REST takes. An edit sends only what was changed,
 * so that what nobody touched (an input with a number too large for a browser, say) stays to the last digit. Pure.
 */
import type { ScheduleDocument } from '../../../src/client/verbs.ts'

export type Kind = 'interval' | 'crontab' | 'clocked' | 'solar'
export const KINDS: readonly Kind[] = ['interval', 'crontab', 'clocked', 'solar']

/** The fields of every kind at once: who looks at another kind and comes back finds what he typed. */
export interface TimingDraft {
  kind: Kind
  every: string
  period: string
  minute: string
  hour: string
  day_of_month: string
  month_of_year: string
  day_of_week: string
  timezone: string
  mode: string
  /** RFC 3339. */
  at: string
  event: string
  latitude: string
  longitude: string
}

export interface Draft {
  name: string
  task: string
  input: unknown
  timing: TimingDraft
  enabled: boolean
  queue: string
  priority: string
  tags: string
  headers: unknown
  expires: string
  one_off: boolean
  start_at: string
  end_at: string
  jitter: string
  overlap: string
  catch_up: string
  catch_up_window: string
  firings_max: string
  failures_max: string
  anchor_at: string
  description: string
}

export type Body = Record<string, unknown>

const TIMING: TimingDraft = {
  kind: 'crontab',
  every: '15',
  period: 'minutes',
  minute: '0',
  hour: '3',
  day_of_month: '*',
  month_of_year: '*',
  day_of_week: '*',
  timezone: 'UTC',
  mode: 'celery',
  at: '',
  event: 'sunset',
  latitude: '',
  longitude: '',
}

export function freshDraft(timezone: string): Draft {
  return {
    name: '',
    task: '',
    input: {},
    timing: { ...TIMING, timezone },
    enabled: true,
    queue: '',
    priority: '',
    tags: '',
    headers: {},
    expires: '',
    one_off: false,
    start_at: '',
    end_at: '',
    jitter: '',
    overlap: 'allow',
    catch_up: 'last',
    catch_up_window: '',
    firings_max: '',
    failures_max: '',
    anchor_at: '',
    description: '',
  }
}

export function draftOf(schedule: ScheduleDocument, timezone: string): Draft {
  const text = (value: unknown): string => (value === null || value === undefined ? '' : String(value))
  const timing = Object.entries(schedule.schedule as object).map(([key, value]) => [key, text(value)])
  return {
    ...freshDraft(timezone),
    name: schedule.name,
    task: schedule.task,
    input: schedule.input,
    timing: { ...TIMING, timezone, ...(Object.fromEntries(timing) as Partial<TimingDraft>) },
    enabled: schedule.enabled,
    queue: text(schedule.queue),
    priority: text(schedule.priority),
    tags: schedule.tags.join(', '),
    headers: schedule.headers,
    expires: spanText(schedule.expires),
    one_off: schedule.one_off,
    start_at: text(schedule.start_at),
    end_at: text(schedule.end_at),
    jitter: spanText(schedule.jitter),
    overlap: schedule.overlap,
    catch_up: schedule.catch_up,
    catch_up_window: spanText(schedule.catch_up_window),
    firings_max: text(schedule.firings_max),
    failures_max: text(schedule.failures_max),
    anchor_at: schedule.schedule.kind === 'interval' ? text(schedule.anchor_at) : '',
    description: schedule.description,
  }
}

/** As POST takes it. */
export function bodyOf(draft: Draft): Body {
  const { timing, anchor_at, ...rest } = draft
  const isOnce = timing.kind === 'clocked'
  return {
    name: rest.name,
    task: rest.task,
    input: rest.input ?? {},
    schedule: timingOf(timing),
    enabled: rest.enabled,
    queue: rest.queue.trim() || null,
    priority: numberOf(rest.priority),
    tags: rest.tags
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean),
    headers: rest.headers ?? {},
    expires: spanOf(rest.expires),
    one_off: rest.one_off || isOnce,
    start_at: rest.start_at || null,
    end_at: rest.end_at || null,
    jitter: spanOf(rest.jitter),
    overlap: rest.overlap,
    catch_up: rest.catch_up,
    catch_up_window: spanOf(rest.catch_up_window),
    firings_max: numberOf(rest.firings_max),
    failures_max: numberOf(rest.failures_max),
    ...(timing.kind === 'interval' && anchor_at ? { anchor_at } : {}),
    description: rest.description,
  }
}

/** What PATCH has to be told to make `before` into `draft`. */
export function changesOf(draft: Draft, before: Draft): Body {
  const was = bodyOf(before)
  return Object.fromEntries(
    Object.entries(bodyOf(draft)).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(was[key]),
    ),
  )
}

/** REST's schedule object. A number that is none stays text, and the server says so. */
export function timingOf(timing: TimingDraft): Body {
  const { kind } = timing
  if (kind === 'interval') return { kind, every: numberOf(timing.every), period: timing.period }
  if (kind === 'clocked') return { kind, at: timing.at || null }
  if (kind === 'solar')
    return {
      kind,
      event: timing.event,
      latitude: numberOf(timing.latitude),
      longitude: numberOf(timing.longitude),
    }
  const { minute, hour, day_of_month, month_of_year, day_of_week, timezone, mode } = timing
  return { kind, minute, hour, day_of_month, month_of_year, day_of_week, timezone: timezone || null, mode }
}

/** For an input of type datetime-local, in the viewer's zone, to the second. */
export function localText(at: string): string {
  const ms = Date.parse(at)
  if (Number.isNaN(ms)) return ''
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

/** The instant of what such an input holds; nothing of nothing. */
export function instantOf(local: string): string {
  const ms = Date.parse(local)
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString()
}

const SPANS = [
  ['days', 86_400],
  ['hours', 3600],
  ['minutes', 60],
] as const

/** Seconds in the largest unit that has a whole number of them. */
export function spanText(seconds: number | null): string {
  if (seconds === null) return ''
  const whole = SPANS.find(([, size]) => seconds >= size && seconds % size === 0)
  return whole ? `${seconds / whole[1]} ${whole[0]}` : String(seconds)
}

/** A duration as REST takes it: a number of seconds, or text with a unit. */
function spanOf(text: string): string | number | null {
  return text.trim() === '' ? null : (numberOf(text) ?? text)
}

function numberOf(text: string): number | string | null {
  if (text.trim() === '') return null
  const number = Number(text)
  return Number.isFinite(number) ? number : text.trim()
}
