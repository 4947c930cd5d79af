/**
 * When a schedule is due, as data: REST's `schedule` object, in one of four kinds. There is one strict reader of it, for the
 * form, REST, SQL, code, import and the beat, so nothing is accepted by one of them that another cannot run. What it
 * answers is complete (each default is written out) and canonical (one spelling), so two specs are equal when their texts are.
 */
import { instant, integer, isObject, oneOf, pointerStep, type Schema } from '../check.ts'
import type { Fault } from '../errors.ts'
import type { Cadence } from './cadence.ts'
import { createClocked, describeClocked, readClocked, type ClockedSpec } from './clocked.ts'
import { createCrontabClock, readCrontab, type CrontabSpec } from './crontab.ts'
import { describeCrontab } from './crontab-words.ts'
import { createInterval, describeInterval, PERIODS, readInterval, type IntervalSpec } from './interval.ts'
import { createSolar, describeSolar, readSolar, SOLAR_EVENTS, type SolarSpec } from './solar.ts'
import type { Zones } from './zone.ts'

export type ScheduleSpec = CrontabSpec | IntervalSpec | SolarSpec | ClockedSpec
export type ReadSpec<Spec = ScheduleSpec> = { spec: Spec } | { faults: Fault[] }

const FIELDS: Readonly<Record<ScheduleSpec['kind'], readonly string[]>> = {
  crontab: ['minute', 'hour', 'day_of_month', 'month_of_year', 'day_of_week', 'timezone', 'mode'],
  interval: ['every', 'period'],
  solar: ['event', 'latitude', 'longitude'],
  clocked: ['at'],
}
const crontabField: Schema = {
  description: 'As in `*/15`, `1-5`, `mon,fri`; default `*`',
  anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'array', items: { type: 'number' } }],
}
/** The shape of each kind, for who reads the API's description; `readSpec` is stricter. */
const SHAPES: Readonly<Record<ScheduleSpec['kind'], Schema>> = {
  crontab: shapeOf('crontab', {
    ...Object.fromEntries(FIELDS.crontab.slice(0, 5).map((name) => [name, crontabField])),
    timezone: { type: 'string', description: 'An IANA name' },
    mode: oneOf('celery', 'cron').schema,
  }),
  interval: shapeOf(
    'interval',
    { every: integer(1, Number.MAX_SAFE_INTEGER).schema, period: oneOf(...PERIODS).schema },
    FIELDS.interval,
  ),
  solar: shapeOf(
    'solar',
    {
      event: oneOf(...SOLAR_EVENTS).schema,
      latitude: { type: 'number', minimum: -90, maximum: 90 },
      longitude: { type: 'number', minimum: -180, maximum: 180 },
    },
    FIELDS.solar,
  ),
  clocked: shapeOf('clocked', { at: instant.schema }, FIELDS.clocked),
}
/** REST's `schedule` object. */
export const SPEC_BODY: Schema = { title: 'Timing', oneOf: Object.values(SHAPES) }
/** Some of it, for an edit: without a kind it changes the schedule that stands. */
export const SPEC_CHANGES: Schema = {
  anyOf: [SPEC_BODY, { type: 'object', properties: { kind: false } }],
}

function shapeOf(kind: string, properties: Schema, needed: readonly string[] = []): Schema {
  return {
    title: `Timing${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
    type: 'object',
    properties: { kind: { const: kind }, ...properties },
    required: ['kind', ...needed],
    additionalProperties: false,
  }
}

/** Fields that Celery has and we have not, and what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  relative: 'is not offered: an interval counts from its anchor; for round times of the clock use a crontab',
}

/**
 * A schedule, or everything that is wrong with it, each with a pointer below `pointer`. `zone` is that of a crontab which
 * names none.
 */
export function readSpec(value: unknown, pointer: string, zone: string): ReadSpec {
  if (!isObject(value)) {
    const detail = 'must be an object such as {"kind": "interval", "every": 10, "period": "minutes"}'
    return { faults: [{ pointer, detail }] }
  }
  const wrong = oneOf(...Object.keys(FIELDS))(value.kind)
  if (wrong) return { faults: [{ pointer: `${pointer}/kind`, detail: wrong }] }
  const kind = value.kind as ScheduleSpec['kind']
  const unknown = Object.keys(value).filter((key) => key !== 'kind' && !FIELDS[kind].includes(key))
  const faults = unknown.map((key) => ({
    pointer: pointer + pointerStep(key),
    detail: Object.hasOwn(ELSEWHERE, key)
      ? ELSEWHERE[key]!
      : `is no part of a schedule of kind ${kind}; known are ${FIELDS[kind].join(', ')}`,
  }))
  const known = Object.fromEntries(Object.entries(value).filter(([key]) => !unknown.includes(key)))
  const read = readKind(kind, known, pointer, zone)
  if (faults.length === 0) return read
  return { faults: 'faults' in read ? [...faults, ...read.faults] : faults }
}

function readKind(
  kind: ScheduleSpec['kind'],
  value: Readonly<Record<string, unknown>>,
  pointer: string,
  zone: string,
): ReadSpec {
  switch (kind) {
    case 'crontab':
      return readCrontab(value, pointer, zone)
    case 'interval':
      return readInterval(value, pointer)
    case 'solar':
      return readSolar(value, pointer)
    case 'clocked':
      return readClocked(value, pointer)
  }
}

/** A schedule in plain words, as they follow the name of a task: "every 10 seconds", "at sunset at 50.45, 30.52". */
export function describeSpec(spec: ScheduleSpec): string {
  switch (spec.kind) {
    case 'crontab':
      return describeCrontab(spec)
    case 'interval':
      return describeInterval(spec)
    case 'solar':
      return describeSolar(spec)
    case 'clocked':
      return describeClocked(spec)
  }
}

/** The instants of a schedule; intervals count from `anchorMs`. */
export function createCadence(spec: ScheduleSpec, anchorMs: number, zones: Zones): Cadence {
  switch (spec.kind) {
    case 'crontab':
      return createCrontabClock(spec, zones)
    case 'interval':
      return createInterval(spec, anchorMs)
    case 'solar':
      return createSolar(spec)
    case 'clocked':
      return createClocked(spec)
  }
}
