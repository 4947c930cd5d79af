import fc from 'fast-check'
import t from 'tap'
import { parseSearch, SEARCH_FIELDS, describeFault } from '../../../src/results/search/search.ts'
import { SEARCH_LENGTH, splitTerms } from '../../../src/results/search/terms.ts'

const NOW = Date.parse('2026-03-10T12:00:00Z')

function read(text: string) {
  const parsed = parseSearch(text, NOW)
  if (!('search' in parsed)) throw new Error(`${text}: ${JSON.stringify(parsed.faults)}`)
  return parsed.search
}

t.test('a search is read into states and conditions', async (t) => {
  const { states, where } = read('state:failed task:send* queue:high tag:x input.user.id:42 created:>-1h')
  t.strictSame(states, ['FAILURE'])
  t.strictSame(where, [
    { field: 'task', isNot: false, compare: 'like', values: ['send%'] },
    { field: 'queue', isNot: false, compare: 'is', values: ['high'] },
    { field: 'tag', isNot: false, compare: 'is', values: ['x'] },
    { field: 'input', path: ['user', 'id'], isNot: false, compare: 'is', values: ['42'] },
    { field: 'created', isNot: false, compare: '>', values: ['2026-03-10T11:00:00.000Z'] },
  ])
  t.strictSame(read('   '), { states: null, where: [] })
})

t.test('each form of a value', async (t) => {
  const one = (text: string) => {
    const { field: _field, isNot: _not, ...rest } = read(text).where[0]!
    return rest
  }
  const rows: [string, object][] = [
    ['task:a,b', { compare: 'is', values: ['a', 'b'] }],
    ['task:a*,b_c', { compare: 'like', values: ['a%', 'b\\_c'] }],
    ['task:"a*"', { compare: 'is', values: ['a*'] }],
    ['schedule:"every \\"day\\" \\\\ 5%"', { compare: 'is', values: ['every "day" \\ 5%'] }],
    ['schedule:at" 5 "pm*', { compare: 'like', values: ['at 5 pm%'] }],
    ['unique_key:user:42', { compare: 'is', values: ['user:42'] }],
    ['tags:x', { compare: 'is', values: ['x'] }],
    ['attempt:>1', { compare: '>', values: [1] }],
    ['priority:-5,0', { compare: 'is', values: [-5, 0] }],
    ['duration:>=1.5s', { compare: '>=', values: [1.5] }],
    ['wait:<"10 minutes"', { compare: '<', values: [600] }],
    [
      'finished:2026-03-01',
      { compare: 'from', values: ['2026-03-01T00:00:00.000Z', '2026-03-02T00:00:00.000Z'] },
    ],
    ['started_at:<=2026-03-01T10:00:00+02:00', { compare: '<=', values: ['2026-03-01T08:00:00.000Z'] }],
    ['run_at:<+1d', { compare: '<', values: ['2026-03-11T12:00:00.000Z'] }],
    ['created:<now', { compare: '<', values: ['2026-03-10T12:00:00.000Z'] }],
    ['input."a.b"."say \\"x\\"".0:1', { path: ['a.b', 'say "x"', '0'], compare: 'is', values: ['1'] }],
    ['result.n:>5', { path: ['n'], compare: '>', values: [5] }],
    ['result.n:>"5"', { path: ['n'], compare: '>', values: ['5'] }],
    ['input.x:null,"null"', { path: ['x'], compare: 'is', values: [null, 'null'] }],
    ['error:ECONN', { compare: 'has', values: ['%ECONN%'] }],
    ['error:"50% off",a*b', { compare: 'has', values: ['%50\\% off%', '%a%b%'] }],
    ['id:0190*', { compare: 'like', values: ['0190%'] }],
    [
      'parent:01900000-0000-7000-8000-00000000000A',
      { compare: 'is', values: ['01900000-0000-7000-8000-00000000000a'] },
    ],
    ['oops', { compare: 'has', values: ['oops'] }],
    ['"two words"', { compare: 'has', values: ['two words'] }],
    ['a,b', { compare: 'has', values: ['a,b'] }],
  ]
  for (const [text, expected] of rows) t.strictSame(one(text), expected, text)
})

t.test('a minus turns a term round, of states too', async (t) => {
  t.strictSame(read('-task:x').where[0]!.isNot, true)
  t.strictSame(read('-state:finished').states, ['PENDING', 'SCHEDULED', 'STARTED', 'PROGRESS', 'RETRY'])
  t.strictSame(read('state:finished -state:failed').states, ['SUCCESS', 'REVOKED'])
  t.strictSame(read('state:running state:finished').states, [])
  t.strictSame(read('- -x').where.length, 2, 'a minus alone is a word')
})

t.test('what is wrong is told with its place, all at once', async (t) => {
  const rows: [string, [at: number, detail: RegExp][]][] = [
    ['colour:red', [[0, /"colour" is no field of a run; known are state, task, .*quotes/]]],
    ['task:a http://x', [[7, /"http" is no field/]]],
    ['state:done', [[6, /"done" is no state; known are PENDING/]]],
    ['state:>failed', [[0, /no order/]]],
    ['task:', [[5, /lacks a value/]]],
    ['task:a,,b', [[7, /lacks a value/]]],
    ['task:"a', [[5, /opens a quote that nothing closes/]]],
    ['task.x:a', [[0, /task has nothing inside/]]],
    ['reason:tired', [[7, /no reason of a state/]]],
    ['id:12', [[3, /no UUID/]]],
    ['attempt:many', [[8, /no number/]]],
    ['attempt:>1,2', [[0, /one value/]]],
    ['duration:5s', [[0, /is compared: write duration:>5s/]]],
    ['created:soon', [[8, /no time: write -1h/]]],
    ['created:>1h', [[9, /no time/]]],
    ['created:>2026-02-30', [[9, /no time/]]],
    ['created:-1h', [[0, /is compared/]]],
    ['input:>5', [[0, /needs to know what in it/]]],
    [
      'colour:red task:"',
      [
        [0, /colour/],
        [16, /quote/],
      ],
    ],
  ]
  for (const [text, expected] of rows) {
    const { faults } = parseSearch(text, NOW)
    t.strictSame(
      faults.map(({ at }) => at),
      expected.map(([at]) => at),
      text,
    )
    expected.forEach(([, detail], i) => t.match(faults[i]!.detail, detail, text))
  }
  t.equal(describeFault({ at: 0, detail: 'x' }), 'at character 1: x')
  t.ok(parseSearch('a '.repeat(30), NOW).faults.length > 0, 'too many terms')
  t.ok(parseSearch('a'.repeat(SEARCH_LENGTH + 1), NOW).faults.length > 0, 'too long')
  t.ok(parseSearch('a\u0000', NOW).faults.length > 0, 'not storable')
  t.ok(parseSearch('a\ud800', NOW).faults.length > 0, 'not well formed')
})

t.test('whatever the text, it is read or refused, and every fault points into it', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...SEARCH_FIELDS.map((field) => `${field}:`),
      '-',
      '"',
      '\\',
      ',',
      '>',
      '<=',
      '*',
      ' ',
      '.',
      'input.a:',
      '-1h',
      '2026-01-01',
      '__proto__:',
      'constructor:',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.string({ maxLength: 6 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      const parsed = parseSearch(text, NOW)
      if ('search' in parsed) {
        for (const { values } of parsed.search.where) if (values.length === 0) throw new Error('no values')
        JSON.stringify(parsed.search)
      } else
        for (const { at } of parsed.faults)
          if (at < 0 || at > text.length) throw new Error(`points to ${at} of ${text.length}`)
    }),
    { numRuns: 5000 },
  )
})

t.test('a value that is quoted comes out as it went in', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (value) => {
      const quoted = `"${value.replace(/["\\]/g, '\\$&')}"`
      const { terms, faults } = splitTerms(`schedule:${quoted} ${quoted}`)
      if (faults.length > 0) throw new Error(JSON.stringify(faults))
      for (const term of terms)
        if (term.values[0]!.text !== value || term.values[0]!.pattern !== null)
          throw new Error(term.values[0]!.text)
      if (terms.length !== 2) throw new Error(`${terms.length} terms`)
    }),
    { numRuns: 1000 },
  )
})

t.test('a search as long as may be is read in no time', async (t) => {
  for (const text of [
    '"'.repeat(1000),
    'a:'.repeat(500),
    '\\'.repeat(1000),
    'input.' + 'a.'.repeat(490) + ':',
    '-'.repeat(1000),
    'input."' + '\\'.repeat(900),
  ]) {
    const began = performance.now()
    parseSearch(text, NOW)
    t.ok(performance.now() - began < 100, text.slice(0, 10))
  }
})
