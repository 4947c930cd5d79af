/** What may be stored: each row of the payload matrix as a value, and anything fast-check thinks of. */
import fc from 'fast-check'
import t from 'tap'
import {
  BYTES_MAX,
  DEPTH_MAX,
  findUnstorable,
  storable,
  storableText,
  storableValue,
} from '../../src/json.ts'

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { a: value }
  return value
}
const cycle: Record<string, unknown> = { name: 'a' }
cycle.self = [cycle]

const REFUSED: [string, unknown, string, RegExp][] = [
  ['U+0000 in a text', { a: ['x\u0000y'] }, '/a/0', /U\+0000/],
  ['U+0000 in a key', { 'x\u0000y': 1 }, '/x\u0000y', /U\+0000/],
  ['a lone high surrogate', { a: 'x\ud800' }, '/a', /lone surrogate/],
  ['a lone low surrogate', { a: '\udc00x' }, '/a', /lone surrogate/],
  ['a lone surrogate in a key', { '\ud800': 1 }, '/\ud800', /lone surrogate/],
  ['a bigint', { n: 9007199254740993n }, '/n', /bigint/],
  ['a Map', { m: new Map([[1, 2]]) }, '/m', /Map/],
  ['a Set', [new Set([1])], '/0', /Set/],
  ['typed numbers', { b: new Uint8Array(2) }, '/b', /Uint8Array/],
  ['a promise nobody awaited', Promise.resolve(1), '', /Promise/],
  ['an Error', { e: new Error('lost') }, '/e', /Error/],
  ['a RegExp', { r: /x/ }, '/r', /RegExp/],
  ['a class without data', new (class Empty {})(), '', /Empty/],
  ['a function', { f: () => 1 }, '/f', /function/],
  ['a symbol', { s: Symbol('s') }, '/s', /symbol/],
  ['NaN', { n: Number.NaN }, '/n', /NaN/],
  ['Infinity', [1, Number.POSITIVE_INFINITY], '/1', /Infinity/],
  ['undefined in an array', { a: [1, undefined] }, '/a/1', /undefined/],
  // eslint-disable-next-line no-sparse-arrays
  ['a hole in an array', [1, , 2], '/1', /undefined/],
  ['an invalid Date', { d: new Date(Number.NaN) }, '/d', /Date/],
  ['a cycle', cycle, '/self/0', /refers to itself/],
  ['65 levels', nested(65), '/a/0'.repeat(32), /deeper than 64/],
  ['5,000 levels', nested(5000), '/0/a'.repeat(32), /deeper than 64/],
  ['what toJSON gives', { toJSON: () => ({ n: 1n }) }, '/n', /bigint/],
  ['a key with / and ~', { 'a/b~c': Number.NaN }, '/a~1b~0c', /NaN/],
]
for (const [name, value, pointer, detail] of REFUSED) {
  t.test(`${name} is refused with its place`, (t) => {
    t.match(findUnstorable(value, ''), { pointer, detail })
    t.equal(findUnstorable(value, '/input')?.pointer, `/input${pointer}`)
    t.ok('fault' in storableText(value, ''))
    t.end()
  })
}

const KEPT: [string, unknown, string?][] = [
  ['null', null],
  ['64 levels', nested(64)],
  [
    'keys that name the prototype',
    JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": 1}}'),
  ],
  ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
  ['emoji, combining letters and right-to-left text', { '👩‍👩‍👧': 'e\u0301 שלום \u202e' }],
  ['</script> as it stands', '</script><img onerror=alert(1)>'],
  ['a property that is undefined: left out, as JSON does', { a: 1, b: undefined }, '{"a":1}'],
  ['a Date as its text', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['an object twice, which is no cycle', ((same) => [same, same])({ a: 1 })],
  ['the largest and the smallest numbers', [1e308, 5e-324, -1.5e300, 2 ** 53 - 1]],
  ['a class with data', new (class Point { x = 1 })(), '{"x":1}'], // prettier-ignore
]
for (const [name, value, text = JSON.stringify(value)] of KEPT) {
  t.test(`${name} is kept`, (t) => {
    t.equal(findUnstorable(value, ''), null)
    t.strictSame(storableText(value, ''), { text })
    t.end()
  })
}

t.test('size is counted in bytes of UTF-8 and told with the limit', (t) => {
  const fits = 'x'.repeat(BYTES_MAX - 2)
  t.ok('text' in storableText(fits, '/input'))
  t.match(storableText(`${fits}x`, '/input'), {
    fault: { pointer: '/input', detail: /larger than 1048576 bytes/ },
  })
  t.ok('text' in storableText('я'.repeat(BYTES_MAX / 2 - 1), ''))
  t.ok('fault' in storableText('я'.repeat(BYTES_MAX / 2), ''))
  t.match(storableText('12345', '', 5), { fault: { detail: /larger than 5 bytes/ } })
  t.equal(DEPTH_MAX, 64)
  t.end()
})

t.test('text for logs and errors is repaired, never refused', (t) => {
  t.equal(storable('a\u0000b\ud800c'), 'a\ufffdb\ufffdc')
  t.equal(storable('plain'), 'plain')
  t.equal(storable('x'.repeat(12), 10), 'xxxxxxxxxx… (2 more characters)')
  t.equal(storable('👩'.repeat(3), 3), '👩\ufffd… (3 more characters)', 'a cut through a pair leaves no half')
  t.end()
})

t.test('values for logs and progress are kept or told what they were', (t) => {
  t.equal(storableValue(undefined), null)
  t.strictSame(storableValue({ a: 1 }), { a: 1 })
  t.match(storableValue({ a: 1n }), { unstorable: /^\/a is a bigint/ })
  t.match(storableValue(cycle), { unstorable: /refers to itself/ })
  t.match(storableValue('x'.repeat(100), 10), { unstorable: /larger than 10 bytes/ })
  t.end()
})

t.test('whatever is not refused comes back from JSON as it was, and nobody is polluted', (t) => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
    withObjectString: true,
    maxDepth: 4,
    key: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toJSON')),
  })
  fc.assert(
    fc.property(anything, (value) => {
      const checked = storableText(value, '')
      if ('fault' in checked) return /^(\/|$)/.test(checked.fault.pointer) && checked.fault.detail.length > 5
      const back = JSON.parse(checked.text) as unknown
      return (
        JSON.stringify(back) === checked.text &&
        checked.text.isWellFormed() &&
        // A backslash that is written twice is a backslash, whatever follows it.
        !checked.text.replaceAll('\\\\', '').includes('\\u0000')
      )
    }),
    { numRuns: 600 },
  )
  t.notOk('polluted' in {})
  t.end()
})

t.test('every JSON value of 64 levels at most is taken', (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 8 }), (value) => {
      const text = JSON.stringify(value)
      return text.includes('\\u0000') || findUnstorable(value, '') === null
    }),
    { numRuns: 300 },
  )
  t.end()
})
