/**
 * What the fuzzer holds an answer against: the document. Whether a request was one that the document allows, whether the
 * answer's status, type and body are among those it tells, and, stricter than it, that no answer has a key it does not tell.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { resolverOf, type Asked, type Operation } from './requests.ts'
import type { Schema } from './values.ts'

export interface Answered {
  status: number
  headers: Record<string, unknown>
  text: string
}

export interface Oracle {
  /** Why the document does not allow it, or null. */
  refusal(operation: Operation, asked: Asked): string | null
  /** What is wrong with an answer, or null. */
  fault(operation: Operation, answered: Answered): string | null
}

export function createOracle(document: Schema): Oracle {
  const taken = compilerOf(document)
  const given = compilerOf(closed(document) as Schema)
  const resolve = resolverOf(document)

  const bodyRefusal = ({ told, path, method }: Operation, { body, headers }: Asked): string | null => {
    const content = told.requestBody?.content?.['application/json']
    if (!content) return null
    const type = headers['content-type']
    if (body && type !== undefined && type !== '' && !/^application\/json\b/.test(type))
      return 'the media type'
    if (body === undefined || ('text' in body && body.text === ''))
      return told.requestBody.required ? 'no body' : null
    let json: unknown
    try {
      json = JSON.parse('text' in body ? body.text : JSON.stringify(body.json))
    } catch {
      return 'no JSON'
    }
    if (json === null && !told.requestBody.required) return null
    const place = [
      'paths',
      path,
      method.toLowerCase(),
      'requestBody',
      'content',
      'application/json',
      'schema',
    ]
    const validate = taken(place)
    try {
      return validate(json) ? null : `the body: ${words(validate)}`
    } catch {
      // Nested deeper than any schema follows.
      return null
    }
  }

  const queryRefusal = ({ told, path, method }: Operation, { query }: Asked): string | null => {
    const known = ((told.parameters ?? []) as Schema[])
      .map((one, index) => [one, index] as const)
      .filter(([one]) => one.in === 'query')
    const isStrict = JSON.stringify(told.responses['422'] ?? {}).includes('RB_QUERY_INVALID')
    for (const [name, value] of query) {
      const found = known.find(([one]) => one.name === name)
      if (!found) {
        if (isStrict) return `the parameter ${name}`
        continue
      }
      const [parameter, index] = found
      const validate = taken(['paths', path, method.toLowerCase(), 'parameters', String(index), 'schema'])
      if (!readings(value, parameter).some((one) => validate(one))) return `the parameter ${name}`
    }
    return null
  }

  return {
    refusal: (operation, asked) => queryRefusal(operation, asked) ?? bodyRefusal(operation, asked),
    fault(operation, { status, headers, text }) {
      if (status >= 500) return `${status}`
      const answer = operation.told.responses[String(status)] as Schema | undefined
      if (!answer) return `${status} is not told`
      const content = (resolve(answer).content ?? null) as Schema | null
      const type = String(headers['content-type'] ?? '').split(';')[0]!
      if (content === null) return text === '' ? null : `${status} has a body`
      if (!content[type]) return `${status} has the type ${type || 'none'}`
      for (const name of Object.keys(resolve(answer).headers ?? {}))
        if (headers[name.toLowerCase()] === undefined && !OPTIONAL.includes(name))
          return `${status} lacks ${name}`
      if (!/[/+]json$/.test(type)) return null
      const root = answer.$ref
        ? (answer.$ref as string).split('/').slice(1)
        : ['paths', operation.path, operation.method.toLowerCase(), 'responses', String(status)]
      const validate = given([...root, 'content', type, 'schema'])
      const json = parse(text)
      if (json === undefined) return `${status}: the body is no JSON`
      if (!validate(json)) return `${status}: ${words(validate)}`
      return status >= 400 && json.type !== `/problems/${json.code}` ? `${status}: type ${json.type}` : null
    },
  }
}

function parse(text: string): Schema | undefined {
  try {
    return JSON.parse(text) as Schema
  } catch {
    return undefined
  }
}

/** Told of an answer, and not on each. */
const OPTIONAL = [
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Preference-Applied',
  'Link',
  'Content-Disposition',
]

const words = ({ errors }: ValidateFunction): string =>
  (errors ?? [])
    .slice(0, 2)
    .map(
      ({ instancePath, message, params }) =>
        `${instancePath} ${message} ${JSON.stringify(params).slice(0, 90)}`,
    )
    .join('; ')

/** Validators of the schemas at a place of the document. */
function compilerOf(document: Schema): (place: readonly string[]) => ValidateFunction {
  const ajv = new Ajv2020({ strict: false, allErrors: false, validateSchema: false })
  ;(addFormats as unknown as (ajv: Ajv2020) => void)(ajv)
  ajv.addSchema(document, 'api')
  const known = new Map<string, ValidateFunction>()
  return (place) => {
    const pointer = place
      .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/')
    const validate = known.get(pointer) ?? ajv.compile({ $ref: `api#/${pointer}` })
    known.set(pointer, validate)
    return validate
  }
}

/** The same document, with every object that says which keys it has closed to others. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, one]) => [key, closed(one)])
  const made = Object.fromEntries(entries) as Schema
  const isObject = made.type === 'object' && made.properties && made.additionalProperties === undefined
  return isObject ? { ...made, additionalProperties: false } : made
}

/** As what a parameter's text may be meant. */
function readings(value: unknown, { schema, explode }: Schema): unknown[] {
  const texts = textsOf(value, explode)
  const meant = (text: string): unknown[] => [
    text,
    ...(/^-?\d+(\.\d+)?$/.test(text) ? [Number(text)] : []),
    ...(text === 'true' || text === 'false' ? [text === 'true'] : []),
  ]
  if (schema.type !== 'array') return texts.length === 1 ? meant(texts[0]!) : []
  return [explode ? texts : texts.join(',').split(',')]
}

/** A value as it is sent in a query: once, or several times. */
export function textsOf(value: unknown, explode: boolean | undefined): string[] {
  if (Array.isArray(value) && explode !== false) return value.length === 0 ? [''] : value.map(textOf)
  return [Array.isArray(value) ? value.map(textOf).join(',') : textOf(value)]
}

const textOf = (value: unknown): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed()
