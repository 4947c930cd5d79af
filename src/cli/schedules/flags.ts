/**
 * What was typed about a schedule as the body that REST would get: one grammar and one set of refusals. Only what was
 * given is in it, so that the same serves an edit.
 */
import { ConfigError } from '../../errors.ts'
import type { SolarEvent } from '../../schedules/solar.ts'
import { at, cron, every, solar } from '../../schedules/when.ts'
import type { Flags } from '../options.ts'

export interface TimingFlags {
  cron?: string
  timezone?: string
  mode?: 'celery' | 'cron'
  every?: string
  solar?: string
  latitude?: number
  longitude?: number
  at?: string
}

export interface DefinitionFlags extends Flags, TimingFlags {
  priority?: number
  tag?: string[]
  headers?: string
  expires?: string
  oneOff?: boolean
  start?: string
  end?: string
  anchor?: string
  jitter?: string
  overlap?: string
  catchUp?: string
  catchUpWindow?: string
  firingsMax?: number
  failuresMax?: number
  description?: string
}

/** Flag -> column, where they differ or a flag means what its column says. */
const COLUMNS: Readonly<Record<string, string>> = {
  name: 'name',
  task: 'task',
  queue: 'queue',
  priority: 'priority',
  tag: 'tags',
  expires: 'expires',
  oneOff: 'one_off',
  start: 'start_at',
  end: 'end_at',
  anchor: 'anchor_at',
  jitter: 'jitter',
  overlap: 'overlap',
  catchUp: 'catch_up',
  catchUpWindow: 'catch_up_window',
  firingsMax: 'firings_max',
  failuresMax: 'failures_max',
  description: 'description',
}

/** Throws ConfigError, ScheduleError. */
export function definitionFrom(flags: DefinitionFlags & { input?: string }): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const [flag, column] of Object.entries(COLUMNS)) {
    const value = (flags as Record<string, unknown>)[flag]
    if (value !== undefined) body[column] = value
  }
  if (flags.input !== undefined) body.input = parseJson(flags.input, 'input')
  if (flags.headers !== undefined) body.headers = parseJson(flags.headers, 'headers')
  const schedule = timingFrom(flags)
  if (schedule) body.schedule = schedule
  return body
}

/** When, as REST's schedule object; null when nothing says. Without one of the four ways it is a change of what stands. */
export function timingFrom(flags: TimingFlags): object | null {
  const ways = (['cron', 'every', 'solar', 'at'] as const).filter((way) => flags[way] !== undefined)
  if (ways.length > 1)
    throw new ConfigError(
      `Give one of ${ways.map((way) => `--${way}`).join(' and ')}: a schedule has one timing.`,
    )
  const { timezone, mode, latitude, longitude } = flags
  refuseStray(flags, ways[0])
  switch (ways[0]) {
    case 'cron':
      return cron(flags.cron!, { timezone, mode })
    case 'every':
      return every(flags.every as Parameters<typeof every>[0])
    case 'solar':
      return solar(flags.solar as SolarEvent, place(latitude, longitude))
    case 'at':
      return at(flags.at!)
    default: {
      const parts = Object.entries({ timezone, mode, latitude, longitude })
      const given = parts.filter(([, value]) => value !== undefined)
      return given.length > 0 ? Object.fromEntries(given) : null
    }
  }
}

/** Flags that go with another way than the one that was taken. */
function refuseStray(flags: TimingFlags, way: string | undefined): void {
  const partners = { timezone: 'cron', mode: 'cron', latitude: 'solar', longitude: 'solar' } as const
  for (const [flag, partner] of Object.entries(partners))
    if (flags[flag as keyof typeof partners] !== undefined && way !== undefined && way !== partner)
      throw new ConfigError(`--${flag} goes with --${partner}, not with --${way}.`)
}

function place(
  latitude: number | undefined,
  longitude: number | undefined,
): { latitude: number; longitude: number } {
  if (latitude !== undefined && longitude !== undefined) return { latitude, longitude }
  throw new ConfigError('--solar needs a place: give --latitude and --longitude, as in 50.45 and 30.52.')
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(
      `The ${what} is not JSON (${(cause as Error).message}): write it as in '{"x": 1, "y": 2}'.`,
      { cause },
    )
  }
}
