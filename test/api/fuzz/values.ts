/**
 * Values for the fuzzer, by fast-check: those that a JSON Schema allows, those that have one thing wrong, and those that
 * somebody who means harm sends.
 */
import fc from 'fast-check'

export type Schema = Record<string, any>
export type Resolve = (schema: Schema) => Schema

/** Prefers these for a property of this name, so that most of what is valid is also possible. */
export type Hints = Readonly<Record<string, fc.Arbitrary<unknown>>>

/** What a schema allows; `resolve` follows references. */
export function valuesOf(
  schema: Schema,
  resolve: Resolve,
  hints: Hints = {},
  depth = 0,
): fc.Arbitrary<unknown> {
  const whole = resolve(schema)
  const inner = (one: Schema): fc.Arbitrary<unknown> => valuesOf(one, resolve, hints, depth + 1)
  if ('const' in whole) return fc.constant(whole.const)
  if (whole.enum) return fc.constantFrom(...whole.enum)
  const parts = whole.anyOf ?? whole.oneOf
  if (parts) return fc.oneof(...parts.map(inner))
  if (whole.allOf) return inner(Object.assign({}, ...whole.allOf.map(resolve)))
  const types: string[] = [whole.type ?? []].flat()
  if (types.length === 0) return whole.properties ? objects(whole, inner, hints) : anyJson(depth)
  return fc.oneof(...types.map((type) => ofType(type, whole, inner, hints)))
}

function ofType(
  type: string,
  schema: Schema,
  inner: (schema: Schema) => fc.Arbitrary<unknown>,
  hints: Hints,
): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1000, max: Math.min(schema.maximum ?? 1000, 2 ** 31 - 1) })
    case 'number':
      return fc.double({
        min: schema.minimum ?? schema.exclusiveMinimum ?? -1e6,
        max: schema.maximum ?? 1e6,
        minExcluded: schema.exclusiveMinimum !== undefined,
        noNaN: true,
      })
    case 'string':
      return texts(schema)
    case 'array':
      return fc.array(inner(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      })
    default:
      return objects(schema, inner, hints)
  }
}

function texts({ pattern, format, minLength = 0, maxLength = 20 }: Schema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid()
  if (format === 'date-time')
    return fc
      .date({ min: new Date('2020-01-01'), max: new Date('2099-01-01'), noInvalidDate: true })
      .map((at) => at.toISOString())
  if (format === 'email') return fc.emailAddress()
  if (format === 'uri') return fc.webUrl()
  if (pattern) return fc.stringMatching(new RegExp(pattern))
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.max(minLength, Math.min(maxLength, 30)) })
}

function objects(
  schema: Schema,
  inner: (schema: Schema) => fc.Arbitrary<unknown>,
  hints: Hints,
): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema | boolean>)
    .filter(([, one]) => one !== false)
    .map(([name, one]) => [name, hints[name] ?? inner(one === true ? {} : (one as Schema))] as const)
  const required = new Set<string>(schema.required ?? [])
  if (properties.length === 0) return fc.dictionary(fc.string({ maxLength: 8 }), anyJson(1), { maxKeys: 3 })
  // A few of the fields at a time: all at once clash.
  return fc
    .tuple(
      fc.record(Object.fromEntries(properties)),
      fc.subarray(properties.map(([name]) => name)),
      fc.nat(3),
    )
    .map(([all, some, most]) => {
      const kept = new Set([...required, ...some.slice(0, most + 1)])
      return Object.fromEntries(Object.entries(all).filter(([name]) => kept.has(name)))
    })
}

function anyJson(depth: number): fc.Arbitrary<unknown> {
  return depth > 1 ? fc.constantFrom(null, 1, 'x', true, [], {}) : fc.jsonValue({ maxDepth: 3 })
}

/** Values that have broken something somewhere. `text` is JSON as it is sent, where no value says it. */
export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    ' ',
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\udfffx',
    '__proto__',
    'constructor',
    "'; drop table rowbeat.results; --",
    '${7*7}',
    '%00',
    '../../etc/passwd',
    '\u202e\ufeff',
    'x'.repeat(5000),
    '🎈'.repeat(300),
    -1,
    -0,
    0.1,
    1e308,
    -1e308,
    5e-324,
    2 ** 31,
    2 ** 53 - 1,
    Number.MAX_VALUE,
    [],
    {},
    [[[[]]]],
    Array.from({ length: 600 }, () => 'x'),
    { a: { $ref: '#' } },
    { toString: 1, valueOf: 2, hasOwnProperty: 3 },
    { constructor: { prototype: { polluted: true } } },
    JSON.parse('{"then":"x"}'),
    { toJSON: 1 },
    JSON.parse('{"__proto__":{"polluted":true}}'),
    JSON.parse('{"prototype":{"polluted":true},"__defineGetter__":1}'),
    'NaN',
    'Infinity',
    '1e400',
    '0x10',
    '2026-02-30T00:00:00Z',
    '2026-01-31T12:00:60Z',
    '0000-00-00T00:00:00Z',
    '+275760-09-13T00:00:00.001Z',
    '99999999 weeks',
    '-5s',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 2 }),
)

export const hostileKeys = fc.constantFrom(
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  ' ',
  'a\u0000',
  '\ud800',
  'Task',
  'task ',
  '$ref',
  'a/b~c',
  '0',
)

/** One thing of `values` made wrong, or maybe wrong: a place replaced, dropped, added to, or wrapped. */
export function mutated(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc
    .tuple(values, fc.nat(), fc.constantFrom('replace', 'drop', 'add', 'wrap'), hostile, hostileKeys)
    .map(([value, place, how, odd, key]) => mutate(value, place, how, odd, key))
}

function mutate(value: unknown, place: number, how: string, odd: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return odd
  const entries = Object.entries(value)
  if (how === 'add' || entries.length === 0) return assemble([...entries, [key, odd]])
  const at = place % entries.length
  const [name, old] = entries[at]!
  const isDeep = typeof old === 'object' && old !== null && !Array.isArray(old) && place % 2 === 0
  if (isDeep) entries[at] = [name, mutate(old, Math.floor(place / 2), how, odd, key)]
  else if (how === 'drop') entries.splice(at, 1)
  else entries[at] = [name, how === 'wrap' ? [old] : odd]
  return assemble(entries)
}

/** Own keys, `__proto__` too. */
function assemble(entries: [string, unknown][]): unknown {
  const made = {}
  for (const [key, value] of entries)
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true })
  return made
}

/** Bodies that are no JSON, or none that a parser likes. */
export const rawBodies: fc.Arbitrary<string> = fc.constantFrom(
  '',
  '{',
  'null',
  'NaN',
  '[]',
  '"x"',
  '{"task":"demo.echo","task":1}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"task":"demo.echo","input":{"__proto__":{"polluted":1}}}',
  `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
  `{"task":"demo.echo","input":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}`,
  `{"task":"demo.echo","input":${'{"a":'.repeat(70)}1${'}'.repeat(70)}}`,
  '{"task":"demo.echo","input":12345678901234567890}',
  '{"task":"demo.echo","input":1e999}',
  '{"task":"demo.echo","input":"\\ud800"}',
  '{"task":"demo.echo","input":"\\u0000"}',
  '\ufeff{"task":"demo.echo"}',
  `{"task":"demo.echo","input":"${'x'.repeat(1_300_000)}"}`,
  `{"task":"demo.echo","input":[${'1,'.repeat(200_000)}1]}`,
  "{'task':'demo.echo'}",
  '{"task":"demo.echo",}',
  'task=demo.echo&input=1',
  '<task>demo.echo</task>',
)
