/**
 * The definition of a schedule: the columns of rowbeat.schedules that a person writes, as REST takes and answers them
 * (snake_case; durations as seconds, instants in UTC). REST, the panel, the command line, import and code read it here, so
 * each refuses the same things in the same words, and every wrong place is told at once. null stands for the default.
 */
import {
  check,
  duration,
  flag,
  headers,
  instant,
  integer,
  isObject,
  objectSchema,
  oneOf,
  pattern,
  pointerStep,
  priority,
  tags,
  text,
  type Check,
  type Schema,
} from '../check.ts'
import { parseDuration } from '../duration.ts'
import type { Fault } from '../errors.ts'
import { findUnstorable, storableText } from '../json.ts'
import { QUEUE_NAME, TASK_NAME } from '../tasks/task.ts'
import type { Almanac } from './almanac.ts'
import { momentText } from './clocked.ts'
import { readSpec, SPEC_BODY, SPEC_CHANGES, type ScheduleSpec } from './spec.ts'

export const OVERLAPS = ['allow', 'skip', 'buffer_one', 'cancel_other'] as const
export const CATCH_UPS = ['skip', 'last', 'all'] as const
export type Overlap = (typeof OVERLAPS)[number]
export type CatchUp = (typeof CATCH_UPS)[number]

export interface ScheduleDefinition {
  name: string
  task: string
  input: unknown
  schedule: ScheduleSpec
  enabled: boolean
  /** null: what the task says. */
  queue: string | null
  priority: number | null
  tags: string[]
  headers: Record<string, unknown>
  /** Seconds after the due instant within which a run may start. */
  expires: number | null
  /** Fires once and is done. */
  one_off: boolean
  start_at: string | null
  end_at: string | null
  /** Seconds: each run waits some part of them, at random. */
  jitter: number | null
  /** What to do when an instant comes while the run of the last one has not ended. */
  overlap: Overlap
  /** Which instants to fire after a time in which no beat ran. */
  catch_up: CatchUp
  /** Seconds: instants missed for longer are not caught up. */
  catch_up_window: number | null
  firings_max: number | null
  /** Failed runs in a row after which it pauses. */
  failures_max: number | null
  /** Where an interval counts from; null: start_at, or when the schedule was made. */
  anchor_at: string | null
  description: string
}

interface Field {
  check: Check
  default: unknown
  /** The value as it is kept. */
  keep?: (value: unknown) => unknown
}

const seconds = (value: unknown): number => parseDuration(value)! / 1000
const span = (check: Check = duration): Field => ({ check, default: null, keep: seconds })
const longerThanNothing = check(
  duration.schema,
  (value) => duration(value) ?? (parseDuration(value) === 0 ? 'must be longer than nothing' : null),
)
const moment: Field = {
  check: check(instant.schema, (value) => (momentText(value) === null ? instant('') : null)),
  default: null,
  keep: momentText,
}
const count: Field = { check: integer(1, 2_147_483_647), default: null }
const name = check(
  text(200).schema,
  (value) => text(200)(value) ?? ((value as string).trim() === '' ? 'must not be blank' : null),
)

/** Every field but input and schedule; those without a default must be given. */
const FIELDS: Readonly<Record<Exclude<keyof ScheduleDefinition, 'input' | 'schedule'>, Field>> = {
  name: { check: name, default: undefined },
  task: { check: pattern(TASK_NAME), default: undefined },
  enabled: { check: flag, default: true },
  queue: { check: pattern(QUEUE_NAME), default: null },
  priority: { check: priority, default: null },
  tags: { check: tags, default: [], keep: (value) => [...(value as string[])] },
  headers: { check: headers, default: {}, keep: copy },
  expires: span(longerThanNothing),
  one_off: { check: flag, default: false },
  start_at: moment,
  end_at: moment,
  jitter: span(),
  overlap: { check: oneOf(...OVERLAPS), default: 'allow' },
  catch_up: { check: oneOf(...CATCH_UPS), default: 'last' },
  catch_up_window: span(),
  firings_max: count,
  failures_max: count,
  anchor_at: moment,
  description: { check: text(10_000, 0), default: '' },
}
const MISSING: Readonly<Record<string, string>> = {
  name: 'is missing; give the schedule a name',
  task: 'is missing; name the task to run',
  schedule: 'is missing; say when, as in {"kind": "interval", "every": 10, "period": "minutes"}',
}
const NAMES: readonly string[] = [
  'name',
  'task',
  'input',
  'schedule',
  ...Object.keys(FIELDS).filter((key) => !Object.hasOwn(MISSING, key)),
]
const CHECKS = Object.fromEntries(Object.entries(FIELDS).map(([key, field]) => [key, field.check]))

/** A whole definition, as it is made and replaced. */
export const DEFINITION_BODY: Schema = {
  title: 'ScheduleRequest',
  ...objectSchema({ ...CHECKS, input: null, schedule: SPEC_BODY }, ['name', 'task', 'schedule']),
}

/** Only what changes. */
export const CHANGES_BODY: Schema = objectSchema({
  name,
  task: pattern(TASK_NAME),
  ...CHECKS,
  input: null,
  schedule: SPEC_CHANGES,
})

/** What GET answers and nobody writes. */
const ANSWERED =
  'id kind next_run_at last_run_at firings_total failures pause_reason resume_at origin edited_at version error text created_at updated_at'

/**
 * A body as the definition it gives, or everything that is wrong with it. Whole: what is left out has its default.
 * `partial`, for an edit: only what was given is answered, and what it may clash with in the row is looked for by
 * `findClashes` on the two together.
 */
export function readDefinition(
  body: unknown,
  { zone, partial = false }: { zone: string; partial?: boolean },
): { definition: Partial<ScheduleDefinition>; faults: Fault[] } {
  if (!isObject(body)) {
    const detail = 'must be an object such as {"name": "nightly", "task": "demo.add", "schedule": {…}}'
    return { definition: {}, faults: [{ pointer: '', detail }] }
  }
  const definition: Record<string, unknown> = {}
  const faults: Fault[] = []
  for (const key of Object.keys(body).filter((key) => !NAMES.includes(key)))
    faults.push({ pointer: pointerStep(key), detail: unknownField(key) })
  for (const key of NAMES) {
    const isGiven = Object.hasOwn(body, key) && body[key] !== undefined
    if (partial && !isGiven) continue
    const read = readField(key, isGiven ? (body[key] ?? null) : null, zone)
    if ('faults' in read) faults.push(...read.faults)
    else definition[key] = read.value
  }
  const read = definition as Partial<ScheduleDefinition>
  // A clocked schedule fires once by nature: saying so is not asked for, saying otherwise is refused.
  const isSaid = typeof body.one_off === 'boolean'
  if (read.schedule?.kind === 'clocked' && !isSaid) read.one_off = true
  faults.push(...findClashes(read))
  return { definition: read, faults }
}

/** Fields that cannot stand together, each told at the place that would mend it. */
export function findClashes({ schedule, one_off, start_at, end_at }: Partial<ScheduleDefinition>): Fault[] {
  const faults: Fault[] = []
  if (start_at && end_at && Date.parse(end_at) <= Date.parse(start_at))
    faults.push({ pointer: '/end_at', detail: 'must be after start_at' })
  if (schedule?.kind === 'clocked' && one_off === false)
    faults.push({
      pointer: '/one_off',
      detail: 'must be true: a clocked schedule fires once; or leave it out',
    })
  return faults
}

/** Why a schedule as it would be saved now can never fire any more, or null. */
export function whyNever(
  { schedule, start_at, end_at, anchor_at }: ScheduleDefinition,
  almanac: Almanac,
  nowMs: number,
): Fault | null {
  if (schedule.kind === 'clocked' && Date.parse(schedule.at) <= nowMs)
    return { pointer: '/schedule/at', detail: 'is past; give an instant that lies ahead' }
  const [startMs, endMs, anchorMs] = [start_at, end_at, anchor_at ?? start_at].map((at) =>
    at === null ? null : Date.parse(at),
  )
  if (endMs != null && endMs <= nowMs)
    return { pointer: '/end_at', detail: 'is past; give a later one, or none' }
  const first = (bounds: { startMs?: number | null; endMs?: number | null }): number | null =>
    almanac.timetable(schedule, { anchorMs: anchorMs ?? nowMs, ...bounds }).next(nowMs)
  if (first({ startMs, endMs }) !== null) return null
  const open = first({ startMs })
  if (open !== null) {
    const detail = `leaves no instant: the first would be ${new Date(open).toISOString()}`
    return { pointer: '/end_at', detail }
  }
  if (first({}) !== null)
    return { pointer: '/start_at', detail: 'is after the last instant; give an earlier one' }
  return { pointer: '/schedule', detail: 'never comes; change it so that an instant lies ahead' }
}

type Read = { value: unknown } | { faults: Fault[] }

function readField(key: string, value: unknown, zone: string): Read {
  const pointer = `/${key}`
  if (value === null && Object.hasOwn(MISSING, key)) return { faults: [{ pointer, detail: MISSING[key]! }] }
  if (key === 'schedule') {
    const read = readSpec(value, pointer, zone)
    return 'spec' in read ? { value: read.spec } : read
  }
  if (key === 'input') {
    const stored = storableText(value ?? {}, pointer)
    return 'text' in stored ? { value: JSON.parse(stored.text) } : { faults: [stored.fault] }
  }
  const field = FIELDS[key as keyof typeof FIELDS]
  if (value === null) return { value: copy(field.default) }
  const unstorable = findUnstorable(value, pointer)
  const detail = unstorable ? null : field.check(value)
  if (unstorable) return { faults: [unstorable] }
  if (detail) return { faults: [{ pointer, detail }] }
  return { value: field.keep ? field.keep(value) : value }
}

function unknownField(key: string): string {
  return ANSWERED.split(' ').includes(key)
    ? 'is answered and never taken; leave it out'
    : `is not a field of a schedule; known are ${NAMES.join(', ')}`
}

function copy(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}
