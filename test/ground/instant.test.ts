/** Instants: RFC 3339 and nothing looser. */
import t from 'tap'
import { isInstant, parseInstant } from '../../src/instant.ts'

t.test('an instant has a date that exists, a time and an offset', (t) => {
  for (const text of [
    '2026-01-31T12:00:00Z',
    '2026-01-31T12:00:00.123456Z',
    '2024-02-29T23:59:59+14:00',
    '2026-01-31t12:00:00z',
    '9999-12-31T23:59:59.999-03:30',
  ])
    t.ok(isInstant(text), text)
  t.end()
})

t.test('anything else is none', (t) => {
  for (const value of [
    '',
    'now',
    'tomorrow',
    'infinity',
    '3',
    '2026',
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-01-31T12:00Z',
    '2026-02-30T12:00:00Z',
    '2025-02-29T12:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:60:00Z',
    '2026-01-31T12:00:60Z',
    '+010000-01-01T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '2026-01-31T12:00:00+25:00',
    '2026-01-31T12:00:00Z\n',
    ' 2026-01-31T12:00:00Z',
    1_700_000_000_000,
    null,
    undefined,
    new Date(0),
  ])
    t.notOk(isInstant(value), String(value))
  t.end()
})

t.test('an instant is so many milliseconds; what is finer is cut', (t) => {
  for (const [text, iso] of [
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31t12:00:00.5z', '2026-01-31T12:00:00.500Z'],
    ['2026-01-31T12:00:00.123456789+02:00', '2026-01-31T10:00:00.123Z'],
    ['0001-01-01T00:00:00-01:00', '0001-01-01T01:00:00.000Z'],
  ] as const)
    t.equal(new Date(parseInstant(text)!).toISOString(), iso)
  for (const value of ['2026-02-30T12:00:00Z', '2026-01-31', 5, null]) t.equal(parseInstant(value), null)
  t.end()
})
