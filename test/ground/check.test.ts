/** Checks of single values: what passes, and that a refusal says what is allowed. */
import addFormats from 'ajv-formats'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import {
  duration,
  flag,
  headers,
  instant,
  integer,
  isObject,
  isUuid,
  objectSchema,
  oneOf,
  pattern,
  pointerStep,
  tags,
  text,
  uuid,
  type Check,
} from '../../src/check.ts'

const ROWS: [name: string, check: Check, passes: unknown[], refused: unknown[], words: RegExp][] = [
  ['flag', flag, [true, false], [0, 'true', null, undefined], /^must be true or false$/],
  ['duration', duration, [0, 1.5, '30s', '10 minutes'], [-1, 'soon', null], /^must be a duration: seconds/],
  ['instant', instant, ['2026-01-31T12:00:00Z'], ['2026-01-31', 5], /^must be an instant such as/],
  [
    'text',
    text(3),
    ['a', 'abc', '🌇🌇🌇'],
    ['', 'abcd', '🌇🌇🌇🌇', 5, null, ['a']],
    /^must be text of 1 to 3 /,
  ],
  ['empty text', text(3, 0), ['', 'abc'], ['abcd', null], /^must be text of 0 to 3 /],
  [
    'integer',
    integer(-1, 2),
    [-1, 0, 2],
    [-2, 3, 0.5, '1', Number.NaN],
    /^must be a whole number from -1 to 2$/,
  ],
  ['pattern', pattern(/^a+$/), ['a', 'aa'], ['b', '', 1, ['a']], /^must match \^a\+\$$/],
  ['oneOf', oneOf('a', 'b', 'c'), ['a', 'c'], ['d', '', ['a'], null], /^must be a, b or c$/],
  [
    'tags',
    tags,
    [[], ['a'], Array(20).fill('x')],
    ['a', [''], [1], Array(21).fill('x')],
    /^must be at most 20/,
  ],
  ['headers', headers, [{}, { a: [1] }], [[], 'a', null, { a: 'x'.repeat(65_536) }], /64 KiB$/],
  ['uuid', uuid, ['01A1fc78-031b-78a4-9f6c-033dbc888088'], ['01a1fc78031b78a49f6c033dbc888088', 1], /UUID$/],
]

for (const [name, check, passes, refused, words] of ROWS)
  t.test(`${name} says nothing of what is right, and what is allowed of what is wrong`, async (t) => {
    for (const value of passes) t.equal(check(value), null, JSON.stringify(value))
    for (const value of refused) t.match(check(value), words, JSON.stringify(value)?.slice(0, 40))
  })

t.test('a huge text is refused without being counted', async (t) => {
  const started = performance.now()
  t.match(text(200)('x'.repeat(50_000_000)), /1 to 200/)
  t.ok(performance.now() - started < 500)
})

t.test('an object is no array and no null', async (t) => {
  t.ok(isObject({}))
  for (const value of [null, [], 'a', undefined, () => {}]) t.notOk(isObject(value))
  t.ok(isUuid('01a1fc78-031b-78a4-9f6c-033dbc888088'))
})

t.test('a step of a pointer is escaped', async (t) => {
  t.equal(pointerStep('a/b~c'), '/a~1b~0c')
})

t.test('the schema of a check allows what the check passes, and few things besides', async (t) => {
  const ajv = new Ajv2020({ strict: false })
  ;(addFormats as unknown as (ajv: Ajv2020) => void)(ajv)
  for (const [name, check, passes, refused] of ROWS) {
    const validate = ajv.compile(check.schema)
    for (const value of passes) t.ok(validate(value), `${name} ${JSON.stringify(value)}`)
    t.notOk(
      refused.every((value) => validate(value)),
      `${name} is not for anything`,
    )
  }
  const body = ajv.compile(objectSchema({ at: instant, word: oneOf('a', 'b'), any: null }, ['at']))
  t.ok(body({ at: '2026-01-31T12:00:00Z', word: null, any: [1] }))
  t.notOk(body({ word: 'a' }), 'what is needed')
  t.notOk(body({ at: null }), 'and is not null')
  t.notOk(body({ at: '2026-01-31T12:00:00Z', other: 1 }), 'and nothing else')
  t.notOk(body({ at: '2026-01-31T12:00:00Z', word: 'c' }))
})
