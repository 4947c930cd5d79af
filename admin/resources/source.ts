/**
 * What a resource of the panel is made of. A source is a noun with the verbs of src/control behind it, each of which checks the scope of
 * its caller: so a role holds however a request came in. What it lists are the documents of REST, what it takes are REST's words.
 */
import { parameter, readQuery } from '../../src/api/query.ts'
import type { Caller, Scope } from '../../src/auth/scopes.ts'

export type FieldType = 'string' | 'number' | 'boolean' | 'datetime' | 'json' | 'uuid'

export interface FieldSpec {
  name: string
  type: FieldType
  /** May be given when it is made, when it is changed. */
  write?: 'new' | 'edit' | 'both'
  /** The only values there are. */
  words?: readonly string[]
}

export type Values = Record<string, unknown>
/** Filters in REST's words, `limit` and `cursor` among them, each as text. */
export type Asked = Readonly<Record<string, string>>

export interface SourcePage {
  items: readonly object[]
  /** The cursor of the page behind, or null. */
  next: string | null
}

export interface Source {
  id: string
  /** The first is the id. */
  fields: readonly FieldSpec[]
  /** What a record is called by. */
  title: string
  read: Scope
  write: Scope
  /** Names of components of admin/ui/main.tsx. An action without one is not offered; one without a verb is not there. */
  views: { list: string; show: string; new?: string; edit?: string }
  page(caller: Caller, asked: Asked): Promise<SourcePage>
  /** Throws what ends in _NOT_FOUND, or answers null, when there is none. */
  find(caller: Caller, id: string): Promise<object | null>
  create?(caller: Caller, values: Values): Promise<object>
  /** `values`: what is other than it stands; `standing`: as it stands. */
  edit?(caller: Caller, id: string, values: Values, standing: Values): Promise<object>
  remove?(caller: Caller, id: string, standing: Values): Promise<void>
}

/** Of lists that are short and come whole: filtered by equal words, all at once. */
export function wholePage(items: readonly object[], asked: Asked, words: readonly string[]): SourcePage {
  const { limit: _limit, cursor: _cursor, ...filters } = asked
  const fits = (item: object): boolean =>
    Object.entries(filters).every(([name, value]) => String((item as Values)[name]) === value)
  refuseOthers(filters, words)
  return { items: items.filter(fits), next: null }
}

function refuseOthers(filters: Asked, words: readonly string[]): void {
  readQuery(
    Object.fromEntries(words.map((word) => [word, parameter({ type: 'string' }, () => null)])),
    filters,
    {},
  )
}
