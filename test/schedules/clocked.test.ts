/** One instant, once. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { createClocked, describeClocked, momentText, readClocked } from '../../src/schedules/clocked.ts'

interface Vector {
  id: string
  clocked_time: string
  last_run_at: string
  now: string
  is_due: boolean
  next_seconds: number
}
const vectors: Vector[] = JSON.parse(
  readFileSync(new URL('../fixtures/conformance/clocked.json', import.meta.url), 'utf8'),
)

t.test('it is due from its instant on, and done once that was fired', async (t) => {
  for (const { id, clocked_time, now, is_due, next_seconds } of vectors) {
    const read = readClocked({ at: clocked_time }, '')
    if (!('spec' in read)) return t.fail(id)
    const clocked = createClocked(read.spec)
    const [atMs, nowMs] = [Date.parse(clocked_time), Date.parse(now)]
    // Never fired: looked for from the beginning of time, as a row that was never armed would be.
    const due = clocked.next(-Infinity)!
    t.equal(due, atMs, id)
    t.equal(due <= nowMs, is_due, id)
    if (!is_due) t.equal((due - nowMs) / 1000, next_seconds, id)
    // cl03: Celery says due again after it ran; for us its last due instant was its only one.
    t.equal(clocked.next(due), null, `${id} is done`)
  }
})

t.test('its one instant is found from both sides and counted once', async (t) => {
  const at = Date.parse('2026-06-10T10:00:00.500Z')
  const clocked = createClocked({ kind: 'clocked', at: '2026-06-10T10:00:00.500Z' })
  t.strictSame([clocked.next(at - 1), clocked.next(at)], [at, null])
  t.strictSame([clocked.previous(at), clocked.previous(at + 1)], [null, at])
  t.strictSame(
    [clocked.count!(at, at), clocked.count!(at + 1, at + 9), clocked.count!(at - 9, at - 1)],
    [1, 0, 0],
  )
  t.equal(
    describeClocked({ kind: 'clocked', at: '2026-06-10T10:00:00.500Z' }),
    'once at 2026-06-10T10:00:00.500Z',
  )
})

t.test('it is kept in UTC with milliseconds, whatever offset it came with', async (t) => {
  for (const [given, kept] of [
    ['2026-06-10T10:00:00Z', '2026-06-10T10:00:00.000Z'],
    ['2026-06-10t13:00:00.5+03:00', '2026-06-10T10:00:00.500Z'],
    ['2026-06-10T10:00:00.123999Z', '2026-06-10T10:00:00.123Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ] as const)
    t.strictSame(readClocked({ at: given }, ''), { spec: { kind: 'clocked', at: kept } })
})

t.test('what is no instant, or has no year of four digits in UTC, is refused', async (t) => {
  const faults = [{ pointer: '/s/at', detail: 'must be an instant such as "2026-01-31T12:00:00Z"' }]
  for (const at of [
    undefined,
    null,
    '',
    'tomorrow',
    '2026-06-10',
    '2026-06-10T10:00',
    '2026-02-30T10:00:00Z',
    1_700_000_000,
    new Date(0),
    '0001-01-01T00:00:00+14:00',
    '9999-12-31T23:59:59-14:00',
  ]) {
    t.strictSame(readClocked({ at }, '/s'), { faults }, String(at))
    t.equal(momentText(at), null)
  }
})
