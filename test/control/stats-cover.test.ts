import fc from 'fast-check'
import t from 'tap'
import { coverSince } from '../../src/control/stats-cover.ts'
import type { Rolled } from '../../src/db/statements/rollups.ts'

const DAY = 86_400
const rolled: Rolled = { 60: 10 * DAY + 40_000, 1800: 10 * DAY + 39_600, 86400: 10 * DAY }

t.test('a stretch is covered by the longest rows that lie in it', async (t) => {
  t.strictSame(coverSince(8 * DAY + 1860, Infinity, rolled), [
    { step: 60, since: 8 * DAY + 1860, until: 8 * DAY + 3600 },
    { step: 1800, since: 8 * DAY + 3600, until: 9 * DAY },
    { step: 86_400, since: 9 * DAY, until: 10 * DAY },
    { step: 1800, since: 10 * DAY, until: 10 * DAY + 39_600 },
    { step: 60, since: 10 * DAY + 39_600, until: Infinity },
  ])
})

t.test('slices take no longer rows than they are', async (t) => {
  t.strictSame(coverSince(8 * DAY, 7200, rolled), [
    { step: 1800, since: 8 * DAY, until: 10 * DAY + 39_600 },
    { step: 60, since: 10 * DAY + 39_600, until: Infinity },
  ])
  t.strictSame(coverSince(8 * DAY, 600, rolled), [{ step: 60, since: 8 * DAY, until: Infinity }])
})

t.test('before the first count there are minutes only', async (t) => {
  const none: Rolled = { 60: -Infinity, 1800: -Infinity, 86400: -Infinity }
  t.strictSame(coverSince(8 * DAY, Infinity, none), [{ step: 60, since: 8 * DAY, until: Infinity }])
})

t.test('any stretch is covered once and without a gap, and no row crosses a seam', async () => {
  const minutes = (max: number): fc.Arbitrary<number> => fc.nat(max).map((n) => n * 60)
  fc.assert(
    fc.property(
      minutes(20_000),
      minutes(20_000),
      fc.constantFrom(60, 600, 1800, 7200, DAY, 2 * DAY),
      (since, done, longest) => {
        const known: Rolled = {
          60: done + 7,
          1800: Math.floor(done / 1800) * 1800,
          86400: Math.floor(done / DAY) * DAY,
        }
        const stretches = coverSince(since, longest, known)
        let at = since
        for (const stretch of stretches) {
          if (stretch.since !== at || stretch.since % stretch.step !== 0 || stretch.step > longest)
            return false
          at = stretch.until
          if (at !== Infinity && (at % stretch.step !== 0 || at > known[stretch.step])) return false
        }
        return at === Infinity
      },
    ),
  )
})
