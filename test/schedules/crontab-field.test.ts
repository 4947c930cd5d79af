/** Fields of a crontab: what the real Celery reads, what it refuses, and what we refuse or take on top (the README of the vectors). */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { CRONTAB_FIELDS, readField, type FieldName } from '../../src/schedules/crontab-field.ts'
import { readCrontab } from '../../src/schedules/crontab.ts'

const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/conformance/${name}.json`, import.meta.url), 'utf8'))

interface Fact {
  test: string
  input: string
  min: number
  max: number
  expanded?: number[]
}
interface FieldFact {
  field: FieldName
  value: unknown
  expanded?: number[]
}
const facts: {
  parser: Fact[]
  parser_errors: Fact[]
  fields: FieldFact[]
  field_errors: FieldFact[]
  equality: { a: Record<string, string>; b: Record<string, string>; equal: boolean }[]
} = load('upstream_test_facts')

/** The values a field has after everybody's reader, or its faults. */
function read(name: FieldName, value: unknown): number[] | string[] {
  const crontab = readCrontab({ [name]: value }, '/schedule', 'UTC')
  if ('faults' in crontab) return crontab.faults.map(({ pointer, detail }) => `${pointer} ${detail}`)
  const field = readField(CRONTAB_FIELDS[name], crontab.spec[name])
  return 'values' in field ? field.values : [field.fault]
}

/** Celery's `max` is one above the values, counted from min 0; and a count where min is 1. */
const field = ({ min, max }: Fact) => ({ min, max: min === 0 ? max - 1 : max, allowed: 'numbers' })

t.test("Celery's parser facts hold", (t) => {
  t.ok(facts.parser.length > 10)
  for (const fact of facts.parser)
    t.strictSame(readField(field(fact), fact.input), { values: fact.expanded }, `${fact.test} ${fact.input}`)
  for (const fact of facts.parser_errors) t.hasProp(readField(field(fact), fact.input), 'fault', fact.test)
  t.end()
})

t.test("Celery's field facts hold, but that 7 is Sunday", (t) => {
  t.ok(facts.fields.length > 10)
  for (const { field, value, expanded } of facts.fields)
    t.strictSame(read(field, value), expanded, `${field} ${JSON.stringify(value)}`)
  for (const { field, value } of facts.field_errors) {
    if (field === 'day_of_week' && value === '7') t.strictSame(read(field, value), [0])
    else
      t.match(read(field, value), [new RegExp(`^/schedule/${field} must be `)], `${field} ${String(value)}`)
  }
  for (const { a, b, equal } of facts.equality) {
    const values = (spec: Record<string, string>) =>
      Object.keys(CRONTAB_FIELDS).map((name) => read(name as FieldName, spec[name]))
    t.equal(JSON.stringify(values(a)) === JSON.stringify(values(b)), equal, JSON.stringify([a, b]))
  }
  t.end()
})

t.test('what must be refused is refused with the field named, what must be accepted is accepted', (t) => {
  const invalid: { field: FieldName; value: unknown; verdict: string }[] = load('crontab_invalid').fields
  t.ok(invalid.length > 150)
  for (const { field, value, verdict } of invalid) {
    const values = read(field, value)
    const isAccepted = values.every((entry) => typeof entry === 'number')
    const words = `${verdict}: ${field} ${JSON.stringify(value)}`
    if (verdict === 'must_accept') t.ok(isAccepted, words)
    if (verdict.startsWith('must_refuse'))
      t.match(values, [new RegExp(`^/schedule/${field} must be .*: .`)], words)
  }
  t.end()
})

t.test('ranges wrap around, 0 and 7 are Sunday at either end', (t) => {
  const cases: [name: FieldName, text: string, values: number[]][] = [
    ['hour', '22-2', [0, 1, 2, 22, 23]],
    ['hour', '22-2/2', [0, 2, 22]],
    ['minute', '50-10/20', [10, 30, 50].filter((minute) => minute !== 30)],
    ['month_of_year', 'nov-feb', [1, 2, 11, 12]],
    ['month_of_year', 'Sept', [9]],
    ['day_of_week', '7', [0]],
    ['day_of_week', '7-7', [0]],
    ['day_of_week', '0-0', [0]],
    ['day_of_week', '0-7', [0, 1, 2, 3, 4, 5, 6]],
    ['day_of_week', 'sun-7', [0, 1, 2, 3, 4, 5, 6]],
    ['day_of_week', '1-7', [0, 1, 2, 3, 4, 5, 6]],
    ['day_of_week', '5-7', [0, 5, 6]],
    ['day_of_week', '7-1', [0, 1]],
    ['day_of_week', '7-5', [0, 1, 2, 3, 4, 5]],
    ['day_of_week', 'sat-sun', [0, 6]],
    ['day_of_week', '0-7/2', [0, 2, 4, 6]],
    ['day_of_week', '*/7', [0]],
    ['day_of_week', 'THURS', [4]],
    ['minute', '*/100', [0]],
    ['minute', ' 5 , 07 ', [5, 7]],
    ['day_of_month', '*/31', [1]],
    ['day_of_month', '31-1', [1, 31]],
  ]
  for (const [name, text, values] of cases) t.strictSame(read(name, text), values, `${name} ${text}`)
  t.end()
})

t.test('a refusal says what is wrong and what may stand there', (t) => {
  const cases: [name: FieldName, value: unknown, detail: string][] = [
    [
      'minute',
      '60',
      'must be 0-59, *, a list (0,30), a range (10-20) or a step (*/15): "60" is none of them',
    ],
    [
      'hour',
      '5/2',
      'must be 0-23, *, a list (9,17), a range (22-2) or a step (*/6): "5/2" could mean two things, write 5 or 5-23/2',
    ],
    [
      'day_of_month',
      '*/0',
      'must be 1-31, *, a list (1,15), a range (8-14) or a step (*/2): the step of "*/0" is not a number from 1 to 999',
    ],
    [
      'month_of_year',
      null,
      'must be 1-12, a name (jan), *, a list (3,6,9,12), a range (nov-feb) or a step (*/3): it is null',
    ],
    [
      'day_of_week',
      'mon#1',
      'must be 0-7 (0 and 7 are Sunday), a name (mon), *, a list (sat,sun), a range (mon-fri) or a step (*/2): "mon#1" is not understood',
    ],
    [
      'minute',
      `0${',0'.repeat(130)}`,
      'must be 0-59, *, a list (0,30), a range (10-20) or a step (*/15): it is longer than 255 characters',
    ],
  ]
  for (const [name, value, detail] of cases) t.strictSame(read(name, value), [`/schedule/${name} ${detail}`])
  t.end()
})
