/**
 * What a search may ask of a run: its fields, and how the values of each are read. Every reader takes one term and answers
 * conditions or what is wrong with it. Nothing here reads a clock: who asks says what time it is.
 */
import { isUuid } from '../../check.ts'
import {
  ID_FIELDS,
  JSON_FIELDS,
  NUMBER_FIELDS,
  SPAN_FIELDS,
  TEXT_FIELDS,
  TIME_FIELDS,
  type RunCondition,
  type RunField,
} from '../../db/statements/run-conditions.ts'
import { parseDuration } from '../../duration.ts'
import { parseInstant } from '../../instant.ts'
import { FINISHED_STATES, RUN_STATES, type RunState } from '../run.ts'
import { literal, type SearchFault, type Term, type Value } from './terms.ts'

export type Read = RunCondition | SearchFault
export type ReadTerm = (term: Term, nowMs: number) => Read

/** Words for states, beside the states themselves in upper or lower case. */
const STATE_WORDS: Readonly<Record<string, readonly RunState[]>> = {
  waiting: ['PENDING', 'SCHEDULED', 'RETRY'],
  queued: ['PENDING'],
  running: ['STARTED', 'PROGRESS'],
  retrying: ['RETRY'],
  succeeded: ['SUCCESS'],
  failed: ['FAILURE'],
  cancelled: ['REVOKED'],
  finished: FINISHED_STATES,
  unfinished: RUN_STATES.filter((state) => !FINISHED_STATES.includes(state)),
}

/** Why runs are in their state. */
export const REASONS = [
  'eta',
  'snooze',
  'retry',
  'paused',
  'rate',
  'concurrency',
  'flow',
  'overflow',
  'skipped',
  'error',
  'attempts_exhausted',
  'discarded',
  'time_limit',
  'worker_lost',
  'input_invalid',
  'revoked',
  'terminated',
  'expired',
  'replaced',
] as const

const known = (words: readonly string[]): string => words.join(', ')

/** The states that a term names. */
export function readStates({ at, compare, values }: Term): readonly RunState[] | SearchFault {
  if (compare) return { at, detail: 'has no order: leave < and > out' }
  const states: RunState[] = []
  for (const { at: place, text } of values) {
    const word = text.toLowerCase()
    const state = RUN_STATES.find((name) => name === text.toUpperCase())
    const named = state ? [state] : Object.hasOwn(STATE_WORDS, word) ? STATE_WORDS[word]! : null
    if (!named)
      return {
        at: place,
        detail: `"${text}" is no state; known are ${known([...RUN_STATES, ...Object.keys(STATE_WORDS)])}`,
      }
    states.push(...named)
  }
  return states
}

const isFaulty = (read: unknown): read is SearchFault => typeof (read as SearchFault).detail === 'string'

const text =
  (field: RunField): ReadTerm =>
  ({ at, compare, values, isNot }) => {
    if (compare) return { at, detail: 'has no order: leave < and > out' }
    return { field, isNot, ...matching(values) }
  }

/** Exactly these; as patterns once one of them has a star. */
function matching(values: readonly Value[]): Pick<RunCondition, 'compare' | 'values'> {
  return values.some(({ pattern }) => pattern !== null)
    ? { compare: 'like', values: values.map((value) => value.pattern ?? literal(value.text)) }
    : { compare: 'is', values: values.map((value) => value.text) }
}

const reason: ReadTerm = (term, nowMs) => {
  const wrong = term.values.find((value) => value.pattern === null && !REASONS.includes(value.text as never))
  return wrong
    ? { at: wrong.at, detail: `"${wrong.text}" is no reason of a state; known are ${known(REASONS)}` }
    : text('reason')(term, nowMs)
}

const id =
  (field: RunField): ReadTerm =>
  (term, nowMs) => {
    const wrong = term.values.find(({ text: given, pattern }) => !isUuid(given) && pattern === null)
    if (wrong) return { at: wrong.at, detail: `"${wrong.text}" is no UUID; end its beginning with a star` }
    const read = text(field)(term, nowMs)
    return isFaulty(read)
      ? read
      : { ...read, values: read.values.map((value) => String(value).toLowerCase()) }
  }

const NUMBER = /^-?\d{1,9}(\.\d{1,9})?$/

const number =
  (field: RunField): ReadTerm =>
  ({ at, compare, values, isNot }) => {
    const wrong = values.find((value) => !NUMBER.test(value.text))
    if (wrong) return { at: wrong.at, detail: `"${wrong.text}" is no number` }
    if (compare && values.length > 1) return { at, detail: 'takes one value after < or >' }
    return { field, isNot, compare: compare ?? 'is', values: values.map((value) => Number(value.text)) }
  }

const span =
  (field: RunField): ReadTerm =>
  ({ at, compare, values, isNot }) => {
    const [value] = values
    const ms = parseDuration(value!.text)
    if (ms === null) return { at: value!.at, detail: `"${value!.text}" is no duration, such as 5s or 10m` }
    if (!compare || values.length > 1)
      return { at, detail: `is compared: write ${field}:>${value!.text}, or < >= <=` }
    return { field, isNot, compare, values: [ms / 1000] }
  }

const DAY = /^\d{4}-\d\d-\d\d$/

const time =
  (field: RunField): ReadTerm =>
  ({ at, compare, values, isNot }, nowMs) => {
    const [value] = values
    const { text: given } = value!
    const ms = DAY.test(given) ? parseInstant(`${given}T00:00:00Z`) : readTime(given, nowMs)
    const last = ms === null ? null : toInstant(ms + 86_400_000)
    if (ms === null || toInstant(ms) === null || last === null) {
      return {
        at: value!.at,
        detail: `"${given}" is no time: write -1h for an hour ago, +1h for an hour from now, 2026-01-31, or 2026-01-31T12:00:00Z`,
      }
    }
    if (values.length > 1) return { at, detail: 'takes one time' }
    if (compare) return { field, isNot, compare, values: [toInstant(ms)!] }
    if (!DAY.test(given)) return { at, detail: `is compared: write ${field}:>${given}, or < >= <=` }
    return { field, isNot, compare: 'from', values: [toInstant(ms)!, last] }
  }

function readTime(given: string, nowMs: number): number | null {
  if (given === 'now') return nowMs
  const [sign, rest] = [given[0], given.slice(1)]
  const ms = sign === '-' || sign === '+' ? parseDuration(rest) : null
  return ms === null ? parseInstant(given) : sign === '-' ? nowMs - ms : nowMs + ms
}

/** null for what RFC 3339 cannot write. */
function toInstant(ms: number): string | null {
  const year = Math.abs(ms) <= 8.64e15 ? new Date(ms).getUTCFullYear() : 0
  return year >= 1 && year <= 9999 ? new Date(ms).toISOString() : null
}

const json =
  (field: RunField): ReadTerm =>
  ({ at, path, compare, values, isNot }) => {
    const [value] = values
    if (path.length === 0) {
      if (compare) return { at, detail: `needs to know what in it: ${field}.name:${compare}${value!.text}` }
      return { field, isNot, compare: 'has', values: values.map(patternWithin) }
    }
    if (compare) {
      if (values.length > 1) return { at, detail: 'takes one value after < or >' }
      const isNumber = !value!.isQuoted && NUMBER.test(value!.text)
      return { field, path, isNot, compare, values: [isNumber ? Number(value!.text) : value!.text] }
    }
    const { compare: how, values: texts } = matching(values)
    const given = texts.map((one, i) => (one === 'null' && !values[i]!.isQuoted ? null : one))
    return { field, path, isNot, compare: how, values: given }
  }

/** Anywhere in the text. */
const patternWithin = ({ text: given, pattern }: Value): string => `%${pattern ?? literal(given)}%`

/** A word by itself: the task, the beginning of the id, or words of the error. */
export function readWord({ values, isNot }: Term): RunCondition {
  const [value] = values
  return { field: 'text', isNot, compare: 'has', values: [value!.pattern ?? literal(value!.text)] }
}

const all = (names: readonly RunField[], read: (field: RunField) => ReadTerm): Record<string, ReadTerm> =>
  Object.fromEntries(names.map((name) => [name, read(name)]))

/** Every field by its name, but `state`. */
export const FIELDS: Readonly<Record<string, ReadTerm>> = {
  ...all(TEXT_FIELDS, text),
  ...all(ID_FIELDS, id),
  ...all(NUMBER_FIELDS, number),
  ...all(SPAN_FIELDS, span),
  ...all(TIME_FIELDS, time),
  ...all(JSON_FIELDS, json),
  reason,
}

/** Columns of rowbeat.runs that are called otherwise here, and the plural that comes to mind. */
export const ALIASES: Readonly<Record<string, string>> = {
  tags: 'tag',
  key: 'unique_key',
  created_at: 'created',
  started_at: 'started',
  finished_at: 'finished',
  expires_at: 'expires',
  due_at: 'due',
  eta: 'run_at',
}

/** Fields that have something inside. */
export const hasInside = (field: string): boolean => JSON_FIELDS.includes(field as never)
export { isFaulty }
