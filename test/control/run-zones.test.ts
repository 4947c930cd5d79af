import t from 'tap'
import { floorId, nextZone, zonesOf } from '../../src/control/run-zones.ts'

const NOW = Date.parse('2026-03-10T12:00:00Z')
const DAY = 86_400_000
const at = (iso: string): string => floorId(Date.parse(iso))

t.test('without a time there is one zone: everything', async (t) => {
  t.strictSame(zonesOf({}, NOW), [{ from: null, before: null }])
  t.strictSame(
    zonesOf(
      { where: [{ field: 'created', compare: '>', values: ['2026-03-01T00:00:00Z'], isNot: true }] },
      NOW,
    ),
    [{ from: null, before: null }],
  )
})

t.test(
  'a stretch of time is a stretch of ids, a day wider, and the two ends where chosen ids are',
  async (t) => {
    const where = [
      { field: 'created', compare: '>', values: ['2026-03-01T00:00:00Z'] },
      { field: 'finished', compare: '<', values: ['2026-03-05T00:00:00Z'] },
    ] as const
    t.strictSame(zonesOf({ where }, NOW), [
      { from: floorId(NOW + DAY), before: null },
      { from: at('2026-02-28T00:00:00Z'), before: at('2026-03-06T00:00:00Z') },
      { from: null, before: at('2020-01-01T00:00:00Z') },
    ])
  },
)

t.test('children are looked for after their parent, if it says when it was made', async (t) => {
  const of = (id: string) => zonesOf({ where: [{ field: 'parent', compare: 'is', values: [id] }] }, NOW)
  const parent = at('2026-03-05T00:00:00Z').replace(/-0000-0000/, '-7000-8000')
  t.equal(of(parent)[0]!.from, at('2026-03-04T00:00:00Z'))
  t.strictSame(of('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'), [{ from: null, before: null }])
})

t.test('a page goes on in the zone that it stands in, then in the next', async (t) => {
  const zones = [
    { from: '80', before: null },
    { from: '40', before: '60' },
    { from: null, before: '10' },
  ]
  t.strictSame(nextZone(zones, null), zones[0])
  t.strictSame(nextZone(zones, '90'), { from: '80', before: '90' })
  t.strictSame(nextZone(zones, '80'), zones[1])
  t.strictSame(nextZone(zones, '50'), { from: '40', before: '50' })
  t.strictSame(nextZone(zones, '40'), zones[2])
  t.strictSame(nextZone(zones, '05'), { from: null, before: '05' })
})
