/** One grammar of durations for TypeScript, REST, the command line, the environment and (test/sql) SQL. */
import fc from 'fast-check'
import t from 'tap'
import { durationMs, parseDuration } from '../../src/duration.ts'

const KNOWN: [unknown, number][] = [
  [0, 0],
  [1, 1000],
  [0.25, 250],
  [90, 90_000],
  ['30s', 30_000],
  ['30 s', 30_000],
  ['1 second', 1000],
  ['10 minutes', 600_000],
  ['10m', 600_000],
  ['1.5h', 5_400_000],
  ['2 hours', 7_200_000],
  ['1 day', 86_400_000],
  ['30 days', 2_592_000_000],
  ['2w', 1_209_600_000],
  ['250ms', 250],
  ['1 millisecond', 1],
  [' 5s ', 5000],
  ['45', 45_000],
  ['0.0004s', 0],
]
t.test('a number is seconds, a text is a number and a unit', (t) => {
  for (const [value, ms] of KNOWN) t.equal(parseDuration(value), ms, JSON.stringify(value))
  t.end()
})

const REFUSED: unknown[] = [
  '',
  ' ',
  's',
  '-5s',
  -1,
  '5 minuts',
  '5  s',
  '5S',
  '1h 30m',
  '1e3s',
  '0x10s',
  '.5s',
  '5.s',
  '1,5s',
  '٥s',
  '5s\n5s',
  '5 constructor',
  '5 __proto__',
  '5 toString',
  Number.NaN,
  Infinity,
  '999999999w',
  1e12,
  `${'9'.repeat(400)}s`,
  null,
  undefined,
  true,
  [],
  ['5s'],
  {},
  5n,
]
t.test('anything else is none', (t) => {
  for (const value of REFUSED) t.equal(parseDuration(value), null, String(value))
  t.end()
})

t.test('the refusal names what it is about, what was given and what would do', (t) => {
  t.throws(() => durationMs('soon', 'ROWBEAT_GRACE'), {
    name: 'ConfigError',
    code: 'RB_CONFIG_INVALID',
    message: /^ROWBEAT_GRACE is "soon", which is not a duration: give seconds .* "10 minutes"/,
  })
  t.equal(durationMs('2h', 'x'), 7_200_000)
  t.end()
})

t.test('any number of seconds up to 100 years is a duration, in every unit', (t) => {
  const units: [string, number][] = [
    ['ms', 1],
    ['s', 1000],
    ['minutes', 60_000],
    ['h', 3_600_000],
    ['days', 86_400_000],
  ]
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 36_000 }),
      fc.constantFrom(...units),
      fc.boolean(),
      (n, [unit, ms], space) => {
        return (
          parseDuration(`${n}${space ? ' ' : ''}${unit}`) === n * ms &&
          parseDuration((n * ms) / 1000) === n * ms
        )
      },
    ),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const ms = parseDuration(text)
      return ms === null || (Number.isInteger(ms) && ms >= 0)
    }),
  )
  t.end()
})
