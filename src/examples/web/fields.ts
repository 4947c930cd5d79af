/**
 * The fields of a body, read as Django REST framework's serializers read them, fault for fault. What a body has
 * beside them is passed over.
 */
import { ApiRefusal, type Faults } from './api-refusal.ts'

export interface TextRule {
  maxLength?: number
  mayBeBlank?: boolean
}

export interface Fields {
  /** undefined: it is not there, or it is at fault. */
  text(name: string, isRequired: boolean, rule?: TextRule): string | undefined
  flag(name: string): boolean | undefined
  readonly faults: Faults
}

const TRUE: readonly unknown[] = [
  true,
  1,
  'true',
  'True',
  'TRUE',
  't',
  'T',
  '1',
  'yes',
  'Yes',
  'YES',
  'y',
  'Y',
  'on',
]
const FALSE: readonly unknown[] = [
  false,
  0,
  'false',
  'False',
  'FALSE',
  'f',
  'F',
  '0',
  'no',
  'No',
  'NO',
  'n',
  'N',
  'off',
]

/** Throws ApiRefusal 400 for a body that is no object. */
export function readFields(body: unknown): Fields {
  const given = body ?? {}
  if (typeof given !== 'object' || Array.isArray(given))
    throw new ApiRefusal(400, {
      non_field_errors: [`Invalid data. Expected a dictionary, but got ${nameOfType(given)}.`],
    })
  const values = new Map(Object.entries(given))
  const faults: Faults = {}
  const fail = (name: string, why: string): undefined => void (faults[name] = [...(faults[name] ?? []), why])
  return {
    faults,
    text(name, isRequired, { maxLength = Infinity, mayBeBlank = false } = {}) {
      const value = values.get(name)
      if (value === undefined) return isRequired ? fail(name, 'This field is required.') : undefined
      if (value === null) return fail(name, 'This field may not be null.')
      if (typeof value !== 'string' && typeof value !== 'number') return fail(name, 'Not a valid string.')
      const text = String(value).trim()
      if (text === '' && !mayBeBlank) return fail(name, 'This field may not be blank.')
      if (text.includes('\0')) return fail(name, 'Null characters are not allowed.')
      if ([...text].length <= maxLength) return text
      return fail(name, `Ensure this field has no more than ${maxLength} characters.`)
    },
    flag(name) {
      const value = values.get(name)
      if (value === undefined) return undefined
      if (value === null) return fail(name, 'This field may not be null.')
      if (TRUE.includes(value)) return true
      return FALSE.includes(value) ? false : fail(name, 'Must be a valid boolean.')
    },
  }
}

function nameOfType(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  const names: Record<string, string> = { string: 'str', boolean: 'bool', number: 'int' }
  return names[typeof value] ?? 'object'
}
