/**
 * Bodies of the verbs on schedules, each read strictly: every wrong place is told at once, and a field that is not known
 * is refused. What a schedule itself holds is read by schedules/definition.ts.
 */
import {
  check,
  duration,
  flag,
  instant,
  integer,
  isObject,
  objectSchema,
  pointerStep,
  text,
  type Check,
} from '../check.ts'
import type { Stretch } from '../control/backfill.ts'
import { refuseSchedule } from '../control/schedule-refusal.ts'
import type { Rehearsal } from '../control/schedule-outlook.ts'
import type { Back, Draft, RunByHand } from '../control/schedules.ts'
import type { Pause } from '../db/statements/schedule-edits.ts'
import { parseDuration } from '../duration.ts'
import { EnqueueError, type Fault } from '../errors.ts'
import { parseInstant } from '../instant.ts'
import { findUnstorable } from '../json.ts'
import { CHANGES_BODY, DEFINITION_BODY } from '../schedules/definition.ts'
import { SPEC_BODY } from '../schedules/spec.ts'
import { readRunBody } from './run-body.ts'
import { PREVIEW, PREVIEW_MAX } from './schedule-query.ts'

const span = check({ anyOf: [instant.schema, duration.schema] }, (value) =>
  instant(value) !== null && duration(value) !== null
    ? 'must be an instant such as "2026-01-31T12:00:00Z", or a duration from now such as "2 hours"'
    : null,
)

/** What any verb takes when nothing is said: no body, or null, is {}. */
function readFields(
  body: unknown,
  fields: Readonly<Record<string, Check | null>>,
  needed: readonly string[] = [],
): Record<string, unknown> {
  const given = body ?? {}
  const known = Object.keys(fields).join(', ') || 'none'
  if (!isObject(given))
    throw refuseSchedule([{ pointer: '', detail: `must be an object; its fields are ${known}` }])
  const faults: Fault[] = needed
    .filter((name) => (given[name] ?? null) === null)
    .map((name) => ({ pointer: `/${name}`, detail: 'is missing' }))
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(fields, name)) {
      faults.push({ pointer: pointerStep(name), detail: `is not a field here; known are ${known}` })
      continue
    }
    if (value === null) continue
    const unstorable = findUnstorable(value, `/${name}`)
    const detail = unstorable ? null : fields[name]?.(value)
    if (unstorable) faults.push(unstorable)
    else if (detail) faults.push({ pointer: `/${name}`, detail })
    else read[name] = value
  }
  if (faults.length > 0) throw refuseSchedule(faults)
  return read
}

/** Of verbs that take nothing: no body, or an empty one. */
export const NOTHING_BODY = objectSchema({})

/** For verbs that take nothing. */
export function readNothing(body: unknown): void {
  readFields(body, {})
}

const PAUSE = { reason: text(500), until: span }
export const PAUSE_BODY = objectSchema(PAUSE)

export function readPause(body: unknown): Pause {
  const { reason = null, until = null } = readFields(body, PAUSE)
  const seconds = parseDuration(until)
  return {
    reason: reason as string | null,
    until: seconds === null ? (until as string | null) : seconds / 1000,
  }
}

const BACK = { version: integer(1, 999_999_999), reason: text(500) }
export const BACK_BODY = objectSchema(BACK)

export function readBack(body: unknown): Back {
  const { version = null, reason = null } = readFields(body, BACK)
  return { version: version as number | null, reason: reason as string | null }
}

const REHEARSAL = { as_of: instant, changes: null }
export const REHEARSAL_BODY = objectSchema({ ...REHEARSAL, changes: CHANGES_BODY })

/** Of a schedule that stands. */
export function readRehearsal(body: unknown): Rehearsal {
  const { as_of = null, changes = null } = readFields(body, REHEARSAL)
  return { asOf: as_of as string | null, body: changes }
}

const DRAFT_REHEARSAL = { as_of: instant, definition: null }
const DRAFT_REHEARSAL_NEEDS = ['definition']
export const DRAFT_REHEARSAL_BODY = objectSchema(
  { ...DRAFT_REHEARSAL, definition: DEFINITION_BODY },
  DRAFT_REHEARSAL_NEEDS,
)

/** Of one that is not saved. */
export function readDraftRehearsal(body: unknown): Rehearsal {
  const { as_of = null, definition } = readFields(body, DRAFT_REHEARSAL, DRAFT_REHEARSAL_NEEDS)
  return { asOf: as_of as string | null, body: definition }
}

const STRETCH = { from: instant, to: instant, dry_run: flag }
const STRETCH_NEEDS = ['from', 'to']
export const STRETCH_BODY = objectSchema(STRETCH, STRETCH_NEEDS)

export function readStretch(body: unknown): Stretch {
  const read = readFields(body, STRETCH, STRETCH_NEEDS)
  return { from: read.from as string, to: read.to as string, dryRun: read.dry_run === true }
}

const DRAFT = {
  schedule: null,
  after: instant,
  count: integer(1, PREVIEW_MAX),
  anchor_at: instant,
  start_at: instant,
  end_at: instant,
}
export const DRAFT_BODY = objectSchema({ ...DRAFT, schedule: SPEC_BODY }, ['schedule'])

export function readDraft(body: unknown): Draft {
  const read = readFields(body, DRAFT, ['schedule'])
  const moment = (name: string): number | undefined => parseInstant(read[name]) ?? undefined
  return {
    schedule: read.schedule,
    afterMs: moment('after'),
    count: (read.count as number | undefined) ?? PREVIEW,
    anchorMs: moment('anchor_at'),
    startMs: moment('start_at'),
    endMs: moment('end_at'),
  }
}

/** `as_of`, and the fields of POST /v1/runs but `task`. Throws EnqueueError with a fault for each wrong place. */
export function readRunByHand(body: unknown): RunByHand {
  const given = body ?? {}
  if (!isObject(given))
    throw refuseRun([{ pointer: '', detail: 'must be an object such as {"as_of": "2026-01-31T03:00:00Z"}' }])
  const { as_of = null, task, ...rest } = given
  const { request, faults } = readRunBody({ ...rest, task: 'task' })
  const wrong = as_of === null ? null : instant(as_of)
  if (wrong) faults.push({ pointer: '/as_of', detail: wrong })
  if (task !== undefined)
    faults.push({ pointer: '/task', detail: "is the schedule's own; leave it out, or POST /v1/runs" })
  if (faults.length > 0) throw refuseRun(faults)
  return { asOf: as_of as string | null, request }
}

function refuseRun(faults: Fault[]): EnqueueError {
  const [first] = faults as [Fault]
  return new EnqueueError('RB_OPTION_INVALID', `${first.pointer} ${first.detail}`.trim(), faults)
}
