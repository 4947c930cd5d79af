/**
 * A schedule as it is told: the columns of its row as REST answers them, its timing complete and canonical, and that timing
 * in plain words. A row whose timing cannot be read (SQL may write one) is told as it is, without words; `error` says why.
 */
import { mayDo, type Caller } from '../auth/scopes.ts'
import type { Almanac, Bounds } from '../schedules/almanac.ts'
import type { ScheduleDefinition } from '../schedules/definition.ts'
import { createShelf } from '../schedules/shelf.ts'
import { describeSpec, type ScheduleSpec } from '../schedules/spec.ts'

/** All keys are always present; instants are RFC 3339 UTC with milliseconds, durations seconds. */
export interface ScheduleDocument extends Omit<ScheduleDefinition, 'schedule' | 'anchor_at'> {
  id: string
  /** What was stored, where that is no schedule. */
  schedule: ScheduleSpec
  kind: string
  pause_reason: string | null
  resume_at: string | null
  failures: number
  origin: 'user' | 'code'
  edited_at: string | null
  version: number
  anchor_at: string
  next_run_at: string | null
  last_run_at: string | null
  firings_total: number
  error: string | null
  created_at: string
  updated_at: string
  /** In plain words; null for a timing that cannot be read. */
  text: string | null
}

export interface FiringDocument {
  schedule_id: string
  due_at: string
  state: 'fired' | 'skipped' | 'missed'
  reason: string | null
  run_id: string | null
  fired_at: string | null
  /** Seconds from the due instant to the firing. */
  lateness: number | null
  version: number
  /** Instants that this row stands for; null: more than anybody counted. */
  count: number | null
  until_at: string | null
}

/** Reads rows, JSON text as db/statements/schedules.ts makes it. */
export interface ScheduleReader {
  toDocument(row: string): ScheduleDocument
  /** Only what people wrote of it. */
  toDefinition(row: string): ScheduleDefinition
}

/** Timings whose words are kept ready: a crontab takes 100 µs to word, and a list has hundreds. */
const KEPT = 5000

export function createScheduleReader(almanac: Almanac): ScheduleReader {
  const words = createShelf<string, string>(KEPT)
  const read = (row: string): [document: ScheduleDocument, spec: ScheduleSpec | null] => {
    const document = JSON.parse(row) as ScheduleDocument
    const result = almanac.readText(JSON.stringify(document.schedule))
    return [document, 'spec' in result ? result.spec : null]
  }
  return Object.freeze({
    toDocument(row: string) {
      const [document, spec] = read(row)
      if (!spec) return { ...document, text: null }
      const text = words.get(JSON.stringify(spec), () => describeSpec(spec))
      return { ...document, schedule: spec, text }
    },
    toDefinition(row: string) {
      const [document, spec] = read(row)
      return definitionOf(spec ? { ...document, schedule: spec } : document)
    },
  })
}

const DEFINITION = [
  'name',
  'task',
  'input',
  'schedule',
  'enabled',
  'queue',
  'priority',
  'tags',
  'headers',
  'expires',
  'one_off',
  'start_at',
  'end_at',
  'jitter',
  'overlap',
  'catch_up',
  'catch_up_window',
  'firings_max',
  'failures_max',
  'anchor_at',
  'description',
] as const satisfies readonly (keyof ScheduleDefinition)[]

/** The part of it that people write. */
export function definitionOf(document: ScheduleDocument): ScheduleDefinition {
  return Object.fromEntries(DEFINITION.map((key) => [key, document[key]])) as unknown as ScheduleDefinition
}

/** What is answered and never taken. */
export function isAnsweredOnly(key: string): boolean {
  return ANSWERED.includes(key)
}
export const ANSWERED: readonly string[] = (
  'id kind pause_reason resume_at failures origin edited_at version next_run_at last_run_at firings_total error ' +
  'created_at updated_at text'
).split(' ')

/** Whoever may only write learns that it was changed, not what it holds: to know an id is no right to read. */
export function revealTo(caller: Caller, document: ScheduleDocument): ScheduleDocument {
  return mayDo(caller, 'schedules:read')
    ? document
    : { ...document, input: null, headers: {}, tags: [], description: '' }
}

/** From and until when it may fire. */
export function boundsOf({ anchor_at, start_at, end_at }: ScheduleDocument): Bounds {
  return {
    anchorMs: Date.parse(anchor_at),
    startMs: start_at === null ? null : Date.parse(start_at),
    endMs: end_at === null ? null : Date.parse(end_at),
  }
}
