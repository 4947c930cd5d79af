/**
 * The text of a search as terms: `state:failed -task:send* "not reachable" input.user.id:42 created:>-1h`.
 *
 *   search := term*            term  := '-'? (field ':' compare? value (',' value)* | word)
 *   field  := name ('.' step)* value := (plain | '"' any '"')+        compare := '>' | '>=' | '<' | '<='
 *
 * Terms stand apart by white space and must all hold; of values divided by commas any may. A minus in front turns a
 * term round. A star outside of quotes stands for any text. Inside of quotes \" is a quote and \\ a backslash. What a
 * field means is said in fields.ts; here is only what is written where, so that each fault can be pointed at.
 */

/** What is wrong, and at which character of the text, from 0. */
export interface SearchFault {
  at: number
  detail: string
}

export interface Value {
  at: number
  /** Without quotes. */
  text: string
  /** As a pattern of SQL's LIKE where it has a star, else null. */
  pattern: string | null
  isQuoted: boolean
}

export type Comparison = '>' | '>=' | '<' | '<='

export interface Term {
  at: number
  isNot: boolean
  /** null: a word by itself. */
  field: string | null
  /** What follows the field: `input.user.id` has user, id. */
  path: string[]
  compare: Comparison | null
  values: Value[]
}

/** Longer ones are refused: they are no search that anybody wrote. */
export const SEARCH_LENGTH = 1000
export const TERMS_MAX = 20
const VALUES_MAX = 50

/** Text as it stands in a pattern of LIKE. */
export function literal(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&')
}

/** The terms, in order. What cannot be read is left out and told. */
export function splitTerms(text: string): { terms: Term[]; faults: SearchFault[] } {
  if (text.length > SEARCH_LENGTH)
    return {
      terms: [],
      faults: [{ at: SEARCH_LENGTH, detail: `is longer than ${SEARCH_LENGTH} characters` }],
    }
  const terms: Term[] = []
  const faults: SearchFault[] = []
  const reader = createReader(text, faults)
  for (reader.skipSpace(); !reader.isOver(); reader.skipSpace()) {
    const term = readTerm(reader, faults)
    if (terms.length < TERMS_MAX) terms.push(term)
    else {
      faults.push({ at: term.at, detail: `has more than ${TERMS_MAX} terms` })
      break
    }
  }
  return { terms, faults }
}

function readTerm(reader: Reader, faults: SearchFault[]): Term {
  const at = reader.at()
  const isNot = reader.take(/-(?=\S)/y) !== null
  const field = readField(reader)
  if (!field) return { at, isNot, field: null, path: [], compare: null, values: [reader.value(/[^\s"]/y)] }
  const compare = reader.take(/[<>]=?/y) as Comparison | null
  const values: Value[] = []
  do {
    const value = reader.value(/[^\s",]/y)
    if (value.text === '' && !value.isQuoted) faults.push({ at: value.at, detail: 'lacks a value here' })
    values.push(value)
  } while (reader.take(/,/y) !== null)
  if (values.length > VALUES_MAX)
    faults.push({ at, detail: `has more than ${VALUES_MAX} values for one field` })
  return { at, isNot, ...field, compare, values }
}

/** `name.step."a step":`, with its colon. */
const FIELD = /([A-Za-z_]\w*)((?:\.(?:[^\s:,."]+|"(?:[^"\\]|\\.)*"))*):/y
const STEP = /\.(?:([^\s:,."]+)|"((?:[^"\\]|\\.)*)")/g

function readField(reader: Reader): { field: string; path: string[] } | null {
  const whole = reader.take(FIELD)
  if (whole === null) return null
  const name = /^\w+/.exec(whole)![0]
  const steps = [...whole.slice(name.length, -1).matchAll(STEP)]
  return { field: name, path: steps.map(([, plain, quoted]) => plain ?? unescape(quoted!)) }
}

const unescape = (text: string): string => text.replace(/\\(.)/gs, '$1')

interface Reader {
  at(): number
  isOver(): boolean
  skipSpace(): void
  /** What `expression`, which is sticky, finds here; null for nothing, and then nothing is taken. */
  take(expression: RegExp): string | null
  /** A value of characters that `plain` finds one by one, and of quoted parts. */
  value(plain: RegExp): Value
}

function createReader(text: string, faults: SearchFault[]): Reader {
  let at = 0
  const take = (expression: RegExp): string | null => {
    expression.lastIndex = at
    const [found] = expression.exec(text) ?? []
    at += found?.length ?? 0
    return found ?? null
  }
  return {
    at: () => at,
    isOver: () => at >= text.length,
    skipSpace: () => void take(/\s*/y),
    take,
    value(plain) {
      const value: Value = { at, text: '', pattern: null, isQuoted: false }
      let pattern = ''
      let hasStar = false
      for (;;) {
        const quoted = take(/"(?:[^"\\]|\\.)*"/sy)
        const piece = quoted === null ? take(plain) : unescape(quoted.slice(1, -1))
        if (piece === null) {
          const open = at
          if (take(/"/y) === null) break
          faults.push({ at: open, detail: 'opens a quote that nothing closes' })
          at = text.length
          value.isQuoted = true
          break
        }
        value.isQuoted ||= quoted !== null
        value.text += piece
        const isStar = quoted === null && piece === '*'
        hasStar ||= isStar
        pattern += isStar ? '%' : literal(piece)
      }
      return { ...value, pattern: hasStar ? pattern : null }
    },
  }
}
