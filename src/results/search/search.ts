/**
 * A search for runs, as the panel, REST (`q=`), operations and the command line take it, read into a filter. Pure: the text
 * and the time in, a filter or all faults out. A field that is not known is refused with what is, because a misspelt one
 * that finds everything, or nothing, is believed.
 */
import type { RunCondition } from '../../db/statements/run-conditions.ts'
import { RUN_STATES, type RunState } from '../run.ts'
import { ALIASES, FIELDS, hasInside, isFaulty, readStates, readWord } from './fields.ts'
import { splitTerms, type SearchFault, type Term } from './terms.ts'

export type { SearchFault } from './terms.ts'

export interface Search {
  /** null: any. */
  states: RunState[] | null
  where: RunCondition[]
}

/** What may stand in front of a colon. */
export const SEARCH_FIELDS: readonly string[] = ['state', ...Object.keys(FIELDS)]

/** Never throws: faults are in the order of the text. */
export function parseSearch(
  text: string,
  nowMs: number,
): { search: Search; faults: [] } | { faults: SearchFault[] } {
  const { terms, faults } = splitTerms(text)
  if (text.includes('\u0000') || !text.isWellFormed())
    return { faults: [{ at: 0, detail: 'has a character that PostgreSQL cannot store' }] }
  const search: Search = { states: null, where: [] }
  for (const term of terms) {
    const fault = addTerm(search, term, nowMs)
    if (fault && !faults.some(({ at }) => at >= term.at && at <= fault.at)) faults.push(fault)
  }
  return faults.length > 0 ? { faults: faults.sort((a, b) => a.at - b.at) } : { search, faults: [] }
}

function addTerm(search: Search, term: Term, nowMs: number): SearchFault | null {
  if (term.field === null) {
    search.where.push(readWord(term))
    return null
  }
  const name = Object.hasOwn(ALIASES, term.field) ? ALIASES[term.field]! : term.field
  if (name !== 'state' && !Object.hasOwn(FIELDS, name)) {
    const quote = 'put text with a colon in quotes'
    return {
      at: term.at,
      detail: `"${term.field}" is no field of a run; known are ${SEARCH_FIELDS.join(', ')}; ${quote}`,
    }
  }
  if (term.path.length > 0 && !hasInside(name))
    return { at: term.at, detail: `${name} has nothing inside: write ${name}:` }
  if (name === 'state') return addStates(search, term)
  const read = FIELDS[name]!(term, nowMs)
  if (isFaulty(read)) return { at: read.at, detail: `${name}: ${read.detail}`.replace(/^\w+: "/, '"') }
  search.where.push(read)
  return null
}

function addStates(search: Search, term: Term): SearchFault | null {
  const states = readStates(term)
  if (isFaulty(states)) return states
  search.states = (search.states ?? [...RUN_STATES]).filter((state) => states.includes(state) !== term.isNot)
  return null
}

/** A fault as words: which character is meant, from 1. */
export function describeFault({ at, detail }: SearchFault): string {
  return `at character ${at + 1}: ${detail}`
}
