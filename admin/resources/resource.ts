/**
 * A source as AdminJS wants it: its classes, through which its pages and its API read and write. Who asks is in the context of the action
 * (`currentAdmin`, put there by shell/resource-api.ts), and every verb is called as him.
 *
 * AdminJS pages by offset; the lists behind are keyset. A filter `cursor` goes on where a page ended; an offset is walked, to 10,000 rows
 * and no further. `count` says how many there are up to 500, and of more 10,000: as far as an offset leads.
 */
import {
  BaseProperty,
  BaseRecord,
  BaseResource,
  ValidationError,
  type ActionContext,
  type Filter,
  type ParamsType,
} from 'adminjs'
import type { Caller } from '../../src/auth/scopes.ts'
import { AccessError, RowbeatError, type Fault } from '../../src/errors.ts'
import { changesOf, fromFlat, toFlat } from './flat.ts'
import type { Asked, FieldSpec, Source, SourcePage, Values } from './source.ts'

const PAGE_MAX = 500
export const WALK_MAX = 10_000

/** Where `find` leaves the cursor of the page behind, for the answer (options.ts). */
export interface ListContext extends ActionContext {
  rowbeatNext?: string | null
}

export class SourceResource extends BaseResource {
  readonly source: Source
  readonly #properties: SourceProperty[]

  constructor(source: Source) {
    super()
    this.source = source
    this.#properties = source.fields.map((field, at) => new SourceProperty(field, source, at))
  }

  override id(): string {
    return this.source.id
  }

  override databaseName(): string {
    return 'rowbeat'
  }

  override databaseType(): string {
    return 'postgres'
  }

  override properties(): BaseProperty[] {
    return this.#properties
  }

  override property(path: string): BaseProperty | null {
    return this.#properties.find((property) => property.path() === path) ?? null
  }

  override async count(filter: Filter, context?: ActionContext): Promise<number> {
    const { items, next } = await this.source.page(callerOf(context), {
      ...askedBy(filter),
      limit: String(PAGE_MAX),
    })
    return next === null ? items.length : WALK_MAX
  }

  override async find(
    filter: Filter,
    { limit = 10, offset = 0 }: { limit?: number; offset?: number },
    context?: ListContext,
  ): Promise<BaseRecord[]> {
    const caller = callerOf(context)
    const asked = askedBy(filter)
    const size = Math.min(Math.max(1, Math.trunc(limit) || 1), PAGE_MAX)
    const { items, next } = await this.#walk(caller, asked, Math.max(0, Math.trunc(offset) || 0), size)
    if (context) context.rowbeatNext = next
    return items.map((item) => this.#record(item))
  }

  override async findOne(id: string, context?: ActionContext): Promise<BaseRecord | null> {
    const found = await this.#find(callerOf(context), id)
    return found && this.#record(found)
  }

  override async findMany(ids: (string | number)[], context?: ActionContext): Promise<BaseRecord[]> {
    const caller = callerOf(context)
    const records: BaseRecord[] = []
    for (const id of ids.slice(0, PAGE_MAX)) {
      const found = await this.#find(caller, String(id))
      if (found) records.push(this.#record(found))
    }
    return records
  }

  override async create(params: Values, context?: ActionContext): Promise<ParamsType> {
    const { create, fields } = this.source
    if (!create) throw this.#refuse('make')
    const { values, faults } = fromFlat(fields, params, 'new')
    return await this.#save(faults, () => create(callerOf(context), values))
  }

  override async update(id: string, params: Values, context?: ActionContext): Promise<ParamsType> {
    const { edit, fields } = this.source
    if (!edit) throw this.#refuse('change')
    const caller = callerOf(context)
    const { values, faults } = fromFlat(fields, params, 'edit')
    return await this.#save(faults, async () => {
      const standing = (await this.source.find(caller, id)) as Values
      // The version that the form was filled from, if it says so.
      const seen = { ...standing, ...(params.version ? { version: Number(params.version) } : {}) }
      return await edit(caller, id, changesOf(values, standing), seen)
    })
  }

  override async delete(id: string, context?: ActionContext): Promise<void> {
    const { remove } = this.source
    if (!remove) throw this.#refuse('delete')
    const caller = callerOf(context)
    await this.#save([], async () => {
      const standing = (await this.source.find(caller, id)) as Values
      await remove(caller, id, standing)
      return standing
    })
  }

  async #walk(caller: Caller, asked: Asked, offset: number, size: number): Promise<SourcePage> {
    const nothing: SourcePage = { items: [], next: null }
    if (offset + size > WALK_MAX + PAGE_MAX) return nothing
    let cursor = asked.cursor
    let left = offset
    for (;;) {
      const limit = left > 0 ? Math.min(left, PAGE_MAX) : size
      const page = await this.source.page(caller, {
        ...asked,
        ...(cursor === undefined ? {} : { cursor }),
        limit: String(limit),
      })
      // A list that comes whole does not care for the limit.
      if (page.next === null && page.items.length > limit)
        return { items: page.items.slice(offset, offset + size), next: null }
      if (left <= 0) return page
      if (page.next === null) return nothing
      left -= page.items.length
      // A page may be short, even empty, and still have one behind it; it was looked for, which is what an offset costs.
      if (page.items.length === 0) left = Math.max(0, left - limit)
      cursor = page.next
    }
  }

  async #find(caller: Caller, id: string): Promise<object | null> {
    try {
      return await this.source.find(caller, id)
    } catch (error) {
      if (error instanceof RowbeatError && error.code.endsWith('_NOT_FOUND')) return null
      throw error
    }
  }

  #record(document: object): BaseRecord {
    return new BaseRecord(toFlat(this.source.fields, document), this)
  }

  /** What the verb refuses is told beside the field; a right that is missing, and what nobody foresaw, are thrown on. */
  async #save(faults: readonly Fault[], work: () => Promise<object>): Promise<ParamsType> {
    if (faults.length > 0)
      throw invalid(faults, `${faults[0]!.pointer} ${faults[0]!.detail}`, this.source.title)
    try {
      const document = await work()
      const extra = Object.entries(document).filter(([name]) => SHOWN_ONCE.includes(name))
      return { ...toFlat(this.source.fields, document), ...Object.fromEntries(extra) }
    } catch (error) {
      if (!(error instanceof RowbeatError) || error.code === 'RB_SCOPE_MISSING') throw error
      throw invalid((error as { faults?: readonly Fault[] }).faults ?? [], error.message, this.source.title)
    }
  }

  #refuse(verb: string): AccessError {
    return new AccessError('RB_SCOPE_MISSING', `Nobody can ${verb} ${this.source.id} here.`)
  }
}

/** Told in the answer to whoever made it, and nowhere else. */
const SHOWN_ONCE = ['key', 'password']

class SourceProperty extends BaseProperty {
  readonly #field: FieldSpec
  readonly #source: Source

  constructor(field: FieldSpec, source: Source, position: number) {
    super({ path: field.name, type: typeFor(field), isId: position === 0, isSortable: false, position })
    this.#field = field
    this.#source = source
  }

  override isTitle(): boolean {
    return this.#field.name === this.#source.title
  }

  override isEditable(): boolean {
    return this.#field.write !== undefined
  }

  override availableValues(): string[] | null {
    return this.#field.words ? [...this.#field.words] : null
  }
}

/** What is text to AdminJS comes as it was sent: of a number it makes 0 of nothing, and the verb is to know that it was nothing. */
function typeFor({ type, write }: FieldSpec): 'textarea' | 'string' | Exclude<FieldSpec['type'], 'json'> {
  if (type === 'json') return 'textarea'
  return type === 'number' && write ? 'string' : type
}

/** Throws RB_SCOPE_MISSING: without a caller nothing is done. */
function callerOf(context: ActionContext | undefined): Caller {
  const caller = (context?.currentAdmin as { caller?: Caller } | undefined)?.caller
  if (caller) return caller
  throw new AccessError('RB_SCOPE_MISSING', 'Nobody is signed in: sign in first.')
}

function askedBy(filter: Filter | undefined): Asked {
  const elements = Object.values(filter?.filters ?? {})
  return Object.fromEntries(
    elements
      .filter(({ value }) => value !== '' && value !== undefined && value !== null)
      .map(({ path, value }) => [path, typeof value === 'string' ? value : JSON.stringify(value)]),
  )
}

/** AdminJS takes what has no error at a field for a success, whatever else it was told; so a refusal without faults is one of the title. */
function invalid(given: readonly Fault[], message: string, title: string): ValidationError {
  const faults = given.length > 0 ? given : [{ pointer: `/${title}`, detail: message }]
  const fields = faults.map(({ pointer, detail }) => [
    pointer.split('/')[1] ?? '',
    { type: 'refused', message: detail },
  ])
  return new ValidationError(Object.fromEntries(fields), { message })
}
