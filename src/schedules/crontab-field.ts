/**
 * One field of a crontab, strictly read: text in, the sorted values it names out, or what is wrong with it.
 *
 *   field = item ("," item)*      item = ("*" | value | value "-" value) ["/" step]
 *
 * What Celery runs is read as Celery reads it: a range may wrap around (22-2 is 22, 23, 0, 1, 2) and a step counts along it;
 * names stand for numbers, from three letters to all of them (fri, thurs, Sunday). 7 is Sunday too, as in cron. What is not
 * plainly understood is refused rather than guessed: `5/2`, `?`, `L`, `mon#1`, `1-5-7`, an empty item.
 */

export interface CrontabField {
  readonly min: number
  readonly max: number
  /** The highest number that may be written where it is not `max`: 7 is Sunday, as 0 is. */
  readonly topmost?: number
  /** `names[0]` is `min`. */
  readonly names?: readonly string[]
  /** What may stand there, for who has to mend it. */
  readonly allowed: string
}

export type FieldName = keyof typeof CRONTAB_FIELDS

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = `January February March April May June
  July August September October November December`.split(/\s+/)

/** In the order of a crontab's line. */
export const CRONTAB_FIELDS = {
  minute: { min: 0, max: 59, allowed: '0-59, *, a list (0,30), a range (10-20) or a step (*/15)' },
  hour: { min: 0, max: 23, allowed: '0-23, *, a list (9,17), a range (22-2) or a step (*/6)' },
  day_of_month: { min: 1, max: 31, allowed: '1-31, *, a list (1,15), a range (8-14) or a step (*/2)' },
  month_of_year: {
    min: 1,
    max: 12,
    names: MONTHS,
    allowed: '1-12, a name (jan), *, a list (3,6,9,12), a range (nov-feb) or a step (*/3)',
  },
  day_of_week: {
    min: 0,
    max: 6,
    topmost: 7,
    names: DAYS,
    allowed: '0-7 (0 and 7 are Sunday), a name (mon), *, a list (sat,sun), a range (mon-fri) or a step (*/2)',
  },
} as const satisfies Record<string, CrontabField>

export const FIELD_NAMES = Object.keys(CRONTAB_FIELDS) as FieldName[]

/** Longer than any field that means something. */
const LONGEST_TEXT = 255

type Read = { values: number[] } | { fault: string }

/** The values of a field's text, sorted and each once; or what is wrong with it and what may stand there. */
export function readField(field: CrontabField, text: string): Read {
  const refuse = (why: string): Read => ({ fault: `must be ${field.allowed}: ${why}` })
  if (text.length > LONGEST_TEXT) return refuse(`it is longer than ${LONGEST_TEXT} characters`)
  const values = new Set<number>()
  for (const item of text.split(',')) {
    const read = readItem(field, item.trim())
    if ('fault' in read) return refuse(read.fault)
    for (const value of read.values) values.add(value)
  }
  return { values: [...values].sort((a, b) => a - b) }
}

function readItem(field: CrontabField, item: string): Read {
  if (item === '') return { fault: 'it is empty, or has nothing before or after a comma' }
  const quoted = JSON.stringify(item)
  const match = /^(?:\*|(\w+)(?:-(\w+))?)(?:\/(\w+))?$/.exec(item)
  if (!match) return { fault: `${quoted} is not understood` }
  const [, first, last, stepText] = match
  const step = stepText === undefined ? 1 : /^[0-9]{1,3}$/.test(stepText) ? Number(stepText) : 0
  if (step === 0) return { fault: `the step of ${quoted} is not a number from 1 to 999` }
  if (first === undefined) return { values: every(field, field.min, field.max, step) }
  if (last === undefined && stepText !== undefined)
    return { fault: `${quoted} could mean two things, write ${first} or ${first}-${field.max}/${step}` }
  const from = valueOf(field, first)
  const to = last === undefined ? from : valueOf(field, last)
  if (from === null || to === null)
    return { fault: `${JSON.stringify(from === null ? first : last)} is none of them` }
  return { values: every(field, from, to, step) }
}

/** Every `step`-th value of a range, both ends counted, over the end of the field if need be. */
function every({ min, max }: CrontabField, from: number, to: number, step: number): number[] {
  const size = max - min + 1
  // 0-7 and sun-7 are the whole week, while 7 alone, 7-7 and sat-sun end on the next Sunday.
  const length = to > max && from === min ? size : ((to - from + size) % size) + 1
  return Array.from(
    { length: Math.ceil(length / step) },
    (_, index) => min + ((from - min + index * step) % size),
  )
}

/** The number a value stands for; for a weekday 7 stays 7, since as the end of a range it is not 0. */
function valueOf({ min, max, topmost = max, names = [] }: CrontabField, text: string): number | null {
  const number = numberOf(text)
  if (number !== null) return number >= min && number <= topmost ? number : null
  const name = text.toLowerCase()
  const index = name.length < 3 ? -1 : names.findIndex((full) => full.toLowerCase().startsWith(name))
  return index < 0 ? null : min + index
}

const numberOf = (text: string): number | null => (/^[0-9]{1,2}$/.test(text) ? Number(text) : null)
